//go:build unix

package shell_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/shell"
	"github.com/scoped-pgx/scoped/internal/pgtest"
)

// The test's own program is the shell on the terminal: what edits lines there uses
// the standard input and output of its process.
const childDSN = "SCOPED_SHELL_TEST_DSN"

func TestMain(m *testing.M) {
	dsn := os.Getenv(childDSN)
	if dsn == "" {
		os.Exit(m.Run())
	}
	r := &run{dsn: dsn, policy: os.Getenv("SCOPED_SHELL_TEST_POLICY"), scopes: strings.Fields(os.Getenv("SCOPED_SHELL_TEST_SCOPE"))}
	o := shell.Options{Format: "table"}
	o.Scope, o.Database = r.parse(new(testing.T))
	if err := shell.Run(context.Background(), o, os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

// patience is how long a screen may take to show what is waited for.
const patience = 20 * time.Second

// A console is a shell on a terminal of 100 columns.
type console struct {
	t       *testing.T
	file    *os.File
	screen  vt10x.Terminal
	command *exec.Cmd
	ended   chan struct{}
	once    sync.Once
}

// command returns the shell as a process of its own.
func (r *run) command(env ...string) *exec.Cmd {
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=1", "INPUTRC=/dev/null", "PAGER=",
		childDSN+"="+r.dsn, "SCOPED_SHELL_TEST_SCOPE="+strings.Join(r.scopes, " "), "SCOPED_SHELL_TEST_POLICY="+r.policy)
	command.Env = append(command.Env, env...)
	return command
}

// open starts a shell on a terminal.
func (r *run) open(t *testing.T, lines uint16, env ...string) *console {
	t.Helper()
	command := r.command(env...)
	opened, err := pty.StartWithSize(command, &pty.Winsize{Rows: lines, Cols: 100})
	if err != nil {
		t.Fatal(err)
	}
	// Another one of it, which Close takes from a Read that waits.
	descriptor, err := syscall.Dup(int(opened.Fd()))
	if err == nil {
		err = syscall.SetNonblock(descriptor, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(descriptor), "terminal")
	opened.Close()
	c := &console{t: t, file: file, command: command, ended: make(chan struct{}),
		screen: vt10x.New(vt10x.WithSize(100, int(lines)))}
	go func() {
		_, _ = io.Copy(c.screen, file) // ends with an error when the terminal does
		_ = command.Wait()
		close(c.ended)
	}()
	t.Cleanup(func() {
		c.hangUp()
		select {
		case <-c.ended:
		case <-time.After(patience):
			_ = command.Process.Kill()
			t.Error("the shell outlived its terminal")
		}
	})
	return c
}

func (c *console) hangUp() { c.once.Do(func() { c.file.Close() }) }

// press sends keys.
func (c *console) press(keys string) {
	c.t.Helper()
	if _, err := io.WriteString(c.file, keys); err != nil {
		c.t.Fatal(err)
	}
}

// enter types a line, and presses Enter when the screen shows it, so that what is
// waited for afterwards is not there already.
func (c *console) enter(line string) {
	c.t.Helper()
	c.press(line)
	want := strings.Join(strings.Fields(line), "") // the line may be wrapped
	c.until(fmt.Sprintf("ends with what was typed, %q", line), func(screen string) bool {
		return strings.HasSuffix(strings.Join(strings.Fields(screen), ""), want)
	})
	c.press(enter)
}

// see waits until the screen shows text.
func (c *console) see(text string) {
	c.t.Helper()
	c.until(fmt.Sprintf("shows %q", text), func(screen string) bool { return strings.Contains(screen, text) })
}

// seeLast waits until the last line of the screen ends with text.
func (c *console) seeLast(text string) {
	c.t.Helper()
	c.until(fmt.Sprintf("ends with %q", text), func(screen string) bool {
		lines := strings.Split(screen, "\n")
		return strings.HasSuffix(lines[len(lines)-1], text)
	})
}

func (c *console) until(what string, is func(screen string) bool) {
	c.t.Helper()
	var shown string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var lines []string
		for line := range strings.Lines(c.screen.String()) {
			lines = append(lines, strings.TrimRight(line, " \n"))
		}
		if shown = strings.TrimRight(strings.Join(lines, "\n"), "\n"); is(shown) {
			return
		}
	}
	c.t.Fatalf("no screen %s; it is\n%s", what, shown)
}

// seeEnd waits until the shell has ended and returns its exit status.
func (c *console) seeEnd() int {
	c.t.Helper()
	select {
	case <-c.ended:
	case <-time.After(patience):
		c.t.Fatalf("the shell does not end; its screen is\n%s", c.screen.String())
	}
	return c.command.ProcessState.ExitCode()
}

const (
	enter = "\r"
	tab   = "\t"
	up    = "\x1b[A"
	ctrlA = "\x01"
	ctrlC = "\x03"
	ctrlD = "\x04"
	ctrlF = "\x06"
)

func TestTerminal(t *testing.T) {
	r := newRun(t, "site=1")
	c := r.open(t, 40)
	c.seeLast("[site=1]=>")
	c.enter("SELECT 'a")
	c.seeLast("[site=1]'>")
	c.enter("b' AS x,")
	c.seeLast("[site=1]->")
	c.enter("(SELECT $$")
	c.seeLast("[site=1]$>")
	c.enter("$$ /*")
	c.seeLast("[site=1]*>")
	c.enter("*/")
	c.seeLast("[site=1](>")
	c.enter(") IS NULL AS y;")
	c.see("a+| f")
	c.enter("\\scope site=2 user=7")
	c.seeLast("[site=2 user=7]=>")
	c.enter("BEGIN;")
	c.seeLast("[site=2 user=7]=*>")
	c.enter("\\scope site=1")
	c.see("a transaction keeps its scope")
	c.enter("SELECT 1/0;")
	c.seeLast("[site=2 user=7]=!>")
	c.enter("ROLLBACK;")
	c.seeLast("[site=2 user=7]=>")
	c.enter("\\lookup site.slug=acme")
	c.seeLast("[site=1 user=7]=>")
	c.enter("\\scope none")
	c.seeLast("[no scope]=>")
	c.press(ctrlD)
	if status := c.seeEnd(); status != 0 {
		t.Errorf("the exit status is %d", status)
	}
}

func TestDisable(t *testing.T) {
	r := newRun(t, "site=1")
	c := r.open(t, 40)
	c.seeLast("[site=1]=>")
	c.enter("\\disable")
	c.see("needs a reason")
	c.enter("\\disable ticket 9")
	c.seeLast("Disable scopes? (yes/no)")
	c.enter("y")
	c.see("Scopes stay enabled.")
	c.enter("\\disable ticket 9")
	c.seeLast("Disable scopes? (yes/no)")
	c.press(ctrlC)
	c.seeLast("[site=1]=>")
	c.enter("\\disable ticket 9")
	c.seeLast("Disable scopes? (yes/no)")
	c.enter("yes")
	c.seeLast("[DISABLED]=#")
	c.enter("SELECT count(*) AS everybody FROM post;")
	c.see("         6\n")
	c.enter("SET search_path = pg_temp;")
	c.enter("SHOW search_path;")
	c.see(" pg_temp\n")
	c.enter("\\scope site=2")
	c.seeLast("[site=2]=>")
	c.enter("SHOW search_path;")
	c.see(` "$user", public`)
	c.enter("quit")
	c.seeEnd()
	data, err := os.ReadFile(filepath.Join(os.Getenv("XDG_STATE_HOME"), "scoped", "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"msg":"the scope changes"`, `"scope":{"disabled":"ticket 9"},"from":"site=1"`,
		`"scope":{"disabled":"ticket 9"},"statement":"SELECT count(*) AS everybody FROM post"`,
		`"scope":{"site":2},"from":"disabled"`,
	} {
		if !strings.Contains(string(data), want) {
			t.Errorf("the audit log lacks %s:\n%s", want, data)
		}
	}
}

func TestInterrupt(t *testing.T) {
	r := newRun(t, "site=1")
	c := r.open(t, 40)
	c.seeLast("[site=1]=>")
	c.press("SELECT 'never" + enter + "sent")
	c.seeLast("[site=1]'> sent")
	c.press(ctrlC)
	c.seeLast("[site=1]=>")
	c.enter("\\conninfo")
	c.see("process ")
	_, before, _ := strings.Cut(c.screen.String(), ", process ")
	before, _, _ = strings.Cut(before, "\n")
	c.enter("BEGIN;")
	c.seeLast("[site=1]=*>")
	c.enter("SELECT pg_sleep(600);")
	r.waitFor(t, "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()")
	c.press(ctrlC)
	c.see("\nERROR:  canceling statement due to user request")
	c.seeLast("[site=1]=!>")
	c.enter("ROLLBACK;")
	c.enter("\\conninfo")
	// The same process twice: the connection is not lost.
	c.until("has process "+before+" twice", func(screen string) bool {
		return strings.Count(screen, ", process "+strings.TrimSpace(before)) == 2
	})
}

// waitFor waits until a query answers true.
func (r *run) waitFor(t *testing.T, query string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), r.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var is bool
		if err := conn.QueryRow(context.Background(), query).Scan(&is); err != nil {
			t.Fatal(err)
		}
		if is {
			return
		}
	}
	t.Fatalf("it did not come true that %s", query)
}

