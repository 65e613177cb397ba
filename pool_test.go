package scoped_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/policy"
)

// dbtx is the interface that sqlc generates for pgx.
type dbtx interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
	Query(context.Context, string, ...any) (pgx.Rows, error)
	QueryRow(context.Context, string, ...any) pgx.Row
	CopyFrom(ctx context.Context, tableName pgx.Identifier, columnNames []string, rowSrc pgx.CopyFromSource) (int64, error)
	SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
}

var (
	_ dbtx = (*scoped.PgxPool)(nil)
	_ dbtx = (*scoped.PgxConn)(nil)
)

// A pooled is a blog whose guarded side is a pool.
type pooled struct {
	*blog
	*scoped.PgxPool
	base *pgxpool.Pool
}

// newPool opens the blog through Pool. No connection may be left acquired when
// the test ends.
func newPool(t *testing.T, configure func(*pgxpool.Config), opts ...scoped.Option) *pooled {
	t.Helper()
	b := newConnectedBlog(t)
	config, err := pgxpool.ParseConfig(b.dsn)
	if err != nil {
		t.Fatal(err)
	}
	if configure != nil {
		configure(config)
	}
	base, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := base.Stat().AcquiredConns(); n != 0 {
			t.Errorf("%d connections were not released", n)
			return // Close would wait for them
		}
		base.Close()
	})
	return &pooled{b, scoped.Pool(base, parsePolicy(t), append(opts, discard())...), base}
}

func withMode(mode pgx.QueryExecMode) func(*pgxpool.Config) {
	return func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = mode; c.MaxConns = 1 }
}

// eachPool runs the test in every exec mode.
func eachPool(t *testing.T, test func(t *testing.T, p *pooled, mode pgx.QueryExecMode)) {
	for _, mode := range execModes {
		t.Run(strings.ReplaceAll(mode.String(), " ", "_"), func(t *testing.T) { test(t, newPool(t, withMode(mode)), mode) })
	}
}

// pgxIDs returns the first column of a query.
func pgxIDs(ctx context.Context, db dbtx, query string, args ...any) ([]int64, error) {
	rows, _ := db.Query(ctx, query, args...)
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

func wantPgxIDs(ctx context.Context, t *testing.T, db dbtx, want []int64, query string, args ...any) {
	t.Helper()
	got, err := pgxIDs(ctx, db, query, args...)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: got %v, %v, want %v", query, got, err, want)
	}
}

func wantPgxExec(ctx context.Context, t *testing.T, db dbtx, want int64, query string, args ...any) {
	t.Helper()
	tag, err := db.Exec(ctx, query, args...)
	if err != nil || tag.RowsAffected() != want {
		t.Errorf("%s: %v, %v, want %d rows", query, tag, err, want)
	}
}

