package scoped_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/scoped-pgx/scoped"
)

// What the blog lacks: every way in which a table can be scoped.
const copySchema = `
CREATE TABLE article (id bigint PRIMARY KEY, site_id bigint, deleted_at timestamptz, body text);
CREATE TABLE template (id bigint PRIMARY KEY, site_id bigint);
CREATE TABLE notice (id bigint PRIMARY KEY, site_id bigint);
CREATE TABLE attachment (id bigint PRIMARY KEY, site_id bigint, post_id bigint REFERENCES post);
CREATE TABLE message (id bigint PRIMARY KEY, sender_id bigint, recipient_id bigint);
CREATE TABLE small (id bigint PRIMARY KEY, rank smallint, code varchar(8), at timestamptz DEFAULT now());
CREATE TABLE numbered (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, post_id bigint);
CREATE TABLE computed (id bigint PRIMARY KEY, site_id bigint GENERATED ALWAYS AS (id % 10) STORED);
CREATE VIEW site_post AS SELECT * FROM post;
CREATE TABLE readonly (id bigint);
`

const copyPolicy = `version: 1
dimensions:
  site: {type: bigint}
  user: {type: bigint}
  owner: {type: uuid}
  rank: {type: smallint}
  code: {type: text}
search_path: [public]
tables:
  tag: shared
  readonly: {shared: read}
  secret: denied
  post: {site: site_id}
  comment: {site: post_id -> post}
  bookmark: {site: post_id -> post, user: user_id}
  device: {owner: owner}
  article: {site: site_id, where: deleted_at IS NULL}
  template: {site: {column: site_id, null: visible}}
  notice: {site: {column: site_id, null: read}}
  attachment: {site: site_id, references: {post_id: post}}
  message: {user: [sender_id, recipient_id]}
  small: {rank: rank, code: code}
  numbered: {site: post_id -> post}
  computed: {site: {column: site_id, generated: true}}
  site_post: {site: site_id, view: true}
`

// copyBlog is a pool under a policy of its own.
func copyBlog(t *testing.T, mode pgx.QueryExecMode) *pooled {
	t.Helper()
	p := newPool(t, withMode(mode))
	if _, err := p.plain.ExecContext(t.Context(), copySchema); err != nil {
		t.Fatal(err)
	}
	p.PgxPool = scoped.Pool(p.base, policyOf(t, copyPolicy), discard())
	return p
}

func eachCopy(t *testing.T, test func(t *testing.T, p *pooled)) {
	for _, mode := range execModes {
		t.Run(strings.ReplaceAll(mode.String(), " ", "_"), func(t *testing.T) { test(t, copyBlog(t, mode)) })
	}
}

type row = []any

func copyRows(ctx context.Context, db dbtx, table, columns string, rows ...row) (int64, error) {
	return db.CopyFrom(ctx, pgx.Identifier(strings.Split(table, ".")), strings.Split(columns, " "), pgx.CopyFromRows(rows))
}

func wantCopied(ctx context.Context, t *testing.T, db dbtx, table, columns string, rows ...row) {
	t.Helper()
	if n, err := copyRows(ctx, db, table, columns, rows...); err != nil || n != int64(len(rows)) {
		t.Errorf("%s (%s): got %d, %v", table, columns, n, err)
	}
}

func wantNotCopied(ctx context.Context, t *testing.T, db dbtx, code scoped.Code, table, columns string, rows ...row) {
	t.Helper()
	n, err := copyRows(ctx, db, table, columns, rows...)
	if e := wantError(t, err, code); n != 0 || e.Position.Char != 0 || e.Hint == "" {
		t.Errorf("%s (%s): got %d, %v", table, columns, n, err)
	}
}