func TestHistory(t *testing.T) {
	r := newRun(t, "site=1")
	c := r.open(t, 40)
	c.seeLast("[site=1]=>")
	c.enter("SELECT 40 +")
	c.seeLast("[site=1]->")
	c.enter("2 AS answer;")
	c.see("     42\n")
	c.enter("\\scope site=2")
	c.seeLast("[site=2]=>")
	c.press(ctrlD)
	c.seeEnd()

	file := filepath.Join(os.Getenv("XDG_STATE_HOME"), "scoped", "history.jsonl")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the history: %v, %v", info, err)
	}
	if _, _, err := r.play(t, "SELECT 'from a pipe';"); err != nil {
		t.Fatal(err)
	}
	c = r.open(t, 40)
	c.seeLast("[site=1]=>")
	c.press(up)
	c.see("=> \\scope site=2")
	c.press(up)
	c.see("2 AS answer;")
	c.press(enter)
	c.see("     42\n")
	c.seeLast("[site=1]=>")
}

func TestCompletion(t *testing.T) {
	r := newRun(t, "site=1")
	c := r.open(t, 40)
	c.seeLast("[site=1]=>")
	for _, test := range []struct{ name, keys, want string }{
		{"a keyword", "sel" + tab, "=> select"},
		{"a table", "SELECT * FROM com" + tab, "=> SELECT * FROM comment"},
		{"a column", "SELECT * FROM post WHERE publ" + tab, "WHERE published"},
		{"of an alias", "SELECT * FROM post AS p WHERE p.publ" + tab, "WHERE p.published"},
		{"over lines", "UPDATE post" + enter + "SET publ" + tab, "-> SET published"},
		{"in front of its table", "SELECT  FROM post" + ctrlA + strings.Repeat(ctrlF, 7) + "publ" + tab, "SELECT published FROM post"},
		{"of an alias, in front of it", "SELECT  FROM post pp" + ctrlA + strings.Repeat(ctrlF, 7) + "pp.publ" + tab, "SELECT pp.published FROM post pp"},
		{"a command", "\\conn" + tab, "=> \\conninfo"},
		{"a described table", "\\d com" + tab, "=> \\d comment"},
		{"a dimension", "\\scope us" + tab, "=> \\scope user="},
		{"a look-up", "\\lookup site.sl" + tab, "=> \\lookup site.slug="},
		{"tables to choose from", "SELECT * FROM co" + tab, "comment  country"},
	} {
		c.press(test.keys)
		c.until(test.name, func(screen string) bool { return strings.Contains(screen, test.want) })
		c.press(ctrlC)
		c.seeLast("[site=1]=>")
		c.enter("\\echo done with " + test.name)
		c.see("\ndone with " + test.name)
		c.seeLast("[site=1]=>")
	}
	// Only what the policy knows and does not deny: the bell rings, nothing is added.
	for _, word := range []string{"secr", "unli", "pg_cl"} {
		c.press("SELECT * FROM " + word + tab + "1;" + enter)
		c.see("FROM " + word + "1;")
		c.seeLast("[site=1]=>")
	}
}