func TestPool(t *testing.T) {
	eachPool(t, func(t *testing.T, p *pooled, mode pgx.QueryExecMode) {
		none := t.Context()
		for _, args := range [][]any{nil, {pgx.QueryExecModeExec}} {
			for site := int64(1); site <= 2; site++ {
				ctx := scoped.With(none, "site", site)
				wantPgxIDs(ctx, t, p, []int64{site}, allPosts, args...)
				wantPgxIDs(ctx, t, p, []int64{site}, "SELECT id FROM comment WHERE id < $1", append(args, 10)...)
				wantPgxIDs(ctx, t, p, []int64{site}, "SELECT id FROM post WHERE id = @id", append(args, pgx.NamedArgs{"id": site})...)
				wantPgxExec(ctx, t, p, 1, "UPDATE post SET title = title", args...)
				wantPgxExec(ctx, t, p, 1, "UPDATE post SET title = $1 WHERE id IN (1, 2)", append(args, "x")...)
				var id int64
				if err := p.QueryRow(ctx, "SELECT id FROM post WHERE id < $1", append(args, 3)...).Scan(&id); err != nil || id != site {
					t.Errorf("got %d, %v", id, err)
				}
			}
		}
		both := scoped.With(none, "site", scoped.AnyOf(1, 2))
		wantPgxIDs(both, t, p, []int64{1, 2}, allPosts)
		wantPgxIDs(scoped.Disable(none, "test"), t, p, []int64{1, 2}, allPosts)

		p.unchanged("post", "comment")
		_, queryErr := p.Query(none, allPosts)
		_, execErr := p.Exec(none, "DELETE FROM post")
		for _, err := range []error{queryErr, execErr, p.QueryRow(none, allPosts).Scan(new(int64))} {
			wantError(t, err, scoped.CodeScopeRequired)
		}
		site1 := scoped.With(none, "site", 1)
		_, err := pgxIDs(site1, p, "SELECT id FROM secret")
		wantError(t, err, scoped.CodeTable)
		_, err = p.Exec(site1, "DELETE FROM post WHERE id = $1")
		wantError(t, err, scoped.CodeArguments)
		if err := p.QueryRow(site1, "SELECT id FROM post WHERE id = 2").Scan(new(int64)); !errors.Is(err, pgx.ErrNoRows) {
			t.Errorf("got %v, want pgx.ErrNoRows", err)
		}
		const failing = "SELECT id FROM post WHERE title = 'ä' AND nosuch"
		_, err = pgxIDs(site1, p, failing)
		place := charOf(failing, "nosuch")
		if mode == pgx.QueryExecModeSimpleProtocol {
			place = 0 // the scope's value stands in the text
		}
		wantPosition(t, err, place)
	})
}

func wantPosition(t *testing.T, err error, want int) {
	t.Helper()
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || int(pgErr.Position) != want {
		t.Errorf("got %v, want a place at %d", err, want)
	}
}

// A postRow is a row of post; it is scanned by name and as a whole.
type postRow struct {
	ID    int64
	Title string
}

func (p *postRow) ScanRow(rows pgx.Rows) error { return rows.Scan(&p.ID, &p.Title) }

