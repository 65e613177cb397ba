package shell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A command is one of the shell's own, behind a backslash.
type command struct {
	name string
	args string // for the help
	help string
	run  func(s *shell, ctx context.Context, args string) error
}

// commands are in the order of the help. It is filled by init, because \? shows it.
var commands []command

func init() {
	commands = []command{
		{"scope", "[DIM=VALUE… | none]", "show or change the scope: site=4, site=1,2, site=*, site=none", (*shell).commandScope},
		{"lookup", "DIM.COLUMN=VALUE", "change the scope to that of the one row with this value", (*shell).commandLookup},
		{"disable", "REASON", "disable scopes, for a reason that is logged, until the next \\scope", (*shell).commandDisable},
		{"sql", "", "show what was sent for the last statement", (*shell).commandSQL},
		{},
		{"d", "[TABLE]", "describe a table, or list the tables that the policy knows", (*shell).commandDescribe},
		{"dt", "[PATTERN]", "list the tables that the policy knows", (*shell).commandList},
		{"conninfo", "", "show the connection", (*shell).commandConnection},
		{},
		{"x", "[on|off|auto]", "expanded output: a line for each column", (*shell).commandExpanded},
		{"pset", "null TEXT | format table|csv|json | pager on|off", "how results are shown", (*shell).commandSet},
		{"timing", "[on|off]", "show how long statements take", (*shell).commandTiming},
		{},
		{"g", "", "run what was typed, or the last statement again; \\gx with expanded output", (*shell).commandGo},
		{"gx", "", "", (*shell).commandGoExpanded},
		{"e", "[FILE]", "edit what was typed, the last statement, or a file, with $EDITOR, and run it", (*shell).commandEdit},
		{"i", "FILE", "run a file", (*shell).commandInclude},
		{"copy", "(QUERY) to FILE [csv] [header]", "write a result to a file", (*shell).commandCopy},
		{"", "TABLE [(COLUMNS)] from FILE [csv] [header]", "read rows from a file", nil},
		{"p", "", "show what was typed; \\r forgets it", (*shell).commandPrint},
		{"r", "", "", (*shell).commandReset},
		{"echo", "TEXT", "write a text", (*shell).commandEcho},
		{"?", "", "this help", (*shell).commandHelp},
		{"q", "", "leave; Ctrl-D does so too", (*shell).commandQuit},
	}
}

// command runs a command of the shell. What is wrong with it has been said when it
// returns ErrFailed.
func (s *shell) command(ctx context.Context, text string) error {
	name, args := text, ""
	if i := strings.IndexAny(text, blanks); i >= 0 {
		name, args = text[:i], strings.Trim(text[i:], blanks)
	}
	name = strings.TrimSuffix(name, ";")
	args = strings.TrimRight(strings.TrimSuffix(args, ";"), blanks)
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == name && c.run != nil })
	if i < 0 {
		s.sayBold(`ERROR:  there is no command \%s; \? lists them`, name)
		return ErrFailed
	}
	err := commands[i].run(s, ctx, args)
	if err != nil && !errors.Is(err, ErrFailed) && !errors.Is(err, errQuit) {
		s.showError(err, "")
		err = ErrFailed
	}
	return err
}

