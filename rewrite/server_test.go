package rewrite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// ownerOf says of each table of the golden schema which rows are visible to
// site 1 and user 7, in words of its own.
var ownerOf = map[string]string{
	"site":        "true",
	"country":     "true",
	"account":     "t.id = 7",
	"post":        "t.site_id = 1",
	"comment":     "EXISTS (SELECT FROM post p WHERE p.id = t.post_id AND p.site_id = 1)",
	"reaction":    "EXISTS (SELECT FROM comment c JOIN post p ON p.id = c.post_id WHERE c.id = t.comment_id AND p.site_id = 1)",
	"bookmark":    "t.user_id = 7 AND EXISTS (SELECT FROM post p WHERE p.id = t.post_id AND p.site_id = 1)",
	"message":     "7 IN (t.sender_id, t.recipient_id)",
	"attachment":  "EXISTS (SELECT FROM message m WHERE m.id = t.message_id AND 7 IN (m.sender_id, m.recipient_id))",
	"link":        "EXISTS (SELECT FROM post p WHERE p.id = t.from_post AND p.site_id = 1) OR EXISTS (SELECT FROM comment c JOIN post p ON p.id = c.post_id WHERE c.id = t.to_comment AND p.site_id = 1)",
	"notice":      "t.site_id = 1 OR EXISTS (SELECT FROM post p WHERE p.id = t.post_id AND p.site_id = 1)",
	"ticket":      "t.site_id = 1 AND 7 IN (t.author_id, t.owner_id)",
	"category":    "t.site_id = 1",
	"event":       "t.site_id = 1",
	"log_access":  "t.site_id = 1",
	`"select"`:    "t.site_id = 1",
	`"e WHERE x"`: "t.site_id = 1",
	`"Mixed"`:     `t."Site ID" = 1`,
	"place":       "t.site_id = 1",
	"template":    "t.site_id = 1 OR t.site_id IS NULL",
	"holiday":     "t.site_id = 1 OR t.site_id IS NULL",
	"remark":      "t.template_id IS NULL OR EXISTS (SELECT FROM template e WHERE e.id = t.template_id AND (e.site_id = 1 OR e.site_id IS NULL))",
	"article":     "t.site_id = 1 AND t.deleted_at IS NULL",
	"footnote":    "EXISTS (SELECT FROM article a WHERE a.id = t.article_id AND a.site_id = 1 AND a.deleted_at IS NULL)",
	"page":        "t.site_id = 1 AND t.id <> 3", // whose row may be hidden, but not found again
	"label":       "t.site_id = 1",
	"asset":       "t.site_id = 1",
	"device":      "t.site_id = 1",
	"recent_post": "t.site_id = 1",
	"vault":       "t.site_id = 1",
	"secret":      "true",
}

