package scoped_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped"
)

var execModes = []pgx.QueryExecMode{
	pgx.QueryExecModeCacheStatement,
	pgx.QueryExecModeCacheDescribe,
	pgx.QueryExecModeDescribeExec,
	pgx.QueryExecModeExec,
	pgx.QueryExecModeSimpleProtocol,
}

// eachMode runs the test in every exec mode, set for the connection and passed
// with each statement. The arguments are what the test passes in front of its own.
func eachMode(t *testing.T, test func(t *testing.T, b *blog, args func(...any) []any)) {
	for _, mode := range execModes {
		name := strings.ReplaceAll(mode.String(), " ", "_")
		t.Run(name+"/connection", func(t *testing.T) {
			b := newBlog(t, "default_query_exec_mode="+name)
			b.SetMaxOpenConns(1)
			test(t, b, func(args ...any) []any { return args })
		})
		t.Run(name+"/argument", func(t *testing.T) {
			b := newBlog(t)
			b.SetMaxOpenConns(1)
			test(t, b, func(args ...any) []any { return append([]any{mode}, args...) })
		})
	}
}

func TestScenario40SameStatementOtherScope(t *testing.T) {
	eachMode(t, func(t *testing.T, b *blog, args func(...any) []any) {
		ctx := t.Context()
		for range 3 {
			for site := int64(1); site <= 2; site++ {
				ctx := scoped.With(ctx, "site", site)
				wantIDs(ctx, t, b, []int64{site}, allPosts, args()...)
				wantIDs(ctx, t, b, []int64{site}, "SELECT id FROM comment WHERE id < $1", args(10)...)
				wantExec(ctx, t, b, 1, "UPDATE post SET title = $1 WHERE id IN (1, 2)", args("x")...)
			}
			wantIDs(scoped.With(ctx, "site", scoped.AnyOf(1, 2)), t, b, []int64{1, 2}, allPosts, args()...)
			wantIDs(scoped.With(ctx, "site", scoped.AnyOf(2, 3)), t, b, []int64{2}, allPosts, args()...)
			wantIDs(scoped.With(ctx, "site", -1), t, b, nil, allPosts, args()...)
		}
		wantScopeRequired(ctx, t, b, "site", "public.post", allPosts, args()...)
	})
}

// Every type of a dimension, one value and several, filled in and compared.
func TestScenario40EveryType(t *testing.T) {
	eachMode(t, func(t *testing.T, b *blog, args func(...any) []any) {
		ctx := t.Context()
		const paths = "SELECT rank FROM page ORDER BY 1"
		wantIDs(scoped.With(ctx, "realm", "acme"), t, b, []int64{1}, paths, args()...)
		wantIDs(scoped.With(ctx, "realm", `o'hara "&" \sons`), t, b, []int64{2}, paths, args()...)
		wantIDs(scoped.With(ctx, "realm", scoped.AnyOf("acme", `o'hara "&" \sons`, `"`, "{,}")), t, b, []int64{1, 2}, paths, args()...)
		wantExec(scoped.With(ctx, "realm", "new"), t, b, 1, "INSERT INTO page (path) VALUES ($1)", args("/n")...)

		const labels = "SELECT length(label) FROM device ORDER BY label"
		a, other := "00000000-0000-0000-0000-00000000000A", [16]byte{15: 0xb}
		wantIDs(scoped.With(ctx, "owner", a), t, b, []int64{5}, labels, args()...)
		wantIDs(scoped.With(ctx, "owner", other), t, b, []int64{5}, labels, args()...)
		wantIDs(scoped.With(ctx, "owner", scoped.AnyOf(a, other)), t, b, []int64{5, 5}, labels, args()...)
		wantExec(scoped.With(ctx, "owner", a), t, b, 1, "INSERT INTO device (id, label) VALUES ($1, 'x')",
			args("00000000-0000-0000-0000-0000000000d3")...)
		b.truth([]int64{2}, "SELECT count(*) FROM device WHERE owner = $1::text::uuid", strings.ToLower(a))
	})
}

func TestScenario48NamedArguments(t *testing.T) {
	eachMode(t, func(t *testing.T, b *blog, args func(...any) []any) {
		ctx := scoped.With(t.Context(), "site", scoped.AnyOf(1, 2))
		wantIDs(ctx, t, b, []int64{2}, "SELECT id FROM post WHERE id = @id", args(pgx.NamedArgs{"id": 2})...)
		wantIDs(ctx, t, b, []int64{2}, "SELECT id FROM post WHERE id = @id AND @id > 0", args(pgx.StrictNamedArgs{"id": 2})...)
		wantExec(ctx, t, b, 1, "UPDATE post SET title = @title WHERE id = @id", args(pgx.NamedArgs{"id": 1, "title": "new"})...)
		b.truth([]int64{1}, "SELECT id FROM post WHERE title = 'new'")

		one := scoped.With(t.Context(), "site", 1)
		wantExec(one, t, b, 0, "UPDATE post SET title = @title WHERE id = @id", args(pgx.NamedArgs{"id": 2, "title": "x"})...)
		wantIDs(one, t, b, []int64{1}, "ignored", args(rewriter{"SELECT id FROM post WHERE id <> $1", []any{7}})...)
	})
}

// rewriter is a pgx.QueryRewriter that returns what it is told.
type rewriter struct {
	sql  string
	args []any
}

