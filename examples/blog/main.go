// Command blog shows what scoped does to an ordinary database/sql program: a
// blog platform of 200 sites in one PostgreSQL database. For each scene it
// prints the program's SQL, what was sent in its place and the outcome, and at
// the end whether every outcome equals that of an independent query by the
// superuser, with hand-written filters, in a second copy of the database. It
// exits with status 1 where one differs.
//
// With -policy FILE another policy takes the place of policy.yaml, such as the one
// that scoped init proposes for schema.sql.
package main

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

//go:embed schema.sql
var schema string

//go:embed data.sql
var data string

//go:embed policy.yaml
var policyText []byte

func main() {
	policyFile := flag.String("policy", "", "another policy than the demo's own")
	flag.Parse()
	text, err := policyText, error(nil)
	if *policyFile != "" {
		text, err = os.ReadFile(*policyFile)
	}
	equal := false
	if err == nil {
		equal, err = run(context.Background(), os.Stdout, colourful(os.Stdout), text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "blog:", err)
	}
	if err != nil || !equal {
		os.Exit(1)
	}
}

// run plays every scene on a PostgreSQL of its own, under a policy, and reports
// whether all outcomes were as they must be.
func run(ctx context.Context, w io.Writer, colour bool, policyText []byte) (equal bool, err error) {
	server, err := pgtest.Start(ctx)
	if err != nil {
		return false, err
	}
	defer server.Stop()

	p := &printer{w: w, colour: colour}
	start := time.Now()
	d, err := newDemo(ctx, server, policyText)
	if err != nil {
		return false, err
	}
	defer d.close()
	p.opening(time.Since(start))

	var results []result
	for i, s := range scenes {
		r, err := d.play(ctx, s)
		if err != nil {
			return false, fmt.Errorf("scene %d: %w", i+1, err)
		}
		p.scene(i+1, r)
		results = append(results, r)
	}
	return p.summary(results), nil
}

// A demo is the blog's database, the program's handle on it, and the means to
// check both.
type demo struct {
	db     *sql.DB        // the program's
	policy *policy.Policy // for showing what is sent

	admin     *pgx.Conn // the superuser's, in the program's database
	reference *pgx.Conn // the superuser's, in a copy of it

	policyFolder string
}

func newDemo(ctx context.Context, server *pgtest.Server, policyText []byte) (d *demo, err error) {
	d = &demo{}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	dsn, err := server.CreateDatabase(ctx, schema, data)
	if err != nil {
		return d, err
	}
	copyOf, err := server.CreateDatabase(ctx, schema, data)
	if err != nil {
		return d, err
	}
	if d.admin, err = pgx.Connect(ctx, dsn); err != nil {
		return d, err
	}
	if d.reference, err = pgx.Connect(ctx, copyOf); err != nil {
		return d, err
	}

	if d.policyFolder, err = os.MkdirTemp("", "blog-"); err != nil {
		return d, err
	}
	policyFile := filepath.Join(d.policyFolder, "policy.yaml")
	if err := os.WriteFile(policyFile, policyText, 0o600); err != nil {
		return d, err
	}
	if d.policy, err = policy.Load(policyFile); err != nil {
		return d, err
	}
	for _, name := range []string{"site", "user"} {
		if d.policy.Dimension(name) == nil {
			return d, fmt.Errorf("the scenes need a policy with the dimension %s", name)
		}
	}

	// This is all that changes in a program: the driver's name and the policy.
	d.db, err = sql.Open("scoped-pgx", dsn+"&scope_policy="+url.QueryEscape(policyFile))
	if err != nil {
		return d, err
	}
	// With one connection the server knows which statement was the last.
	d.db.SetMaxOpenConns(1)
	return d, d.db.PingContext(ctx)
}

func (d *demo) close() {
	if d.db != nil {
		d.db.Close()
	}
	for _, conn := range []*pgx.Conn{d.admin, d.reference} {
		if conn != nil {
			conn.Close(context.Background())
		}
	}
	os.RemoveAll(d.policyFolder)
}