// Rows are filled, and checked where they bring their own.
func TestCopyFromOwnColumn(t *testing.T) {
	eachCopy(t, func(t *testing.T, p *pooled) {
		none := t.Context()
		site1 := scoped.With(none, "site", 1)
		both := scoped.With(none, "site", scoped.AnyOf(1, 2))
		one, null := int16(1), (*int64)(nil)
		wantCopied(site1, t, p, "post", "id title", row{10, "a"}, row{11, "b"})
		wantCopied(site1, t, p, "public.post", "site_id id", row{1, 12}, row{&one, 13}, row{pgtype.Int8{Int64: 1, Valid: true}, 14}, row{sql.NullInt64{Int64: 1, Valid: true}, 15})
		wantCopied(both, t, p, "post", "id site_id", row{16, 1}, row{17, uint8(2)})
		wantCopied(scoped.With(none, "site", scoped.AnyOf(1, 2).WriteTo(2)), t, p, "post", "id", row{18})
		wantCopied(scoped.With(none, "site", scoped.All), t, p, "post", "id site_id", row{19, 3})
		wantCopied(scoped.Disable(none, "test"), t, p, "post", "id site_id", row{20, 3})
		wantCopied(site1, t, p, "post", "id")
		wantCopied(none, t, p, "tag", "id name weight", row{2, "x", 1.5}, row{3, nil, nil})
		p.truth([]int64{1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 3}, "SELECT site_id FROM post WHERE id >= 10 ORDER BY id")
		p.truth([]int64{2, 3}, "SELECT id FROM tag WHERE id > 1 ORDER BY 1")
		wantCopied(site1, t, p, "template", "id site_id", row{1, 1}, row{2, nil})
		wantCopied(site1, t, p, "template", "id", row{3})
		wantCopied(site1, t, p, "notice", "id site_id", row{1, 1})

		// Types of the column and of the dimension.
		owner := scoped.With(none, "owner", [16]byte{15: 7})
		wantCopied(owner, t, p, "device", "id label", row{[16]byte{1}, "x"})
		wantCopied(owner, t, p, "device", "owner id label", row{"00000000-0000-0000-0000-000000000007", [16]byte{2}, "x"},
			row{[16]byte{15: 7}, [16]byte{3}, "y"}, row{pgtype.UUID{Bytes: [16]byte{15: 7}, Valid: true}, [16]byte{4}, "z"},
			row{"00000000000000000000000000000007", [16]byte{5}, "y"})
		p.truth([]int64{5}, "SELECT count(*) FROM device WHERE owner = '00000000-0000-0000-0000-000000000007'")
		small := scoped.With(scoped.With(none, "rank", scoped.AnyOf(1, 2).WriteTo(2)), "code", `ä "&' \`)
		wantCopied(small, t, p, "small", "id", row{1})
		wantCopied(small, t, p, "small", "id rank code", row{2, 2, `ä "&' \`})
		p.truth([]int64{2}, `SELECT count(*) FROM small WHERE code = 'ä "&'' \' AND rank = 2`)

		p.unchanged("post", "template", "notice", "device", "small", "tag", "readonly")
		for _, bad := range []row{{30, 2}, {30, nil}, {30, null}, {30, sql.NullInt64{}}} {
			wantNotCopied(site1, t, p, scoped.CodeViolation, "post", "id site_id", row{31, 1}, bad, row{32, 1})
		}
		wantNotCopied(scoped.With(none, "site", scoped.AnyOf(1, 2).WriteTo(2)), t, p, scoped.CodeViolation, "post", "id site_id", row{30, 1})
		wantNotCopied(site1, t, p, scoped.CodeViolation, "template", "id site_id", row{30, 2})
		wantNotCopied(site1, t, p, scoped.CodeViolation, "notice", "id site_id", row{30, nil})
		for _, value := range []any{"1", 1.0, []int64{1}, true, pgtype.Numeric{}} {
			_, err := copyRows(site1, p, "post", "id site_id", row{30, value})
			if !errors.Is(err, scoped.ErrRefused) && !errors.Is(err, scoped.ErrViolation) {
				t.Errorf("%T: got %v", value, err)
			}
		}
		wantNotCopied(owner, t, p, scoped.CodeArguments, "device", "owner id label", row{"x", [16]byte{9}, "x"})
		wantNotCopied(small, t, p, scoped.CodeArguments, "small", "id rank code", row{3, 70000, "x"})
		wantNotCopied(none, t, p, scoped.CodeScopeRequired, "post", "id site_id", row{30, 1})
		wantNotCopied(both, t, p, scoped.CodeFill, "post", "id", row{30})
		wantNotCopied(site1, t, p, scoped.CodeTable, "secret", "id", row{30})
		wantNotCopied(site1, t, p, scoped.CodeTable, "nosuch", "id", row{30})
		wantNotCopied(site1, t, p, scoped.CodeTable, "other.post", "id", row{30})
		wantNotCopied(site1, t, p, scoped.CodeTable, "readonly", "id", row{30})
		wantNotCopied(site1, t, p, scoped.CodeArguments, "blog.public.post", "id", row{30})
		wantNotCopied(site1, t, p, scoped.CodeArguments, "post", "id title", row{30})
		wantNotCopied(site1, t, p, scoped.CodeArguments, "post", "id\x00", row{30})
		if _, err := p.CopyFrom(site1, pgx.Identifier{"post"}, nil, pgx.CopyFromRows(nil)); err == nil {
			t.Error("no columns were accepted")
		}
		_, err := copyRows(site1, p, "post", "id id", row{30, 30})
		wantSQLState(t, err, "42701")
		_, err = copyRows(site1, p, "tag", "id", row{2})
		wantSQLState(t, err, "23505")
		_, err = p.CopyFrom(site1, pgx.Identifier{"post"}, []string{"id"}, pgx.CopyFromSlice(2, func(i int) ([]any, error) {
			return row{30 + i}, []error{nil, errors.New("failing")}[i]
		}))
		wantSQLState(t, err, "57014") // as in pgx
		// A name is a name, whatever stands in it.
		_, err = copyRows(site1, p, "post", `id)_FROM_STDIN;_DELETE_FROM_post;--`, row{30})
		wantSQLState(t, err, "42703")
	})
}

// What only the server can check is inserted, all of it or nothing.
func TestCopyFromReferences(t *testing.T) {
	eachCopy(t, func(t *testing.T, p *pooled) {
		none := t.Context()
		site1 := scoped.With(none, "site", 1)
		both := scoped.With(none, "site", scoped.AnyOf(1, 2))
		user7 := scoped.With(none, "user", 7)
		const last = 1299 // statements of 1024, 256, 16 and 4 rows
		rows := make([]row, last+1)
		for i := range rows {
			rows[i] = row{100 + i, 1, fmt.Sprint("x", i)}
		}
		wantCopied(site1, t, p, "comment", "id post_id body", rows...)
		p.truth([]int64{last + 1}, "SELECT count(*) FROM comment WHERE post_id = 1 AND body = 'x' || (id - 100)")
		wantCopied(both, t, p, "comment", "id post_id", row{10, 1}, row{11, 2})
		wantCopied(site1, t, p, "comment", "id post_id")
		wantCopied(scoped.With(site1, "user", 7), t, p, "bookmark", "id post_id", row{10, 1})
		wantCopied(user7, t, p, "message", "id sender_id recipient_id", row{1, 7, 8}, row{2, 8, 7}, row{3, 7, nil})
		wantCopied(user7, t, p, "message", "id sender_id", row{4, 7})
		wantCopied(site1, t, p, "attachment", "id post_id", row{1, 1}, row{2, nil})
		wantCopied(site1, t, p, "attachment", "id", row{3})
		wantCopied(site1, t, p, "article", "id body", row{1, "x"})
		wantCopied(site1, t, p, "article", "id site_id deleted_at", row{2, 1, nil})
		wantCopied(site1, t, p, "numbered", "id post_id", row{40, 1})
		wantCopied(site1, t, p, "site_post", "id site_id", row{60, 1})
		wantCopied(site1, t, p, "site_post", "id", row{61})
		wantCopied(site1, t, p, "computed", "id", row{21}, row{31})
		p.truth([]int64{60, 61}, "SELECT id FROM post WHERE site_id = 1 AND id >= 60 ORDER BY id")
		p.truth([]int64{40}, "SELECT id FROM numbered")
		p.truth([]int64{1, 2, 3}, "SELECT id FROM attachment WHERE site_id = 1 ORDER BY id")

		p.unchanged("post", "comment", "bookmark", "message", "attachment", "article", "numbered", "computed")
		for i := range rows {
			rows[i][0] = 10000 + i
		}
		rows[last][1] = 2
		wantViolationOf := func(ctx context.Context, table, columns string, rows ...row) {
			t.Helper()
			wantNotCopied(ctx, t, p, scoped.CodeViolation, table, columns, rows...)
		}
		wantViolationOf(site1, "comment", "id post_id body", rows...)
		wantViolationOf(scoped.With(none, "site", scoped.AnyOf(1, 2).WriteTo(2)), "comment", "id post_id", row{50, 1})
		wantViolationOf(site1, "numbered", "post_id", row{nil})
		wantViolationOf(site1, "numbered", "id", row{50})
		wantViolationOf(scoped.With(site1, "user", 7), "bookmark", "id post_id user_id", row{50, 1, 8})
		wantViolationOf(user7, "message", "id sender_id recipient_id", row{50, 7, 8}, row{51, 8, 9})
		wantViolationOf(user7, "message", "id", row{50})
		wantViolationOf(site1, "attachment", "id post_id", row{50, 2})
		wantViolationOf(site1, "article", "id deleted_at", row{50, "2020-01-01"})
		wantViolationOf(site1, "computed", "id", row{41}, row{42})
		wantViolationOf(site1, "site_post", "id site_id", row{50, 2})
		wantNotCopied(site1, t, p, scoped.CodeScopeRequired, "bookmark", "id post_id", row{50, 1})
		wantNotCopied(site1, t, p, scoped.CodeArguments, "comment", "id post_id", row{50, 1}, row{51})
		wantNotCopied(site1, t, p, scoped.CodeArguments, "comment", "body post_id", row{rewriter{sql: "DELETE FROM post"}, 1})
		rows[last][1], rows[last-1][0] = 1, 10000 // a key twice
		_, err := copyRows(site1, p, "comment", "id post_id body", rows...)
		wantSQLState(t, err, "23505")
		failing := errors.New("failing")
		n, err := p.CopyFrom(site1, pgx.Identifier{"comment"}, []string{"id", "post_id", "body"}, pgx.CopyFromSlice(last+1, func(i int) ([]any, error) {
			if i == last {
				return nil, failing
			}
			return rows[i], nil
		}))
		if n != 0 || !errors.Is(err, failing) {
			t.Errorf("got %d, %v", n, err)
		}
	})
}

// In a transaction, what failed leaves nothing to be committed.
func TestCopyFromInATransaction(t *testing.T) {
	p := copyBlog(t, pgx.QueryExecModeCacheStatement)
	site1 := scoped.With(t.Context(), "site", 1)
	tx := beginPgx(site1, t, p)
	wantCopied(t.Context(), t, tx, "post", "id", row{10})
	rows := make([]row, 1100)
	for i := range rows {
		rows[i] = row{100 + i, 10}
	}
	rows[1099] = row{1}
	_, err := copyRows(t.Context(), tx, "comment", "id post_id", rows...)
	wantError(t, err, scoped.CodeArguments)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("there was no panic")
			}
		}()
		_, _ = tx.CopyFrom(t.Context(), pgx.Identifier{"comment"}, []string{"id", "post_id"}, pgx.CopyFromSlice(1100, func(i int) ([]any, error) {
			if i == 1099 {
				panic("of the caller")
			}
			return rows[i], nil
		}))
	}()
	rows[1099] = row{1199, 10}
	wantCopied(t.Context(), t, tx, "comment", "id post_id", rows...)
	wantPgxIDs(t.Context(), t, tx, []int64{1100}, "SELECT count(*) FROM comment WHERE post_id = 10")
	if err := tx.Commit(t.Context()); err != nil {
		t.Error(err)
	}
	p.truth([]int64{1100}, "SELECT count(*) FROM comment WHERE post_id = 10")

	p.unchanged("post", "comment")
	tx = beginPgx(site1, t, p)
	wantCopied(t.Context(), t, tx, "post", "id", row{11})
	wantNotCopied(t.Context(), t, tx, scoped.CodeViolation, "post", "id site_id", row{12, 1}, row{13, 2})
	if err := tx.Commit(t.Context()); !errors.Is(err, pgx.ErrTxCommitRollback) {
		t.Errorf("got %v", err)
	}
	tx = beginPgx(site1, t, p)
	wantNotCopied(t.Context(), t, tx, scoped.CodeViolation, "comment", "id post_id", row{12, 1}, row{13, 2})
	if err := tx.Commit(t.Context()); err != nil {
		t.Error(err)
	}
}
