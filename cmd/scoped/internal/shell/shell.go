// Package shell is a SQL shell in which every statement runs inside a scope.
package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/term"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/cmd/scoped/internal/scope"
	"github.com/scoped-pgx/scoped/policy"
)

// Options are what a shell is started with.
type Options struct {
	Database *pgx.ConnConfig
	Scope    *scope.Scope // of --scope and --disabled, with the policy
	Lookups  []string     // such as site.slug=acme
	Commands []string     // to run instead of the input
	Format   string       // table, csv or json
	Continue bool         // after an error, where nobody types
	Audit    string       // the file of the audit log; empty for the default
}

// ErrFailed is returned where a statement, a command of the shell or a look-up
// failed. The shell has said why.
var ErrFailed = errors.New("a statement failed")

// errQuit ends the shell, by \q.
var errQuit = errors.New("quit")

// A shell reads statements and runs them.
type shell struct {
	policy  *policy.Policy
	catalog *catalog.Catalog
	tables  []knownTable
	config  *pgx.ConnConfig
	session *session
	scope   scopeState
	audit   *slog.Logger

	screen   *screen
	stderr   *screen
	format   string
	expanded expansion
	null     string
	timing   bool

	terminal *terminal // nil where nobody types
	proceed  bool      // after an error
	depth    int       // of \i
	buffer   buffer
	last     string // the statement that ran last
	refusal  error  // why it was not sent, if it was not
	lost     bool   // the connection, by the statement that ran last

	running sync.Mutex // held while a statement runs
	restore func()     // makes the terminal what it was
}

// Run runs a shell until its input ends. The error is ErrFailed where the shell
// has said what is wrong.
func Run(ctx context.Context, o Options, stdin io.Reader, stdout, stderr io.Writer) error {
	audit, file, err := openAudit(o.Audit, o.Database)
	if err != nil {
		return err
	}
	defer file.Close()
	s := &shell{
		policy:   o.Scope.Policy,
		config:   o.Database.Copy(),
		scope:    newScope(o.Scope),
		audit:    audit,
		screen:   newScreen(stdout),
		stderr:   newScreen(stderr),
		format:   o.Format,
		expanded: never,
		proceed:  o.Continue,
		restore:  func() {},
	}
	if s.config.RuntimeParams["application_name"] == "" {
		s.config.RuntimeParams["application_name"] = "scoped shell"
	}
	if isTerminal(stdin) {
		descriptor := int(stdin.(*os.File).Fd())
		if before, err := term.GetState(descriptor); err == nil {
			s.restore = func() { _ = term.Restore(descriptor, before) }
		}
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGTERM)
	defer stop()
	if err := s.start(ctx); err != nil {
		return err
	}
	defer s.session.close()
	defer context.AfterFunc(ctx, s.terminate)()
	for _, text := range o.Lookups {
		to, err := s.lookUp(ctx, text)
		if err != nil {
			return s.failLookUp(err)
		}
		s.scope = to
	}
	s.audit.InfoContext(s.scope.context(ctx), "the shell begins")
	defer func() { s.audit.InfoContext(s.scope.context(ctx), "the shell ends") }()

	if o.Commands != nil {
		err = s.runCommands(ctx, o.Commands)
	} else if isTerminal(stdin) && s.screen.file != nil {
		err = s.interact(ctx)
	} else {
		err = s.read(ctx, stdin)
	}
	if s.session.state() != idle {
		s.say("The transaction was still open, and is rolled back.")
	}
	if errors.Is(err, errQuit) {
		err = nil
	}
	return err
}

// terminate ends the process by a signal, once the statement that runs is
// cancelled. Nothing else ends what waits for a line.
func (s *shell) terminate() {
	s.running.Lock()
	s.restore()
	s.audit.Info("the shell ends by a signal")
	os.Exit(1)
}

// start reads the catalogue and connects.
func (s *shell) start(ctx context.Context) error {
	if err := s.readCatalog(ctx); err != nil {
		return err
	}
	options := []scoped.Option{scoped.WithLogger(s.audit)}
	misfits := 0
	for _, f := range s.catalog.Check(s.policy) {
		if f.Fatal {
			misfits++
			s.say("warning: %s:%d:%d: %s", s.policy.File(), f.Line, f.Column, f.Message)
		}
	}
	if misfits == 0 {
		options = append(options, scoped.WithCatalog(s.catalog))
	}
	s.session = newSession(s.config, s.policy, s.notice, options...)
	if err := s.session.connect(ctx); err != nil {
		s.session.close()
		return err
	}
	return nil
}

