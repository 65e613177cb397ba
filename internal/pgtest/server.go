package pgtest

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Server is a PostgreSQL in which databases are created. It is safe for
// concurrent use.
type Server struct {
	url     *url.URL // of the maintenance database
	version int      // the major version
	dir     string   // of a server that was launched, or empty
	stop    func()

	mu        sync.Mutex
	templates map[string]func() (string, error) // by schema
	databases map[string]struct{}               // those to drop at Stop
}

// Start starts a server, or connects to that of SCOPED_TEST_DSN. The server
// ends with Stop or with the process, whichever comes first. It is fast rather
// than durable; settings such as "fsync=on" say otherwise. Those of the running one
// of SCOPED_TEST_DSN are its own.
func Start(ctx context.Context, settings ...string) (*Server, error) {
	if dsn := os.Getenv("SCOPED_TEST_DSN"); dsn != "" && os.Getenv("SCOPED_TEST_BINDIR") == "" {
		return attach(ctx, dsn)
	}
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	return launch(ctx, bin, settings)
}

// Stop ends the server. A running one of SCOPED_TEST_DSN goes on, without the
// databases that were created in it.
func (s *Server) Stop() { s.stop() }

// Owned reports whether the server is one of its own, and not the running one of
// SCOPED_TEST_DSN.
func (s *Server) Owned() bool { return s.dir != "" }

// Restart shuts the server down, which disconnects everybody, and starts it
// again. The running one of SCOPED_TEST_DSN cannot be restarted.
func (s *Server) Restart(ctx context.Context) error {
	if !s.Owned() {
		return errors.New("pgtest: the server of SCOPED_TEST_DSN cannot be restarted")
	}
	before, err := s.pid()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.dir, "restart"), nil, 0o600); err != nil {
		return err
	}
	const fast = syscall.SIGINT // PostgreSQL's fast shutdown
	if err := syscall.Kill(before, fast); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	for {
		if pid, err := s.pid(); err == nil && pid != before && s.ping(ctx) == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("pgtest: restarting the server: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Log returns what the server has logged. That of the running one of
// SCOPED_TEST_DSN cannot be read.
func (s *Server) Log() ([]byte, error) {
	if !s.Owned() {
		return nil, errors.New("pgtest: the log of the server of SCOPED_TEST_DSN cannot be read")
	}
	return os.ReadFile(filepath.Join(s.dir, "log"))
}

func (s *Server) pid() (int, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, "pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// attach uses a running server.
func attach(ctx context.Context, dsn string) (*Server, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errors.New("pgtest: SCOPED_TEST_DSN must be a URL, such as postgres://postgres@localhost/postgres")
	}
	s := &Server{url: u, databases: map[string]struct{}{}}
	s.stop = s.dropAll
	if err := s.ping(ctx); err != nil {
		return nil, fmt.Errorf("pgtest: SCOPED_TEST_DSN: %w", err)
	}
	return s, nil
}

//go:embed server.sh
var serverScript string

// launch runs the server of the folder bin under server.sh, whose standard
// input is a pipe that nobody but this process holds.
func launch(ctx context.Context, bin string, settings []string) (*Server, error) {
	dir, err := temporaryFolder()
	if err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	credential, err := unprivileged(dir)
	if err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("pgtest: %w", err)
	}

	args := []string{"-c", serverScript, "pgtest", bin, dir}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	cmd := exec.Command("/bin/sh", args...)
	cmd.Dir = dir // the current one may be closed to the unprivileged user
	cmd.Env = environment()
	cmd.Stdout, cmd.Stderr = log, log
	// A session of its own: an interrupt at the terminal must not reach the
	// script, or it could not clean up.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: credential}
	pipe, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait()
	}()

	s := &Server{
		url: &url.URL{
			Scheme:   "postgres",
			User:     url.User("postgres"),
			Path:     "/postgres",
			RawQuery: url.Values{"host": {dir}, "port": {"5432"}}.Encode(),
		},
		dir:       dir,
		templates: map[string]func() (string, error){},
		stop: sync.OnceFunc(func() {
			pipe.Close()
			<-ended
			log.Close()
		}),
	}
	for {
		err := s.ping(ctx)
		if err == nil {
			return s, nil
		}
		select {
		case <-ended:
			// The folder is gone, the open file is not.
			text, _ := io.ReadAll(io.NewSectionReader(log, 0, 1<<20))
			log.Close()
			return nil, fmt.Errorf("pgtest: the server of %s did not start: %s", bin, strings.TrimSpace(string(text)))
		case <-ctx.Done():
			s.stop()
			return nil, fmt.Errorf("pgtest: the server of %s did not answer in time: %w", bin, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// temporaryFolder makes a folder whose path is short enough for a socket in it:
// the whole of "…/.s.PGSQL.5432" may have 103 bytes on macOS, 107 on Linux.
func temporaryFolder() (string, error) {
	parent := os.TempDir()
	if len(parent) > 60 {
		parent = "/tmp"
	}
	return os.MkdirTemp(parent, "pgtest-")
}

// unprivileged gives the folder to the user under which the server will run:
// PostgreSQL refuses to run as root. It returns nil for anyone but root.
func unprivileged(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody")
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, int(uid), int(gid))
}

// environment is the process's own without what would configure another server.
func environment() []string {
	var env []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "PG") && !strings.HasPrefix(variable, "LC_") && !strings.HasPrefix(variable, "LANG") {
			env = append(env, variable)
		}
	}
	return append(env, "LC_ALL=C")
}

// ping connects to the server and notes its version.
func (s *Server) ping(ctx context.Context) error {
	return s.with(ctx, "", func(conn *pgx.Conn) error {
		major, _, _ := strings.Cut(conn.PgConn().ParameterStatus("server_version"), ".")
		s.version, _ = strconv.Atoi(major)
		return nil
	})
}