// TestBottomOfScreen types a line that is wider than the screen on its last lines:
// what stands above must stay.
func TestBottomOfScreen(t *testing.T) {
	r := newRun(t, "site=1")
	c := r.open(t, 8)
	c.seeLast("[site=1]=>")
	for range 5 {
		c.enter("\\echo above")
		c.seeLast("[site=1]=>")
	}
	for width := 1; width <= 230; width++ {
		c.press("Y")
		c.until(fmt.Sprintf("has %d characters below what stands above", width), func(screen string) bool {
			prompt := strings.LastIndex(screen, "\npgtest_")
			return prompt >= 0 && strings.HasSuffix(screen[:prompt], "\nabove") && strings.Count(screen[prompt:], "Y") == width
		})
	}
	c.press("\x15" + "\\echo done" + enter) // Ctrl-U
	c.see("\ndone\n")
}

// TestPaste pastes statements and a command at once.
func TestPaste(t *testing.T) {
	r := newRun(t, "site=1")
	c := r.open(t, 40)
	c.seeLast("[site=1]=>")
	c.press("\x1b[200~SELECT 'one' AS a;\n\\scope site=2\nSELECT\nmin(id) AS least FROM post;\x1b[201~")
	c.see("min(id) AS least FROM post;")
	c.press(enter)
	c.seeLast("[site=2]=>")
	c.see("\n one\n")
	c.see("\n     5\n")
}