// readCatalog reads the tables that the shell shows and completes.
func (s *shell) readCatalog(ctx context.Context) error {
	c, err := readCatalog(ctx, s.config, s.policy, s.audit)
	if err != nil {
		return err
	}
	s.catalog, s.tables = c, known(c, s.policy)
	return nil
}

// notice shows a notice of the server.
func (s *shell) notice(n *pgconn.Notice) {
	s.say("%s:  %s", n.Severity, n.Message)
	if n.Detail != "" {
		s.say("DETAIL:  %s", n.Detail)
	}
	if n.Hint != "" {
		s.say("HINT:  %s", n.Hint)
	}
}

// say writes a line for people.
func (s *shell) say(form string, args ...any) {
	fmt.Fprintln(s.stderr, printable(fmt.Sprintf(form, args...)))
}

// changeScope makes to the scope, and logs it. What statements have done to a
// connection while scopes were disabled, to its search_path for example, must not
// mean anything to those in a scope, so these get another one.
func (s *shell) changeScope(ctx context.Context, to scopeState) error {
	s.audit.InfoContext(to.context(ctx), "the scope changes", "from", s.scope.String())
	enabled := s.scope.disabled != "" && to.disabled == ""
	s.scope = to
	if !enabled {
		return nil
	}
	s.session.drop()
	return s.session.connect(ctx)
}

// failLookUp says why a look-up failed.
func (s *shell) failLookUp(err error) error {
	var mistake *notOneError
	if !errors.As(err, &mistake) {
		s.showError(err, "")
		return ErrFailed
	}
	s.say("ERROR:  %v", mistake)
	if c := mistake.candidates; c != nil && len(c.rows) > 0 {
		more := len(c.rows) > maxCandidates
		if more {
			c.rows = c.rows[:maxCandidates]
		}
		s.say("Candidates:")
		c.out = writerTo(s.stderr)
		_ = c.end("", 0)
		if more {
			s.say("… and others")
		}
	}
	return ErrFailed
}

// runCommands runs what was given with -c, each as if it were typed.
func (s *shell) runCommands(ctx context.Context, commands []string) error {
	var failure error
	for _, c := range commands {
		err := s.read(ctx, strings.NewReader(c))
		if errors.Is(err, ErrFailed) {
			failure = err
			if s.proceed && !s.lost {
				continue
			}
		}
		if err != nil {
			return err
		}
	}
	return failure
}

// read runs the lines that nobody types to their end, or to the first error. It
// returns ErrFailed where anything failed.
func (s *shell) read(ctx context.Context, r io.Reader) error {
	outer := s.buffer
	s.buffer = buffer{}
	defer func() { s.buffer = outer }()
	in := bufio.NewReader(r)
	var failure error
	for first := true; ; first = false {
		line, err := in.ReadString('\n')
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return err
		}
		if first {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		err = s.readLine(ctx, strings.TrimRight(line, "\r\n"))
		if end && (err == nil || errors.Is(err, ErrFailed) && s.proceed && !s.lost) {
			err = errors.Join(err, s.execute(ctx, s.buffer.take()))
		}
		switch {
		case errors.Is(err, errQuit):
			return err
		case errors.Is(err, ErrFailed):
			failure = ErrFailed
			if !s.proceed || s.lost || ctx.Err() != nil {
				return failure
			}
		case err != nil:
			return err
		}
		if end {
			return failure
		}
	}
}