// A result is what came of a scene.
type result struct {
	scene
	sent     string   // nothing where it was refused
	bound    []string // the parameters behind the program's own
	outcome  outcome
	problems []string
}

// play runs a scene and checks it.
func (d *demo) play(ctx context.Context, s scene) (result, error) {
	r := result{scene: s}
	r.sent, r.bound = d.sent(s)
	before, err := d.last(ctx)
	if err != nil {
		return r, err
	}
	var after statement
	r.outcome = perform(s.scope.context(ctx), d.db, s, func() { after, err = d.last(ctx) })
	if err != nil {
		return r, err
	}
	if r.problems, err = d.differences(ctx, s, r.outcome); err != nil {
		return r, err
	}
	if problem := misprinted(r.sent, before, after); problem != "" {
		r.problems = append(r.problems, problem)
	}
	return r, nil
}

// sent returns the text that the driver sends for the scene, and the values it
// binds behind the program's own; nothing where it refuses the statement.
func (d *demo) sent(s scene) (text string, bound []string) {
	if s.scope.disabled != "" {
		return s.sql, nil
	}
	rewritten, err := rewrite.New(s.sql, d.policy, s.scope.shape(d.policy))
	if err != nil {
		return "", nil
	}
	for i, dimension := range rewritten.Args {
		bound = append(bound, fmt.Sprintf("$%d = %s", rewritten.Params+i+1, s.scope.value(dimension.Name)))
	}
	return rewritten.SQL, bound
}

// An outcome is what the program got.
type outcome struct {
	columns []string
	rows    [][]string
	exec    bool
	changed int64
	err     error
}

// perform is the program: plain database/sql, in which nothing but ctx knows of
// scopes. It calls observe before it ends its transaction, if it has one.
func perform(ctx context.Context, db *sql.DB, s scene, observe func()) outcome {
	if s.exec {
		defer observe()
		changed, err := db.ExecContext(ctx, s.sql, s.args...)
		if err != nil {
			return outcome{exec: true, err: err}
		}
		n, err := changed.RowsAffected()
		return outcome{exec: true, changed: n, err: err}
	}
	if !s.tx {
		defer observe()
		return read(db.QueryContext(ctx, s.sql, s.args...))
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return outcome{err: err}
	}
	defer tx.Rollback()
	o := read(tx.QueryContext(ctx, s.sql, s.args...))
	observe()
	if o.err == nil {
		o.err = tx.Commit()
	}
	return o
}

func read(rows *sql.Rows, err error) (o outcome) {
	if err != nil {
		return outcome{err: err}
	}
	defer rows.Close()
	if o.columns, err = rows.Columns(); err != nil {
		return outcome{err: err}
	}
	for rows.Next() {
		values := make([]any, len(o.columns))
		targets := make([]any, len(o.columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return outcome{err: err}
		}
		o.rows = append(o.rows, texts(values))
	}
	if err := rows.Err(); err != nil {
		return outcome{err: err}
	}
	return o
}

func texts(values []any) []string {
	row := make([]string, len(values))
	for i, value := range values {
		row[i] = fmt.Sprint(value)
	}
	return row
}

// String names the outcome: its error, or how many rows it read or changed.
func (o outcome) String() string {
	n, what := int64(len(o.rows)), ""
	if o.exec {
		n, what = o.changed, " changed"
	}
	switch {
	case errors.Is(o.err, scoped.ErrScopeRequired):
		return "ErrScopeRequired"
	case errors.Is(o.err, scoped.ErrViolation):
		return "ErrViolation"
	case errors.Is(o.err, scoped.ErrRefused):
		return "ErrRefused"
	case o.err != nil:
		return "another error"
	case n == 1:
		return "1 row" + what
	}
	return fmt.Sprintf("%d rows%s", n, what)
}
