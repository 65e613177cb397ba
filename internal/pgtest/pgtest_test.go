package pgtest_test

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/pgtest"
)

const schema = `CREATE TABLE note (id int PRIMARY KEY, text text); INSERT INTO note VALUES (1, 'from the schema');`

func connect(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func count(t testing.TB, conn *pgx.Conn) (n int) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM note`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDatabasesAreIsolated(t *testing.T) {
	a, b := connect(t, pgtest.DSN(t, schema)), connect(t, pgtest.DSN(t, schema))
	if _, err := a.Exec(t.Context(), `INSERT INTO note VALUES (2, 'only in a')`); err != nil {
		t.Fatal(err)
	}
	if got := count(t, a); got != 2 {
		t.Errorf("a has %d rows, want 2", got)
	}
	if got := count(t, b); got != 1 {
		t.Errorf("b has %d rows, want 1", got)
	}
	// The template must not have changed either.
	if got := count(t, connect(t, pgtest.DSN(t, schema))); got != 1 {
		t.Errorf("a later database has %d rows, want 1", got)
	}
}

func TestSchemasRunInOrder(t *testing.T) {
	conn := connect(t, pgtest.DSN(t, schema, `INSERT INTO note VALUES (2, 'from the second')`))
	if got := count(t, conn); got != 2 {
		t.Errorf("%d rows, want 2", got)
	}
}

func TestDatabaseWithoutSchema(t *testing.T) {
	conn := connect(t, pgtest.DSN(t))
	var user, isSuperuser string
	err := conn.QueryRow(t.Context(), `SELECT current_user, current_setting('is_superuser')`).Scan(&user, &isSuperuser)
	if err != nil || isSuperuser != "on" {
		t.Errorf("user %q, is_superuser %q, error %v", user, isSuperuser, err)
	}
}

func TestConcurrentTestsShareOneTemplate(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := count(t, connect(t, pgtest.DSN(t, schema+"-- concurrent"))); got != 1 {
				t.Errorf("%d rows, want 1", got)
			}
		})
	}
	wg.Wait()
}

func TestDatabaseIsDroppedWithItsConnections(t *testing.T) {
	var dsn string
	var conn *pgx.Conn
	t.Run("inner", func(t *testing.T) {
		dsn = pgtest.DSN(t, schema)
		var err error
		if conn, err = pgx.Connect(t.Context(), dsn); err != nil {
			t.Fatal(err)
		}
	})
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("the connection outlived its database")
	}
	if _, err := pgx.Connect(t.Context(), dsn); err == nil || !strings.Contains(err.Error(), "3D000") {
		t.Errorf("connecting to the dropped database: got %v, want SQLSTATE 3D000", err)
	}
}

func TestBrokenSchemaIsAnError(t *testing.T) {
	server, err := pgtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	for range 2 {
		if _, err := server.CreateDatabase(t.Context(), `CREATE TABLE t (a nonsense)`); err == nil || !strings.Contains(err.Error(), "nonsense") {
			t.Errorf("got %v, want PostgreSQL's error", err)
		}
	}
}

// folderOf returns the temporary folder of a server that this package started.
func folderOf(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("host")
}

func postmaster(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func isGone(dir string, pid int) bool {
	_, err := os.Stat(dir)
	return errors.Is(err, fs.ErrNotExist) && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

func ownServer(t *testing.T) {
	t.Helper()
	if os.Getenv("SCOPED_TEST_DSN") != "" && os.Getenv("SCOPED_TEST_BINDIR") == "" {
		t.Skip("the server of SCOPED_TEST_DSN is not ours to end")
	}
}

func TestStop(t *testing.T) {
	ownServer(t)
	server, err := pgtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dsn, err := server.CreateDatabase(t.Context(), schema)
	if err != nil {
		t.Fatal(err)
	}
	connect(t, dsn)
	dir := folderOf(t, dsn)
	pid := postmaster(t, dir)
	server.Stop()
	server.Stop()
	if !isGone(dir, pid) {
		t.Error("the server or its folder is still there")
	}
}

// TestHelperProcess is no test: it is the process that the next one ends.
func TestRestart(t *testing.T) {
	ownServer(t)
	server, err := pgtest.Start(t.Context(), "fsync=on", "work_mem=5MB")
	if err != nil {
		t.Fatal(err)
	}
	dsn, err := server.CreateDatabase(t.Context(), schema)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		before := connect(t, dsn)
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := before.Ping(t.Context()); err == nil {
			t.Error("a connection outlived the server")
		}
		after := connect(t, dsn)
		if got := count(t, after); got != 1 {
			t.Errorf("%d rows, want 1", got)
		}
		var settings string
		if err := after.QueryRow(t.Context(), "SELECT current_setting('fsync') || current_setting('work_mem')").Scan(&settings); err != nil || settings != "on5MB" {
			t.Errorf("the settings are %s, %v", settings, err)
		}
	}
	dir := folderOf(t, dsn)
	pid := postmaster(t, dir)
	server.Stop()
	if !isGone(dir, pid) {
		t.Error("the server or its folder is still there")
	}
}

func TestHelperProcess(t *testing.T) {
	end := os.Getenv("PGTEST_END")
	if end == "" {
		t.Skip("runs only as a child of TestServerNeverOutlivesItsProcess")
	}
	dsn := pgtest.DSN(t, schema)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	// A busy backend must not delay the end of the server.
	go conn.Exec(context.Background(), `SELECT pg_sleep(600)`)
	os.Stdout.WriteString("dsn " + dsn + "\n")
	bufio.NewReader(os.Stdin).ReadString('\n')
	switch end {
	case "exit":
		os.Exit(3)
	case "panic":
		go panic("as asked")
	}
	select {}
}

func TestServerNeverOutlivesItsProcess(t *testing.T) {
	ownServer(t)
	for _, end := range []string{"exit", "panic", "interrupt", "kill"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestHelperProcess$", "-test.v")
			cmd.Env = append(os.Environ(), "PGTEST_END="+end)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Kill()
			var dsn string
			lines := bufio.NewScanner(stdout)
			for dsn == "" && lines.Scan() {
				dsn, _ = strings.CutPrefix(lines.Text(), "dsn ")
				if !strings.HasPrefix(lines.Text(), "dsn ") {
					dsn = ""
				}
			}
			if dsn == "" {
				t.Fatal("the process did not start its server")
			}
			dir := folderOf(t, dsn)
			pid := postmaster(t, dir)
			switch end {
			case "interrupt": // as the terminal does, to the whole process group
				syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
			case "kill":
				cmd.Process.Kill()
			default:
				stdin.Write([]byte("now\n"))
			}
			cmd.Wait()
			for deadline := time.Now().Add(time.Minute); !isGone(dir, pid); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the server or its folder is still there")
				}
			}
		})
	}
}

func TestExistingServer(t *testing.T) {
	ownServer(t)
	server, err := pgtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	dsn, err := server.CreateDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	t.Setenv("SCOPED_TEST_BINDIR", "")
	t.Setenv("SCOPED_TEST_DSN", dsn)
	attached, err := pgtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	databases := func() (n int) {
		if err := connect(t, dsn).QueryRow(t.Context(), `SELECT count(*) FROM pg_database`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := databases()
	created, err := attached.CreateDatabase(t.Context(), schema)
	if err != nil {
		t.Fatal(err)
	}
	if got := count(t, connect(t, created)); got != 1 {
		t.Errorf("%d rows, want 1", got)
	}
	if _, err := attached.Log(); err == nil {
		t.Error("the log of a server that is not its own was read")
	}
	attached.Stop()
	if after := databases(); after != before {
		t.Errorf("%d databases after Stop, want %d: it must leave nothing behind", after, before)
	}

	t.Setenv("SCOPED_TEST_DSN", "host=/tmp user=postgres")
	if _, err := pgtest.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "must be a URL") {
		t.Errorf("got %v, want an error that asks for a URL", err)
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		server, err := pgtest.Start(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		server.Stop()
		b.StartTimer()
	}
}

func BenchmarkDSN(b *testing.B) {
	pgtest.DSN(b, schema)
	for b.Loop() {
		pgtest.DSN(b, schema)
	}
}
