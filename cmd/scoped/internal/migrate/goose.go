package migrate

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"

	"github.com/scoped-pgx/scoped/schemas"
)

// Goose are the migrations of a folder in the form of github.com/pressly/goose.
// What ran is in scoped's record, and not in goose's table, which a schema made
// from the template would have empty.
type Goose struct {
	Files
	folder   string
	versions map[string]int64 // by the migration's name
}

var _ Source = (*Goose)(nil)

var noTransaction = regexp.MustCompile(`(?im)^\s*--\s*\+goose\s+NO\s+TRANSACTION`)

// ReadGoose reads a folder. It refuses what ReadFiles does, and migrations that are to
// run outside of transactions.
func ReadGoose(folder, template string) (*Goose, error) {
	g := &Goose{folder: folder, versions: map[string]int64{}}
	provider, err := g.provider(nil)
	if err != nil {
		return nil, err
	}
	defer provider.Close()
	files, err := ReadFiles(folder, template)
	if files == nil {
		return nil, err
	}
	g.texts = files.texts
	for _, source := range provider.ListSources() {
		name := filepath.Base(source.Path)
		g.versions[name] = source.Version
		for _, m := range files.migrations {
			if m.Name == name {
				g.migrations = append(g.migrations, m)
			}
		}
		if at := noTransaction.FindStringIndex(g.texts[name]); at != nil {
			e := &Error{File: name, Err: errors.New("what runs outside of transactions is no migration of scoped; use --exec")}
			e.Line, e.Column = lineColumn(g.texts[name], at[0])
			err = errors.Join(err, e)
		}
	}
	return g, err
}

func (g *Goose) provider(conn *gooseConn) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectPostgres, sql.OpenDB(conn), os.DirFS(g.folder),
		goose.WithDisableVersioning(true), goose.WithDisableGlobalRegistry(true))
}

// Run has goose run each migration.
func (g *Goose) Run(ctx context.Context, conn *pgx.Conn, _ Schema, pending []schemas.Migration) error {
	c := &gooseConn{conn: conn}
	provider, err := g.provider(c)
	if err != nil {
		return err
	}
	defer provider.Close()
	for _, m := range pending {
		_, err := provider.ApplyVersion(ctx, g.versions[m.Name], true)
		if c.err != nil {
			return c.locate(m.Name, g.texts[m.Name])
		} else if err != nil {
			return &Error{File: m.Name, Err: err}
		}
	}
	return nil
}

// A gooseConn is the connection of a transaction that is not goose's to end.
type gooseConn struct {
	conn   *pgx.Conn
	failed string // the statement
	err    error
}

var (
	_ driver.Connector     = (*gooseConn)(nil)
	_ driver.Conn          = (*gooseConn)(nil)
	_ driver.ConnBeginTx   = (*gooseConn)(nil)
	_ driver.ExecerContext = (*gooseConn)(nil)
	_ driver.Tx            = (*gooseConn)(nil)
)

func (c *gooseConn) Connect(context.Context) (driver.Conn, error) { return c, nil }
func (c *gooseConn) Driver() driver.Driver                        { return nil }
func (c *gooseConn) Prepare(string) (driver.Stmt, error)          { return nil, errors.ErrUnsupported }
func (c *gooseConn) Close() error                                 { return nil }
func (c *gooseConn) Begin() (driver.Tx, error)                    { return c, nil }
func (c *gooseConn) Commit() error                                { return nil }
func (c *gooseConn) Rollback() error                              { return nil }

func (c *gooseConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) { return c, nil }

func (c *gooseConn) ExecContext(ctx context.Context, query string, _ []driver.NamedValue) (driver.Result, error) {
	if _, err := send(ctx, c.conn, query); err != nil {
		c.failed, c.err = query, err
		return nil, err
	}
	return driver.ResultNoRows, nil
}

// locate returns the error of the statement that failed, with its place where goose
// left the text as it is in the file.
func (c *gooseConn) locate(file, text string) error {
	at := strings.Index(text, c.failed)
	if at < 0 {
		return &Error{File: file, Err: c.err}
	}
	e := locate(file, c.failed, 0, c.err)
	line, column := lineColumn(text, at)
	if e.Line == 1 {
		e.Column += column - 1
	}
	e.Line += line - 1
	return e
}