func (r rewriter) RewriteQuery(_ context.Context, conn *pgx.Conn, _ string, args []any) (string, []any, error) {
	if conn == nil {
		return "", nil, errors.New("no connection")
	}
	return r.sql, append(r.args, args...), nil
}

// A rewriter's result is what is parsed, so it can neither reach another scope
// nor smuggle in a rewriter of what is sent.
func TestScenario48RewriterIsGuarded(t *testing.T) {
	b := newBlog(t)
	ctx := scoped.With(t.Context(), "site", 1)
	wantIDs(ctx, t, b, []int64{1}, "SELECT 1", rewriter{sql: allPosts})
	_, err := ids(ctx, b, "SELECT 1", rewriter{sql: "SELECT id FROM secret"})
	wantError(t, err, scoped.CodeTable)
	unguarded := rewriter{sql: "SELECT id FROM post WHERE site_id <> $1", args: []any{1}}
	for _, options := range [][]any{
		{rewriter{"SELECT id FROM post WHERE id = $1", []any{unguarded}}},
		{rewriter{"SELECT id FROM post WHERE id = $1", []any{pgx.QueryExecModeExec, unguarded}}},
	} {
		_, err = ids(ctx, b, "SELECT 1", options...)
		wantError(t, err, scoped.CodeArguments)
	}
	// The last of several wins, as in pgx.
	wantIDs(ctx, t, b, []int64{1}, "SELECT 1", unguarded, pgx.QueryExecModeExec, rewriter{sql: allPosts})
	failing := func() error { _, err := ids(ctx, b, "SELECT @x", pgx.StrictNamedArgs{}); return err }
	if err := failing(); err == nil || !strings.Contains(err.Error(), "rewrite query failed") {
		t.Errorf("got %v, want pgx's error", err)
	}
}

// Formats asked for by column do not count the check column.
func TestResultFormats(t *testing.T) {
	b := newBlog(t)
	ctx := scoped.With(t.Context(), "site", 1)
	formats := pgx.QueryResultFormats{pgx.TextFormatCode, pgx.BinaryFormatCode}
	var title string
	var id int64
	const insert = "INSERT INTO post (title, site_id) VALUES ($1, 1) RETURNING title, id"
	for _, options := range [][]any{
		{formats, "x"},
		// database/sql's own formats are by type and come first; without them
		// pgx looks at those by column.
		{pgx.QueryResultFormatsByOID(nil), formats, "x"},
	} {
		if err := b.QueryRowContext(ctx, insert, options...).Scan(&title, &id); err != nil || title != "x" || id == 0 {
			t.Errorf("got %q, %d, %v", title, id, err)
		}
	}
	if len(formats) != 2 {
		t.Error("the caller's formats were changed")
	}
	wantIDs(ctx, t, b, []int64{1}, "SELECT id FROM post WHERE id = $1", pgx.QueryResultFormatsByOID{20: 0}, 1)
}

// The server counts in the text that pgx makes under the simple protocol.
func TestPositionInEachMode(t *testing.T) {
	b := newBlog(t)
	ctx := scoped.With(t.Context(), "site", 1)
	const query = "SELECT id FROM post WHERE title = $1 AND nosuch"
	for _, mode := range execModes {
		_, err := ids(ctx, b, query, mode, "a title")
		want := int32(strings.Index(query, "nosuch") + 1)
		if mode == pgx.QueryExecModeSimpleProtocol {
			want = 0
		}
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || pgErr.Position != want {
			t.Errorf("%v: got %v at %d, want a place at %d", mode, err, pgErr.Position, want)
		}
	}
}

// pgx reads these texts differently from PostgreSQL where it puts the arguments
// into them, and then what was a string would become SQL.
func TestSimpleProtocolInjection(t *testing.T) {
	b := newBlog(t)
	b.unchanged("post", "site")
	ctx := scoped.With(t.Context(), "site", scoped.AnyOf(1, 3))
	const hostile = " UNION SELECT id FROM public.post --"
	for _, query := range []string{
		// Sent as it is, this one returns the posts of site 2.
		`SELECT id FROM post WHERE title <> $1 AND title <> name'\' || ' $1 '`,
		`SELECT id AS a$x$ FROM post WHERE title <> $1 OR title <> '$x$ $1 UNION SELECT id FROM public.post --'`,
		`SELECT id AS a$1 FROM post WHERE title <> $1`,
		`SELECT id FROM post WHERE title <> $1 -- $1`,
		`SELECT id FROM post WHERE title <> $1 /* $2 */`,
		`SELECT id AS "$2" FROM post WHERE title <> $1`,
	} {
		_, err := ids(ctx, b, query, pgx.QueryExecModeSimpleProtocol, hostile)
		wantError(t, err, scoped.CodeConstruct)
		// Nothing is wrong with them where PostgreSQL itself reads the parameters.
		wantIDs(ctx, t, b, []int64{1}, query, pgx.QueryExecModeExec, hostile)
	}
	wantIDs(ctx, t, b, []int64{1}, "SELECT id FROM post WHERE title <> $1 AND title <> 'US$'", pgx.QueryExecModeSimpleProtocol, "x")
	// Arguments end no string.
	wantIDs(ctx, t, b, nil, "SELECT id FROM post WHERE title = $1", pgx.QueryExecModeSimpleProtocol, `' OR true --`)
	wantIDs(ctx, t, b, nil, "SELECT id FROM post WHERE title = $1", pgx.QueryExecModeSimpleProtocol, `\' OR true --`)
}
