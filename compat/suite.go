package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/scoped-pgx/scoped/compat/shim"
	"github.com/scoped-pgx/scoped/internal/pgtest"
)

// A suite is the tests of a module.
type suite struct {
	name            string
	module, version string
	packages        []string
	flags           []string // of go test, before the packages
	arguments       func(dsn string) []string
	environment     func(dsn string) []string
	schemas         []string // in which it makes tables; public by default
	functions       []string // which it makes and calls
	catalogs        []string // of PostgreSQL's own, which it reads and no scope may without the policy's word
	drop            []string // requirements of what the changes leave out
	changes         []change
}

// A change replaces a text in a file of the module, wherever it stands.
type change struct {
	file, old, new string
	why            string
}

// prepare copies the suite out of the module cache, changes the copy, and
// returns its folder.
func (s suite) prepare(ctx context.Context, root string) (folder string, err error) {
	source, err := download(ctx, s.module+"@"+s.version)
	if err != nil {
		return "", err
	}
	folder = filepath.Join(root, ".cache", "compat", s.name)
	if err := os.RemoveAll(folder); err != nil {
		return "", err
	}
	if err := copyTree(folder, source); err != nil {
		return "", err
	}
	for _, c := range s.changes {
		if err := c.apply(folder); err != nil {
			return "", err
		}
	}
	return folder, s.requireScoped(ctx, folder, root)
}

// requireScoped has the module of the suite use scoped as it is here.
func (s suite) requireScoped(ctx context.Context, folder, root string) error {
	const scoped, compat = "github.com/scoped-pgx/scoped", "github.com/scoped-pgx/scoped/compat"
	arguments := []string{"mod", "edit",
		"-require=" + scoped + "@v0.0.0", "-replace=" + scoped + "=" + root,
		"-require=" + compat + "@v0.0.0", "-replace=" + compat + "=" + filepath.Join(root, "compat")}
	for _, module := range s.drop {
		arguments = append(arguments, "-droprequire="+module)
	}
	_, err := command(ctx, folder, nil, "go", arguments...)
	return err
}

// download returns the folder of a module in the module cache.
func download(ctx context.Context, module string) (string, error) {
	out, err := command(ctx, ".", nil, "go", "mod", "download", "-json", module)
	if err != nil {
		return "", err
	}
	var m struct{ Dir string }
	if err := json.Unmarshal(out, &m); err != nil {
		return "", err
	}
	return m.Dir, nil
}

// copyTree copies a folder of the module cache, which cannot be written to.
func copyTree(to, from string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	return filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.Chmod(path, info.Mode()|0o200)
	})
}

func (c change) apply(folder string) error {
	path := filepath.Join(folder, c.file)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Contains(text, []byte(c.old)) {
		return fmt.Errorf("%s does not contain %q", c.file, c.old)
	}
	return os.WriteFile(path, bytes.ReplaceAll(text, []byte(c.old), []byte(c.new)), 0o600)
}

// run runs the suite in a database of its own and returns which tests passed,
// and where it is guarded what the driver did.
func (s suite) run(ctx context.Context, server *pgtest.Server, folder string, m mode, guarded bool) (results, []shim.Event, error) {
	dsn, err := server.CreateDatabase(ctx, m.schema)
	if err != nil {
		return nil, nil, err
	}
	dsn += "&lock_timeout=10000" // an error instead of waiting for ever
	environment := s.environment(dsn)
	log := filepath.Join(folder, "compat.log")
	if guarded {
		policy := filepath.Join(folder, "compat.yaml")
		if err := os.WriteFile(policy, []byte(s.policy(m)), 0o600); err != nil {
			return nil, nil, err
		}
		if err := os.RemoveAll(log); err != nil {
			return nil, nil, err
		}
		environment = append(environment,
			shim.PolicyVariable+"="+policy, shim.ScopeVariable+"="+m.scope, shim.LogVariable+"="+log)
	}
	arguments := append([]string{"test", "-json", "-count=1", "-vet=off", "-timeout=15m"}, s.flags...)
	arguments = append(arguments, s.packages...)
	if s.arguments != nil {
		arguments = append(append(arguments, "-args"), s.arguments(dsn)...)
	}
	out, err := command(ctx, folder, append(environment, "GOFLAGS=-mod=mod", "GOWORK=off"), "go", arguments...)
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return nil, nil, err
	}
	arm := "pgx"
	if guarded {
		arm = "scoped"
	}
	if err := os.WriteFile(filepath.Join(folder, "compat."+m.name+"."+arm+".json"), out, 0o600); err != nil {
		return nil, nil, err
	}
	found, parseErr := parseResults(out)
	if parseErr != nil {
		return nil, nil, errors.Join(parseErr, err)
	}
	if !guarded {
		return found, nil, nil
	}
	events, err := readEvents(log)
	return found, events, err
}

// command returns what a command prints to its standard output, and the error
// with what it prints to the other.
func command(ctx context.Context, folder string, environment []string, name string, arguments ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, name, arguments...)
	c.Dir = folder
	c.Env = append(os.Environ(), environment...)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return out, fmt.Errorf("%s: %w\n%s%s", c, err, out, &stderr)
	}
	return out, nil
}
