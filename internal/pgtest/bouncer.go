package pgtest

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

//go:embed bouncer.sh
var bouncerScript string

// Bouncer is StartBouncer for a test, with which it ends. It fails the test where
// there is no PgBouncer; it never skips it.
func Bouncer(t testing.TB, dsn string, connections int) string {
	t.Helper()
	through, stop, err := StartBouncer(t.Context(), dsn, connections)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if log := stop(); t.Failed() {
			t.Logf("PgBouncer: %s", log)
		}
	})
	return through
}

// StartBouncer starts a PgBouncer in transaction mode in front of the database of a
// URL, and returns the URL through it. It keeps that many connections to the
// server, however many clients it has. It ends with stop, which returns its log, or
// with the process.
func StartBouncer(ctx context.Context, dsn string, connections int) (through string, stop func() (log string), err error) {
	program, err := findBouncer()
	if err != nil {
		return "", nil, err
	}
	server, err := pgx.ParseConfig(dsn)
	if err != nil {
		return "", nil, err
	}
	dir, err := temporaryFolder()
	if err != nil {
		return "", nil, err
	}
	// With auth_type any the server is asked as the user of the database's line.
	line := fmt.Sprintf("host=%s port=%d dbname=%s user=%s", server.Host, server.Port, server.Database, server.User)
	if server.Password != "" {
		line += " password=" + server.Password
	}
	config := fmt.Sprintf(`[databases]
%s = %s
[pgbouncer]
listen_port = 6432
unix_socket_dir = %s
auth_type = any
pool_mode = transaction
default_pool_size = %d
max_client_conn = 200
log_connections = 0
log_disconnections = 0
`, server.Database, line, dir, connections)
	err = os.WriteFile(filepath.Join(dir, "pgbouncer.ini"), []byte(config), 0o644)
	var credential *syscall.Credential
	if err == nil {
		credential, err = unprivileged(dir)
	}
	if err != nil {
		return "", nil, err
	}

	var log strings.Builder
	cmd := exec.Command("/bin/sh", "-c", bouncerScript, "pgtest", program, dir)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: credential}
	pipe, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return "", nil, err
	}
	stop = func() string {
		pipe.Close()
		_ = cmd.Wait() // it ends by a signal
		return log.String()
	}

	u := url.URL{
		Scheme:   "postgres",
		User:     url.User(server.User),
		Path:     "/" + server.Database,
		RawQuery: url.Values{"host": {dir}, "port": {"6432"}}.Encode(),
	}
	for deadline := time.Now().Add(timeout); ; time.Sleep(5 * time.Millisecond) {
		conn, err := pgx.Connect(ctx, u.String())
		if err == nil {
			conn.Close(ctx)
			return u.String(), stop, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return "", nil, fmt.Errorf("pgtest: PgBouncer did not answer in time: %w\n%s", err, stop())
		}
	}
}

func findBouncer() (string, error) {
	if program, err := exec.LookPath("pgbouncer"); err == nil {
		return program, nil
	}
	for _, dir := range []string{"/usr/sbin", "/opt/homebrew/bin", "/usr/local/bin"} {
		program := filepath.Join(dir, "pgbouncer")
		if info, err := os.Stat(program); err == nil && info.Mode()&0o111 != 0 {
			return program, nil
		}
	}
	return "", errors.New("pgtest: no PgBouncer was found: install it (Debian, Ubuntu: apt-get install pgbouncer; " +
		"Fedora: dnf install pgbouncer; macOS: brew install pgbouncer)")
}