// However rows are read, the check column is not among their columns.
func TestPoolRemovesTheCheck(t *testing.T) {
	eachPool(t, func(t *testing.T, p *pooled, _ pgx.QueryExecMode) {
		ctx := scoped.With(t.Context(), "site", 1)
		const insert = "INSERT INTO post (id, title, site_id) VALUES ($1, 'a', 1), ($1 + 1, 'b', 1) RETURNING id, title"
		id := int64(1000)
		query := func() pgx.Rows {
			id += 10
			rows, err := p.Query(ctx, insert, id)
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		want := func() []postRow { return []postRow{{id, "a"}, {id + 1, "b"}} }

		got, err := pgx.CollectRows(query(), pgx.RowToStructByName[postRow])
		if err != nil || !slices.Equal(got, want()) {
			t.Errorf("by name: got %v, %v", got, err)
		}
		got, err = pgx.CollectRows(query(), pgx.RowToStructByPos[postRow])
		if err != nil || !slices.Equal(got, want()) {
			t.Errorf("by position: got %v, %v", got, err)
		}
		maps, err := pgx.CollectRows(query(), pgx.RowToMap)
		if err != nil || len(maps) != 2 || len(maps[1]) != 2 || maps[1]["title"] != "b" {
			t.Errorf("as maps: got %v, %v", maps, err)
		}
		got, err = pgx.CollectRows(query(), func(row pgx.CollectableRow) (r postRow, err error) {
			return r, row.Scan(&r)
		})
		if err != nil || !slices.Equal(got, want()) {
			t.Errorf("as a whole: got %v, %v", got, err)
		}
		var one postRow
		if err := p.QueryRow(ctx, insert, id+10).Scan(&one.ID, &one.Title); err != nil || one != (postRow{id + 10, "a"}) {
			t.Errorf("QueryRow: got %v, %v", one, err)
		}
		id += 10

		rows := query()
		for n := 1; rows.Next(); n++ {
			values, err := rows.Values()
			if err != nil || len(values) != 2 || len(rows.RawValues()) != 2 || len(rows.FieldDescriptions()) != 2 {
				t.Errorf("row %d: got %v, %v", n, values, err)
			}
			if rows.Conn() != nil {
				t.Error("the rows hand out the connection")
			}
			if err := rows.Scan(nil, &one.Title); err != nil || one.Title != "ab"[n-1:n] {
				t.Errorf("row %d: got %v, %v", n, one, err)
			}
		}
		if rows.Err() != nil || rows.CommandTag().String() != "INSERT 0 2" {
			t.Errorf("got %v, %v", rows.CommandTag(), rows.Err())
		}
		rows = query()
		rows.Next()
		if err := rows.Scan(&one.ID); err == nil || rows.Next() || rows.Err() == nil {
			t.Error("one of two columns was scanned")
		}

		// What returns nothing without the check returns nothing with it.
		rows, err = p.Query(ctx, "INSERT INTO post (id, site_id) VALUES (900, 1), (901, 1)")
		if err != nil || len(rows.FieldDescriptions()) != 0 || rows.Next() || rows.Err() != nil || rows.CommandTag().RowsAffected() != 2 {
			t.Errorf("got %v, %v, %v", rows.CommandTag(), rows.Err(), err)
		}
		err = p.QueryRow(ctx, "INSERT INTO post (id, site_id) VALUES (902, 1)").Scan()
		if !errors.Is(err, pgx.ErrNoRows) {
			t.Errorf("got %v", err)
		}
		p.truth([]int64{3}, "SELECT count(*) FROM post WHERE id BETWEEN 900 AND 902")
	})
}

func TestPoolViolations(t *testing.T) {
	eachPool(t, func(t *testing.T, p *pooled, _ pgx.QueryExecMode) {
		ctx := scoped.With(t.Context(), "site", 1)
		p.unchanged("post", "comment")
		_, execErr := p.Exec(ctx, "UPDATE post SET site_id = 2")
		_, queryErr := pgxIDs(ctx, p, "UPDATE post SET site_id = $1 RETURNING id", 2)
		rows, _ := p.Query(ctx, "INSERT INTO comment (post_id) VALUES (1), (2)")
		rows.Close()
		for _, err := range []error{
			execErr, queryErr, rows.Err(), rows.Err(),
			p.QueryRow(ctx, "INSERT INTO comment (post_id) VALUES (2) RETURNING id").Scan(new(int64)),
			p.QueryRow(ctx, "INSERT INTO comment (post_id) VALUES (2)").Scan(),
		} {
			if !errors.Is(err, scoped.ErrViolation) {
				t.Errorf("got %v, want ErrViolation", err)
			}
		}
	})
}

func TestPoolArguments(t *testing.T) {
	p := newPool(t, nil)
	ctx := scoped.With(t.Context(), "site", 1)
	const insert = "INSERT INTO post (title, site_id) VALUES ($1, 1) RETURNING title, id"
	formats := pgx.QueryResultFormats{pgx.TextFormatCode, pgx.BinaryFormatCode}
	rows, err := p.Query(ctx, insert, formats, "x")
	if err != nil {
		t.Fatal(err)
	}
	if fields := rows.FieldDescriptions(); len(fields) != 2 || fields[0].Format != 0 || fields[1].Format != 1 || len(formats) != 2 {
		t.Errorf("got %v", fields)
	}
	rows.Close()
	rows, _ = p.Query(ctx, allPosts, pgx.QueryResultFormatsByOID{pgtype.Int8OID: pgx.TextFormatCode})
	if fields := rows.FieldDescriptions(); fields[0].Format != pgx.TextFormatCode {
		t.Errorf("got %v", fields)
	}
	rows.Close()

	// A rewriter has the connection, and what it returns is what is looked at.
	wantPgxIDs(ctx, t, p, []int64{1}, "ignored", rewriter{"SELECT id FROM post WHERE id < $1", []any{7}})
	_, err = pgxIDs(ctx, p, "SELECT 1", rewriter{sql: "SELECT id FROM secret"})
	wantError(t, err, scoped.CodeTable)
	_, err = pgxIDs(ctx, p, "SELECT 1", rewriter{"SELECT id FROM post WHERE id = $1", []any{rewriter{sql: allPosts}}})
	wantError(t, err, scoped.CodeArguments)
	// As in pgx, formats are no option of Exec.
	_, err = p.Exec(ctx, "UPDATE post SET title = $1", pgx.QueryResultFormats{0}, "x")
	wantError(t, err, scoped.CodeArguments)

	_, err = pgxIDs(ctx, p, `SELECT id FROM post WHERE title <> $1 -- $1`, pgx.QueryExecModeSimpleProtocol, "x")
	wantError(t, err, scoped.CodeConstruct)
	args := []any{"x", 5}[:1]
	if _, err := pgxIDs(ctx, p, "SELECT id FROM post WHERE title = $1", args...); err != nil || args[:2][1] != 5 {
		t.Errorf("the caller's arguments are %v, %v", args[:2], err)
	}
	if err := p.QueryRow(ctx, "SELECT title FROM post").Scan(new(pgtype.DriverBytes)); err == nil {
		t.Error("bytes of a closed row were scanned")
	}
}

// Several statements return rows only in the simple protocol.
func TestPoolSeveralStatements(t *testing.T) {
	eachPool(t, func(t *testing.T, p *pooled, mode pgx.QueryExecMode) {
		ctx := scoped.With(t.Context(), "site", 1)
		wantPgxExec(ctx, t, p, 1, "INSERT INTO post (id) VALUES (10); UPDATE post SET title = 'x' WHERE id IN (2, 10)")
		_, err := p.Exec(ctx, "DELETE FROM post; SELECT * FROM secret")
		wantError(t, err, scoped.CodeTable)
		const query = "SELECT id FROM post WHERE id = 10; DELETE FROM post WHERE id = 10"
		if mode == pgx.QueryExecModeSimpleProtocol {
			wantPgxIDs(ctx, t, p, []int64{10}, query)
			p.truth([]int64{1, 2}, allPosts)
			return
		}
		_, err = pgxIDs(ctx, p, query)
		wantError(t, err, scoped.CodeStatement)
	})
}

func TestPoolNeedsBoth(t *testing.T) {
	p := newPool(t, nil)
	for _, p := range []*scoped.PgxPool{scoped.Pool(nil, parsePolicy(t)), scoped.Pool(p.base, nil)} {
		_, err := p.Exec(t.Context(), "SELECT 1")
		wantError(t, err, scoped.CodeConfig)
		_, err = p.Acquire(t.Context())
		wantError(t, err, scoped.CodeConfig)
	}
}

func policyOf(t *testing.T, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPoolSetPolicy(t *testing.T) {
	p := newPool(t, nil)
	ctx := scoped.With(t.Context(), "site", 1)
	wantPgxIDs(ctx, t, p, []int64{1}, allPosts)
	if err := p.SetPolicy(policyOf(t, "version: 1\ndimensions: {site: {type: bigint}}\ntables: {post: denied}\n")); err != nil {
		t.Fatal(err)
	}
	_, err := pgxIDs(ctx, p, allPosts)
	wantError(t, err, scoped.CodeTable)
}

// A connection whose settings cannot be trusted runs nothing under a scope, and
// is not used again.
func TestPoolChecksTheSession(t *testing.T) {
	p := newPool(t, withMode(pgx.QueryExecModeCacheStatement))
	disabled, site1 := scoped.Disable(t.Context(), "test"), scoped.With(t.Context(), "site", 1)
	c, err := p.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantPgxExec(disabled, t, c, 0, "SET standard_conforming_strings = off")
	_, err = pgxIDs(site1, c, allPosts)
	wantError(t, err, scoped.CodeSession)
	_, err = c.Begin(site1)
	wantError(t, err, scoped.CodeSession)
	c.Release()
	c.Release()
	wantPgxIDs(site1, t, p, []int64{1}, allPosts)
}

func TestPoolCatalogue(t *testing.T) {
	p := newPool(t, nil, scoped.WithServerCatalog())
	ctx := scoped.With(t.Context(), "site", 1)
	const insert = "INSERT INTO post VALUES (77)" // filled only with a catalogue
	wantPgxExec(ctx, t, p, 1, insert)
	p.truth([]int64{1}, "SELECT site_id FROM post WHERE id = 77")
}

// Nothing hands out a connection of pgx unless scopes are disabled, with a reason.
func TestPoolRawConn(t *testing.T) {
	p := newPool(t, nil)
	site1 := scoped.With(t.Context(), "site", 1)
	query := func(conn *pgx.Conn) error {
		var posts int
		err := conn.QueryRow(t.Context(), "SELECT count(*) FROM post").Scan(&posts)
		if posts != 2 {
			t.Errorf("%d posts, %v", posts, err)
		}
		return err
	}
	if err := p.RawConn(scoped.Disable(site1, "test"), query); err != nil {
		t.Error(err)
	}
	for ctx, code := range map[context.Context]scoped.Code{
		t.Context(): scoped.CodeStatement, site1: scoped.CodeStatement, scoped.Disable(site1, " "): scoped.CodeScope,
	} {
		err := p.RawConn(ctx, func(*pgx.Conn) error { t.Error("the connection was handed out"); return nil })
		wantError(t, err, code)
	}
	err := p.AcquireFunc(t.Context(), func(c *scoped.PgxConn) error {
		wantPgxIDs(site1, t, c, []int64{1}, allPosts)
		return c.Ping(t.Context())
	})
	if err != nil {
		t.Error(err)
	}
	if err := p.Ping(t.Context()); err != nil || p.Stat().MaxConns() == 0 {
		t.Error(err)
	}
}

// pgx's tracers are called as before.
func TestPoolTracer(t *testing.T) {
	traced := new(tracer)
	p := newPool(t, func(c *pgxpool.Config) { c.ConnConfig.Tracer = traced })
	ctx := scoped.With(t.Context(), "site", 1)
	wantPgxIDs(ctx, t, p, []int64{1}, allPosts)
	wantPgxExec(ctx, t, p, 1, "UPDATE post SET title = $1", "x")
	if fmt.Sprint(traced.tags) != "[SELECT 1 UPDATE 1]" || !strings.Contains(traced.texts[0], "site_id = $1") {
		t.Errorf("traced %v %v", traced.texts, traced.tags)
	}
}

type tracer struct {
	texts []string
	tags  []pgconn.CommandTag
}

func (tr *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	tr.texts = append(tr.texts, data.SQL)
	return ctx
}

func (tr *tracer) TraceQueryEnd(_ context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	tr.tags = append(tr.tags, data.CommandTag)
}

// The methods have pgx's signatures, and none that is left out hands out what is
// not guarded without anybody noticing.
func TestPoolMethodsAreThoseOfPgx(t *testing.T) {
	for _, c := range []struct {
		ours, pgx       reflect.Type
		differ, leftOut []string
	}{
		{
			reflect.TypeFor[*scoped.PgxPool](), reflect.TypeFor[*pgxpool.Pool](),
			[]string{"Acquire", "AcquireFunc"}, []string{"AcquireAllIdle", "Config", "Reset"},
		},
		{reflect.TypeFor[*scoped.PgxConn](), reflect.TypeFor[*pgxpool.Conn](), nil, []string{"Conn", "Hijack"}},
	} {
		for method := range c.pgx.Methods() {
			ours, ok := c.ours.MethodByName(method.Name)
			switch {
			case ok == slices.Contains(c.leftOut, method.Name):
				t.Errorf("%v has the method %s: %v", c.ours, method.Name, ok)
			case !ok:
			case signature(ours) != signature(method) && !slices.Contains(c.differ, method.Name):
				t.Errorf("%v.%s is %s, and pgx's is %s", c.ours, method.Name, signature(ours), signature(method))
			}
		}
		for method := range c.ours.Methods() {
			for out := range method.Type.Outs() {
				switch out {
				case reflect.TypeFor[*pgx.Conn](), reflect.TypeFor[*pgconn.PgConn](), reflect.TypeFor[*pgxpool.Conn](), reflect.TypeFor[*pgxpool.Pool]():
					t.Errorf("%v.%s returns a %v", c.ours, method.Name, out)
				}
			}
		}
	}
}

// signature returns the type of a method without its receiver.
func signature(m reflect.Method) string {
	_, rest, _ := strings.Cut(m.Type.String(), m.Type.In(0).String())
	return strings.TrimPrefix(rest, ", ")
}