func script(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(goldenDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func connect(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// An outcome is what a statement did: what it returned, and what every table
// holds afterwards.
type outcome struct {
	columns  []string
	rows     []string // sorted
	tag      string
	sqlState string
	message  string
	visible  map[string][]string // the rows of the scope, by table
	others   map[string][]string // the rows of other scopes
}

// run executes a statement in a transaction that it rolls back.
func run(t *testing.T, conn *pgx.Conn, sql string, args ...any) outcome {
	t.Helper()
	return observe(t, conn, func(tx pgx.Tx, o *outcome) error {
		rows, err := tx.Query(context.Background(), sql, args...)
		if err != nil {
			return err
		}
		for _, f := range rows.FieldDescriptions() {
			o.columns = append(o.columns, f.Name)
		}
		for rows.Next() {
			o.rows = append(o.rows, rowText(rows.RawValues()))
		}
		o.tag = rows.CommandTag().String()
		return rows.Err()
	})
}

// runAll executes the statements of a text. Columns that are called as a check
// is, which no case does, are left out.
func runAll(t *testing.T, conn *pgx.Conn, sql string) outcome {
	t.Helper()
	return observe(t, conn, func(tx pgx.Tx, o *outcome) error {
		results, err := conn.PgConn().Exec(context.Background(), sql).ReadAll()
		for i, result := range results {
			n := len(result.FieldDescriptions)
			if n > 0 && result.FieldDescriptions[n-1].Name == "case" {
				n--
			}
			for _, f := range result.FieldDescriptions[:n] {
				o.columns = append(o.columns, fmt.Sprint(i, ": ", f.Name))
			}
			for _, row := range result.Rows {
				if n > 0 {
					o.rows = append(o.rows, fmt.Sprint(i, ": ", rowText(row[:n])))
				}
			}
			o.tag += result.CommandTag.String() + "; "
		}
		return err
	})
}

func rowText(raw [][]byte) string {
	var values []string
	for _, v := range raw {
		if v == nil {
			values = append(values, "NULL")
		} else {
			values = append(values, fmt.Sprintf("%q", v))
		}
	}
	return strings.Join(values, ", ")
}

// observe executes what send sends in a transaction that it rolls back.
func observe(t *testing.T, conn *pgx.Conn, send func(pgx.Tx, *outcome) error) outcome {
	t.Helper()
	ctx := context.Background()
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	if _, err := tx.Exec(ctx, "SAVEPOINT before"); err != nil {
		t.Fatal(err)
	}
	var o outcome
	if err := send(tx, &o); err != nil {
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) {
			t.Fatal(err)
		}
		o.sqlState, o.message = pgErr.Code, pgErr.Message
		if _, err := tx.Exec(ctx, "ROLLBACK TO before"); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(o.rows)
	o.visible, o.others = map[string][]string{}, map[string][]string{}
	for table, condition := range ownerOf {
		o.visible[table] = contents(t, tx, table, condition)
		o.others[table] = contents(t, tx, table, "("+condition+") IS NOT TRUE")
	}
	return o
}

func contents(t *testing.T, tx pgx.Tx, table, condition string) []string {
	t.Helper()
	rows, err := tx.Query(context.Background(), fmt.Sprintf("SELECT t::text FROM %s t WHERE %s ORDER BY 1", table, condition))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func diff(a, b map[string][]string) string {
	for table := range a {
		if !slices.Equal(a[table], b[table]) {
			return fmt.Sprintf("%s: %q and %q", table, a[table], b[table])
		}
	}
	return ""
}

// argsOf returns the values of a scope such as "site=1 user=7,8".
func argsOf(t *testing.T, r *rewrite.Rewrite, values map[string]string) []any {
	t.Helper()
	var args []any
	for _, d := range r.Args {
		var list []int64
		for _, field := range strings.Split(values[d.Name], ",") {
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, n)
		}
		if len(list) == 1 {
			args = append(args, list[0])
		} else {
			args = append(args, list)
		}
	}
	return args
}

// TestGoldenOnServer runs every accepted golden case on a database of several
// sites and users, and as the user wrote it on one that holds only the scope's
// rows. Both must answer the same, and leave the same rows behind; the rows of
// others must be untouched.
func TestGoldenOnServer(t *testing.T) {
	p := goldenPolicy(t)
	schema := script(t, "schema.sql")
	full := connect(t, pgtest.DSN(t, schema))
	own := connect(t, pgtest.DSN(t, schema, script(t, "own.sql")))
	untouched := run(t, full, "SELECT")

	for _, file := range goldenFiles(t) {
		cases, _ := readGoldens(t, file)
		for _, g := range cases {
			t.Run(g.file+"/"+g.name, func(t *testing.T) {
				shape, values := shapeOf(t, p, g.scope)
				r, err := g.rewriter(t, p).Rewrite(g.sql, shape)
				if err != nil {
					return // what is refused is not sent
				}
				if !g.runsOn(full) {
					return
				}
				if !r.Literal {
					prepared(t, full, g.sql, r.SQL)
				}
				if r.Params > 0 || g.scope != goldenScope || g.server == "differs" {
					return
				}
				var got, want outcome
				if r.Literal {
					literal, err := r.WithLiterals(argsOf(t, r, values))
					if err != nil {
						t.Fatal(err)
					}
					got, want = runAll(t, full, literal.SQL), runAll(t, own, g.sql)
				} else {
					got, want = run(t, full, r.SQL, argsOf(t, r, values)...), run(t, own, g.sql)
				}
				if d := diff(untouched.others, got.others); d != "" {
					t.Errorf("rows of others changed: %s", d)
				}
				if g.server == "violation" {
					if got.sqlState != "22P02" || !strings.Contains(got.message, "scoped-pgx:public.") {
						t.Errorf("want a violation, got %+v", got)
					}
					if d := diff(untouched.visible, got.visible); d != "" {
						t.Errorf("something was written: %s", d)
					}
					return
				}
				if r.Check && !r.Literal && got.sqlState == "" {
					got.columns = got.columns[:len(got.columns)-1]
					for i, row := range got.rows {
						got.rows[i] = strings.TrimSuffix(strings.TrimSuffix(row, "NULL"), ", ")
					}
					if !r.Returning {
						got.rows = nil
					}
				}
				if !slices.Equal(got.columns, want.columns) || !slices.Equal(got.rows, want.rows) ||
					got.tag != want.tag || got.sqlState != want.sqlState {
					t.Errorf("%s\nwant %q %q %s %s %s\ngot  %q %q %s %s %s", r.SQL, want.columns, want.rows, want.tag, want.sqlState, want.message,
						got.columns, got.rows, got.tag, got.sqlState, got.message)
				}
				if d := diff(want.visible, got.visible); d != "" {
					t.Errorf("the rows of the scope differ: %s", d)
				}
			})
		}
	}
}

// prepared demands that the server takes the rewrite where it takes the original.
func prepared(t *testing.T, conn *pgx.Conn, original, rewritten string) {
	t.Helper()
	ctx := context.Background()
	if _, err := conn.Prepare(ctx, "", original); err != nil {
		t.Errorf("the server does not take the case itself: %v", err)
	}
	if _, err := conn.Prepare(ctx, "", rewritten); err != nil {
		t.Errorf("%s: %v", rewritten, err)
	}
}

// TestNothingIsReadWithoutAScope proves the point of the policy's default: no
// table of the schema can be read or written without a scope.
func TestNothingIsReadWithoutAScope(t *testing.T) {
	p := goldenPolicy(t)
	for table := range ownerOf {
		access := p.Table("", strings.Trim(table, `"`)).Access
		for _, form := range []string{"SELECT * FROM %s", "TABLE %s", "DELETE FROM %s", "INSERT INTO %s DEFAULT VALUES", "MERGE INTO %s AS t USING (SELECT) AS s ON true WHEN MATCHED THEN DELETE", "SELECT EXISTS (SELECT FROM %s)"} {
			sql := fmt.Sprintf(form, table)
			_, err := rewrite.New(sql, p, 0)
			switch {
			case access == policy.Scoped && !errors.Is(err, rewrite.ErrScopeRequired):
				t.Errorf("%s: %v", sql, err)
			case access == policy.Denied && !errors.Is(err, rewrite.ErrRefused):
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
}