// TestTerminated ends the shell at its prompt, which must leave the terminal as it
// was and say so in the audit log.
func TestTerminated(t *testing.T) {
	r := newRun(t, "site=1")
	c := r.open(t, 40)
	c.seeLast("[site=1]=>")
	if err := c.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := c.seeEnd(); status != 1 {
		t.Errorf("the exit status is %d", status)
	}
	data, err := os.ReadFile(filepath.Join(os.Getenv("XDG_STATE_HOME"), "scoped", "audit.jsonl"))
	if err != nil || !strings.Contains(string(data), `"msg":"the shell ends by a signal"`) {
		t.Errorf("the audit log is %s, %v", data, err)
	}
}

// TestDocumentation types what docs/shell.md shows in the demo's database, and
// compares the screen.
func TestDocumentation(t *testing.T) {
	const root = "../../../../"
	read := func(name string) string {
		data, err := os.ReadFile(root + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	_, shown, _ := strings.Cut(read("docs/shell.md"), "```text\n$ scoped shell ")
	_, shown, _ = strings.Cut(shown, "\n")
	shown, _, _ = strings.Cut(shown, "```")
	r := newRun(t)
	r.dsn = pgtest.DSN(t, read("examples/blog/schema.sql"), read("examples/blog/data.sql"))
	r.policy, r.scopes = read("examples/blog/policy.yaml"), []string{"site=3"}
	_, config := r.parse(t)
	c := r.open(t, 60)
	prompt := regexp.MustCompile(`^blog(\[.*\][^ ]*) (.*)$`)
	for line := range strings.Lines(shown) {
		if m := prompt.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil {
			c.seeLast(m[1])
			c.enter(m[2])
		}
	}
	want := strings.ReplaceAll(shown, "blog[", config.Database+"[")
	want = strings.Replace(want, "database blog,", "database "+config.Database+",", 1)
	c.until("is that of docs/shell.md:\n"+want, func(screen string) bool { return strings.HasPrefix(screen, want) })
}

// TestManyCompletions completes what does not fit on the screen, and files.
func TestManyCompletions(t *testing.T) {
	r := newRun(t, "site=1")
	t.Chdir(t.TempDir())
	if err := os.WriteFile("report.sql", []byte("SELECT 'from the file' AS it;"), 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(context.Background(), r.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), `DO $$BEGIN FOR n IN 100..299 LOOP
		EXECUTE format('CREATE TABLE part_of_many_%s (site_id bigint)', n); END LOOP; END$$`)
	if err != nil {
		t.Fatal(err)
	}
	r.policy = policyText + `  "part_of_*": {site: site_id}` + "\n"
	c := r.open(t, 24)
	c.seeLast("[site=1]=>")
	c.press("SELECT * FROM " + tab)
	c.see("206 possibilities; type more of the name")
	c.press("par" + tab)
	c.see("=> SELECT * FROM part_of_many_")
	c.press("29" + tab)
	c.see("part_of_many_290")
	c.see("part_of_many_299")
	c.press(ctrlC)
	c.seeLast("[site=1]=>")
	c.press("\\i rep" + tab + enter)
	c.see("\n from the file\n")
}

// TestTerminatedInPipe ends the shell while it waits for a line of a pipe.
func TestTerminatedInPipe(t *testing.T) {
	r := newRun(t, "site=1")
	command := r.command()
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(stdin, "\\echo ready\n"); err != nil {
		t.Fatal(err)
	}
	ready := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(stdout, ready); err != nil {
		t.Fatal(err)
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	if status := command.ProcessState.ExitCode(); status != 1 {
		t.Errorf("the exit status is %d", status)
	}
}

// TestTypedAhead types while a statement runs, at the bottom of a small screen.
func TestTypedAhead(t *testing.T) {
	r := newRun(t, "site=1")
	c := r.open(t, 10)
	c.seeLast("[site=1]=>")
	c.press("SELECT pg_sleep(0.5);" + enter + "SELECT 'first' AS a;" + enter + "SELECT 'sec" + "ond' AS b;" + enter + "\\echo third" + enter)
	c.seeLast("[site=1]=>")
	c.see(" second\n(1 row)\n\n")
	c.see("=> \\echo third\nthird\n")
}

func TestLostConnection(t *testing.T) {
	r := newRun(t, "site=1")
	c := r.open(t, 40)
	c.seeLast("[site=1]=>")
	kill := func() {
		r.waitFor(t, "SELECT bool_and(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE application_name = 'scoped shell' AND datname = current_database()")
	}
	c.enter("BEGIN;")
	c.seeLast("[site=1]=*>")
	c.enter("UPDATE post SET votes = 1000;")
	c.see("UPDATE 5")
	kill()
	c.enter("SELECT 1;")
	c.see("The connection to the server is lost.")
	c.see("The transaction is lost with it: nothing of it was written.")
	c.see("Connected again, in the scope site=1, outside a transaction.")
	c.seeLast("[site=1]=>")
	c.enter("SELECT max(votes) AS most FROM post;")
	c.see("    7\n")
	c.enter("BEGIN;")
	c.seeLast("[site=1]=*>")
	kill()
	c.enter("COMMIT;")
	c.see("Whether the transaction was committed is not known.")
	c.seeLast("[site=1]=>")
}

func TestHangUp(t *testing.T) {
	r := newRun(t, "site=1")
	c := r.open(t, 40)
	c.seeLast("[site=1]=>")
	c.enter("SELECT pg_sleep(600);")
	const sleeping = "SELECT count(*) = %d FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
	r.waitFor(t, fmt.Sprintf(sleeping, 1))
	c.hangUp()
	c.seeEnd()
	r.waitFor(t, fmt.Sprintf(sleeping, 0))

	c = r.open(t, 40)
	c.seeLast("[site=1]=>")
	c.hangUp() // at the prompt
	c.seeEnd()
}

func TestPagerAndEditor(t *testing.T) {
	r := newRun(t, "site=1")
	editor := filepath.Join(t.TempDir(), "edit")
	if err := os.WriteFile(editor, []byte("#!/bin/sh\nsed -i 's/one/edited/' \"$1\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := r.open(t, 12, "PAGER=head -2 | sed 's/^/paged:/'", "EDITOR="+editor)
	c.seeLast("[site=1]=>")
	c.enter("SELECT n AS long FROM generate_series(1, 30) AS n;")
	c.see("paged: long")
	c.enter("SELECT 'one' AS it;")
	c.see("\n one\n")
	c.enter("\\e")
	c.see("\n edited\n")
	c.enter("\\pset pager off")
	c.enter("SELECT n AS all FROM generate_series(1, 30) AS n;")
	c.see("(30 rows)")
}