// readLine takes one line: a command of the shell, or a part of a statement.
func (s *shell) readLine(ctx context.Context, line string) error {
	s.lost = false
	if name, ok := strings.CutPrefix(strings.TrimLeft(line, blanks), `\`); ok && !s.buffer.end().quoted() {
		return s.command(ctx, name)
	}
	if s.buffer.empty() {
		switch strings.ToLower(strings.Trim(line, blanks+";")) {
		case "quit", "exit":
			return errQuit
		case "help":
			return s.command(ctx, "?")
		}
	}
	if text, suffix, ok := s.cutSuffix(line); ok {
		s.buffer.add(text)
		return s.command(ctx, suffix)
	}
	s.buffer.add(line)
	if !strings.Contains(line, ";") {
		return nil
	}
	return s.execute(ctx, s.buffer.cut())
}

// cutSuffix cuts \g or \gx from the end of a line.
func (s *shell) cutSuffix(line string) (text, command string, ok bool) {
	trimmed := strings.TrimRight(line, blanks)
	for _, command := range []string{"g", "gx"} {
		text, ok := strings.CutSuffix(trimmed, `\`+command)
		if ok && !(&buffer{s.buffer.text + "\n" + text}).end().quoted() {
			return text, command, true
		}
	}
	return "", "", false
}

// execute runs statements. Where nobody types, the first that fails is the last,
// unless the shell shall go on.
func (s *shell) execute(ctx context.Context, statements []string) error {
	var failure error
	for _, sql := range statements {
		if err := s.run(ctx, sql); err != nil {
			failure = ErrFailed
			if s.lost || ctx.Err() != nil || s.terminal == nil && !s.proceed {
				break
			}
		}
	}
	return failure
}

// interruptible returns a context that Ctrl-C cancels.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt)
}

// run runs one statement, shows its result, and says what is wrong with it.
func (s *shell) run(ctx context.Context, sql string) error {
	return s.attempt(ctx, sql, func(ctx context.Context) (finish func() error, err error) {
		if isCopy(sql) {
			return nil, errCopy
		}
		f, end := s.results(), ending{}
		err = s.session.query(ctx, func(rows pgx.Rows) error { return end.read(rows, f) }, sql)
		return func() error { return f.end(end.tag, end.rows) }, err
	})
}

// attempt does what sends statements for sql, under the scope, and then what
// finishes its result.
func (s *shell) attempt(ctx context.Context, sql string, do func(context.Context) (finish func() error, err error)) error {
	s.running.Lock()
	defer s.running.Unlock()
	s.last, s.lost = sql, false
	before := s.session.state()
	ctx, stop := interruptible(ctx)
	defer stop()
	began := time.Now()
	finish, err := do(s.scope.context(ctx))
	took := time.Since(began)
	if s.refusal = nil; err == nil && finish != nil {
		err = finish()
	}
	if err != nil {
		if ctx.Err() != nil && s.terminal != nil {
			s.say("") // behind ^C
		}
		if len(s.session.sent) == 0 {
			s.refusal = err
		}
		s.showError(err, sql)
	}
	if s.session.lost() {
		s.reconnect(ctx, before)
	}
	if s.timing {
		s.say("Time: %.3f ms", float64(took.Microseconds())/1000)
	}
	return err
}

// reconnect says what the loss of a connection means, and makes another one.
func (s *shell) reconnect(ctx context.Context, before byte) {
	s.lost = true
	s.buffer = buffer{}
	s.say("The connection to the server is lost.")
	switch {
	case before == idle:
		s.say("Whether the last statement took effect is not known.")
	case before == open && isCommit(s.last):
		s.say("Whether the transaction was committed is not known.")
	default:
		s.say("The transaction is lost with it: nothing of it was written.")
	}
	if s.terminal == nil {
		return
	}
	if err := s.session.connect(context.WithoutCancel(ctx)); err != nil {
		s.say("There is no new connection yet, the next statement tries again: %v", err)
		return
	}
	s.say("Connected again, in the scope %s, outside a transaction.", s.scope)
}

// results returns what shows the rows of a statement.
func (s *shell) results() format {
	switch s.format {
	case "csv":
		return &csv{out: bufio.NewWriter(s.screen), header: true}
	case "json":
		return &lines{out: bufio.NewWriter(s.screen)}
	}
	columns, _ := s.screen.size()
	return &table{out: s.screen.show, null: s.null, expanded: s.expanded, width: columns, footer: true}
}

// An ending is what comes behind the rows of a result.
type ending struct {
	tag  string
	rows int
}

// read passes the rows of a result on.
func (e *ending) read(rows pgx.Rows, f format) error {
	columns := columnsOf(rows.FieldDescriptions())
	if len(columns) > 0 {
		if err := f.begin(columns); err != nil {
			return err
		}
	}
	for rows.Next() {
		if e.rows++; len(columns) > 0 {
			if err := f.row(rows.RawValues()); err != nil {
				return err
			}
		}
	}
	rows.Close()
	e.tag = rows.CommandTag().String()
	return rows.Err()
}