func (s *shell) commandHelp(context.Context, string) error {
	var b strings.Builder
	b.WriteString("Statements end with a semicolon, and run in the scope that the prompt shows.\n\n")
	for _, c := range commands {
		name := `\` + c.name + " "
		switch {
		case c.name == "" && c.args == "":
			b.WriteByte('\n')
			continue
		case c.name == "":
			name = "      "
		case c.help == "":
			continue
		}
		left := "  " + name + c.args
		if len(left) > 40 {
			left += "\n" + strings.Repeat(" ", 40)
		}
		fmt.Fprintf(&b, "%-40s %s\n", left, c.help)
	}
	return s.screen.show(b.String())
}

func (s *shell) commandQuit(context.Context, string) error { return errQuit }

func (s *shell) commandEcho(_ context.Context, args string) error { return s.echo(args) }

func (s *shell) echo(text string) error {
	_, err := fmt.Fprintln(s.screen, text)
	return err
}

// errOpen refuses another scope while a transaction is open.
func (s *shell) errOpen() error {
	if s.session.state() == idle {
		return nil
	}
	return errors.New("a transaction keeps its scope; COMMIT or ROLLBACK first")
}

func (s *shell) commandScope(ctx context.Context, args string) error {
	if args == "" {
		if s.scope.disabled != "" {
			return s.echo("scopes are disabled: " + printable(s.scope.disabled))
		}
		return s.echo(printable(s.scope.String()))
	}
	if err := s.errOpen(); err != nil {
		return err
	}
	to, err := s.scope.change(strings.Fields(args))
	if err != nil {
		return err
	}
	return s.changeScope(ctx, to)
}

func (s *shell) commandLookup(ctx context.Context, args string) error {
	if err := s.errOpen(); err != nil {
		return err
	}
	interrupted, stop := interruptible(ctx)
	defer stop()
	to, err := s.lookUp(interrupted, unquote(args))
	if err != nil {
		err = s.failLookUp(err)
		if s.session.lost() {
			s.reconnect(ctx, idle)
		}
		return err
	}
	return s.changeScope(ctx, to)
}

func (s *shell) commandDisable(ctx context.Context, reason string) error {
	switch {
	case reason == "":
		return errors.New(`\disable needs a reason`)
	case s.terminal == nil:
		return errors.New(`\disable asks for confirmation, and nobody is there; start the shell with --disabled REASON`)
	}
	if err := s.errOpen(); err != nil {
		return err
	}
	s.say("Statements will see and change the rows of everybody, and are logged.")
	answer, err := s.terminal.line(func() string { return "Disable scopes? (yes/no) " })
	if err != nil || strings.TrimSpace(answer) != "yes" {
		s.say("Scopes stay enabled.")
		return nil
	}
	return s.changeScope(ctx, scopeState{policy: s.policy, disabled: reason})
}

func (s *shell) commandSQL(context.Context, string) error {
	switch {
	case s.last == "":
		return errors.New("there was no statement yet")
	case s.refusal != nil:
		return s.echo("nothing was sent")
	}
	var b strings.Builder
	for _, sent := range s.session.sent {
		b.WriteString(printable(sent.sql) + "\n")
		for i, value := range sent.args {
			fmt.Fprintf(&b, "-- $%d = %s\n", i+1, printable(fmt.Sprint(value)))
		}
	}
	return s.screen.show(b.String())
}

func (s *shell) commandDescribe(ctx context.Context, args string) error {
	if args == "" || strings.ContainsAny(args, "*?") {
		return s.commandList(ctx, args)
	}
	if err := s.readCatalog(ctx); err != nil {
		return err
	}
	t, ok := s.find(args)
	if !ok {
		return fmt.Errorf("there is no table %s that the policy knows", args)
	}
	return s.describe(t)
}

func (s *shell) commandList(ctx context.Context, args string) error {
	if err := s.readCatalog(ctx); err != nil {
		return err
	}
	return s.describeAll(args)
}

func (s *shell) commandConnection(context.Context, string) error {
	if s.session.conn == nil {
		return errors.New("there is no connection")
	}
	return s.echo(fmt.Sprintf("database %s as user %s on %s, port %d, PostgreSQL %s, process %d",
		s.config.Database, s.config.User, s.config.Host, s.config.Port,
		s.session.server.ParameterStatus("server_version"), s.session.server.PID()))
}

func (s *shell) commandExpanded(_ context.Context, args string) error {
	switch args {
	case "":
		if s.expanded == never {
			s.expanded = always
		} else {
			s.expanded = never
		}
	case string(always), string(never), string(automatic):
		s.expanded = expansion(args)
	default:
		return errors.New(`write \x, \x on, \x off or \x auto`)
	}
	s.say("Expanded output is %s.", s.expanded)
	return nil
}

func (s *shell) commandTiming(_ context.Context, args string) error {
	switch args {
	case "":
		s.timing = !s.timing
	case "on", "off":
		s.timing = args == "on"
	default:
		return errors.New(`write \timing, \timing on or \timing off`)
	}
	s.say("Timing is %s.", map[bool]string{true: "on", false: "off"}[s.timing])
	return nil
}

func (s *shell) commandSet(_ context.Context, args string) error {
	name, value, _ := strings.Cut(args, " ")
	value = unquote(strings.TrimSpace(value))
	switch {
	case name == "null":
		s.null = value
	case name == "format" && slices.Contains([]string{"table", "csv", "json"}, value):
		s.format = value
	case name == "pager" && (value == "on" || value == "off"):
		s.screen.pager = value == "on" && s.screen.file != nil
	default:
		return errors.New(`write \pset null TEXT, \pset format table|csv|json, or \pset pager on|off`)
	}
	return nil
}

// unquote returns a text without quotes around it.
func unquote(text string) string {
	if n := len(text); n >= 2 && text[0] == '\'' && text[n-1] == '\'' {
		return strings.ReplaceAll(text[1:n-1], "''", "'")
	}
	return text
}

// fileName returns the path that an argument names.
func fileName(text string) string {
	name := unquote(text)
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return name
}

func (s *shell) commandGo(ctx context.Context, _ string) error {
	statements := append(s.buffer.cut(), s.buffer.take()...)
	if statements == nil {
		if s.last == "" {
			return errors.New("there is no statement to run")
		}
		statements = []string{s.last}
	}
	return s.execute(ctx, statements)
}

func (s *shell) commandGoExpanded(ctx context.Context, args string) error {
	before := s.expanded
	s.expanded = always
	defer func() { s.expanded = before }()
	return s.commandGo(ctx, args)
}

func (s *shell) commandPrint(context.Context, string) error {
	if s.buffer.empty() {
		return s.echo(printable(s.last))
	}
	return s.echo(printable(s.buffer.text))
}

func (s *shell) commandReset(context.Context, string) error {
	s.buffer = buffer{}
	return nil
}

// maxDepth is how deep files may include each other.
const maxDepth = 16

func (s *shell) commandInclude(ctx context.Context, args string) error {
	name := fileName(args)
	switch {
	case name == "":
		return errors.New(`write \i FILE`)
	case s.depth == maxDepth:
		return fmt.Errorf("files include each other more than %d deep; does %s include itself?", maxDepth, name)
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	s.depth++
	defer func() { s.depth-- }()
	typing := s.terminal
	s.terminal = nil // nobody types what is in the file
	defer func() { s.terminal = typing }()
	err = s.read(ctx, file)
	if errors.Is(err, ErrFailed) && !s.proceed {
		s.say("%s was left at that.", name)
	}
	return err
}

func (s *shell) commandEdit(ctx context.Context, args string) error {
	if s.terminal == nil {
		return errors.New(`\e needs somebody who types`)
	}
	name := fileName(args)
	if name == "" {
		file, err := os.CreateTemp("", "scoped-*.sql")
		if err != nil {
			return err
		}
		name = file.Name()
		defer os.Remove(name)
		text := s.buffer.text
		if s.buffer.empty() && s.last != "" {
			text = s.last + ";"
		}
		_, err = file.WriteString(text + "\n")
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	before, _ := os.Stat(name)
	if err := edit(name); err != nil {
		return err
	}
	after, err := os.Stat(name)
	if err != nil {
		return err
	}
	if before != nil && before.ModTime().Equal(after.ModTime()) && before.Size() == after.Size() {
		s.say("Nothing was changed, so nothing runs.")
		return nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	s.buffer = buffer{strings.TrimRight(string(data), blanks)}
	if s.buffer.text != "" {
		s.say("%s", s.buffer.text)
		s.terminal.history.add(s.buffer.text)
	}
	return s.execute(ctx, s.buffer.cut())
}

// edit runs the user's editor.
func edit(name string) error {
	editor := "vi"
	for _, variable := range []string{"EDITOR", "VISUAL", "PSQL_EDITOR"} {
		if value := os.Getenv(variable); value != "" {
			editor = value
		}
	}
	command := exec.Command("sh", "-c", editor+` "$1"`, "sh", name)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("the editor %s: %w", editor, err)
	}
	return nil
}
