package shell

import (
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/catalog"
)

// stateFile returns the path of a file of ours that outlives the shell, and makes
// its folder. See https://specifications.freedesktop.org/basedir-spec.
func stateFile(name string) (string, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		state = filepath.Join(home, ".local", "state")
	}
	state = filepath.Join(state, "scoped")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return "", err
	}
	return filepath.Join(state, name), nil
}

// openAudit opens the audit log: JSON, a line each. Without it there is no shell.
func openAudit(path string, config *pgx.ConnConfig) (*slog.Logger, *os.File, error) {
	if path == "" {
		var err error
		if path, err = stateFile("audit.jsonl"); err != nil {
			return nil, nil, fmt.Errorf("the audit log: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("the audit log: %w", err)
	}
	logger := slog.New(scoped.LogHandler(slog.NewJSONHandler(file, &slog.HandlerOptions{ReplaceAttr: shorten}))).With(
		"os_user", osUser(), "pid", os.Getpid(),
		"host", config.Host, "database", config.Database, "user", config.User)
	return logger, file, nil
}

// shorten returns an attribute as the audit log has it: the text of the catalogue's
// query, known to everybody, is not repeated.
func shorten(_ []string, a slog.Attr) slog.Attr {
	const enough = 200
	if a.Key == "statement" && strings.HasPrefix(a.Value.String(), catalog.Query[:enough]) {
		a.Value = slog.StringValue("catalog.Query")
	}
	return a
}

// osUser returns who runs the shell.
func osUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}
