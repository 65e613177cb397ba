package migrate

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/schemas"
)

// Command is a migration by a command of the shell. It runs on connections of its
// own, so it may have been run, and not be recorded, where scoped was killed.
type Command struct {
	Name string
	Line string
}

var _ Source = (*Command)(nil)

// Migrations returns the command's name.
func (c *Command) Migrations() []schemas.Migration { return []schemas.Migration{{Name: c.Name}} }

// Run runs the command, with the schema and the database in its environment.
func (c *Command) Run(ctx context.Context, conn *pgx.Conn, s Schema, _ []schemas.Migration) error {
	if err := beIdle(ctx, conn); err != nil {
		return err
	}
	var output bytes.Buffer
	cmd := exec.Command("/bin/sh", "-c", c.Line)
	cmd.Env = append(os.Environ(), environment(conn.Config(), s)...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		if said := tail(output.String()); said != "" {
			err = fmt.Errorf("%w: %s", err, said)
		}
		return &Error{File: c.Name, Err: err}
	}
	return nil
}

// environment has libpq and what is built on it connect to the same database, with
// the schema first in the search path.
func environment(config *pgx.ConnConfig, s Schema) []string {
	escaped := strings.NewReplacer(`\`, `\\`, ` `, `\ `).Replace(s.SearchPath)
	env := []string{
		"SCOPED_SCHEMA=" + s.Name,
		"SCOPED_VALUE=" + s.Value,
		"PGOPTIONS=" + strings.TrimSpace(config.RuntimeParams["options"]+" -c search_path="+escaped),
		"PGHOST=" + config.Host,
		"PGPORT=" + strconv.Itoa(int(config.Port)),
		"PGDATABASE=" + config.Database,
		"PGUSER=" + config.User,
	}
	if config.Password != "" {
		env = append(env, "PGPASSWORD="+config.Password)
	}
	if mode := sslMode(config); mode != "" {
		env = append(env, "PGSSLMODE="+mode)
	}
	return env
}

// sslMode returns what libpq must be told, so that it does not connect with less than
// --dsn demands, or nothing where that demands no TLS. The certificates that it
// names are not known here; libpq has variables for them.
func sslMode(config *pgx.ConnConfig) string {
	for _, f := range config.Fallbacks {
		if f.TLSConfig == nil {
			return ""
		}
	}
	switch tls := config.TLSConfig; {
	case tls == nil:
		return ""
	case !tls.InsecureSkipVerify:
		return "verify-full"
	case tls.VerifyPeerCertificate != nil:
		return "verify-ca"
	}
	return "require"
}

// tail returns the last lines of what a command said.
func tail(output string) string {
	const most = 2000
	output = strings.TrimSpace(output)
	if len(output) > most {
		output = "…" + strings.ToValidUTF8(output[len(output)-most:], "")
	}
	return output
}
