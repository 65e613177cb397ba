package scoped_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scoped-pgx/scoped"
)

func connOf(t *testing.T, db *sql.DB) *sql.Conn {
	t.Helper()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestCopyTo(t *testing.T) {
	eachMode(t, func(t *testing.T, b *blog, _ func(...any) []any) {
		conn := connOf(t, b.DB)
		site1, both := scoped.With(t.Context(), "site", 1), scoped.With(t.Context(), "site", scoped.AnyOf(1, 2))
		for _, c := range []struct {
			ctx       context.Context
			sql, want string
		}{
			{site1, "COPY (SELECT id, title FROM post WHERE id < 10) TO STDOUT", "1\tI was stabbed\n"},
			{both, "COPY (SELECT c.id FROM comment c JOIN post p ON p.id = c.post_id ORDER BY 1 DESC) TO STDOUT (FORMAT csv, HEADER)", "id\n2\n1\n"},
			{site1, "COPY comment (body, id) TO STDOUT", "I am so sorry\t1\n"},
			{site1, "COPY public.tag (id) TO STDOUT; -- all of it", "1\n"},
			{t.Context(), "COPY (VALUES (1), (2)) TO STDOUT WITH (DELIMITER ';')", "1\n2\n"},
			{scoped.With(t.Context(), "realm", `o'hara "&" \sons`), "COPY page (rank) TO STDOUT", "2\n"},
			{scoped.Disable(t.Context(), "test"), "COPY post (id) TO STDOUT", "1\n2\n"},
		} {
			var w bytes.Buffer
			n, err := scoped.CopyTo(c.ctx, conn, &w, c.sql)
			if lines := strings.Count(strings.TrimPrefix(c.want, "id\n"), "\n"); err != nil || w.String() != c.want || n != int64(lines) {
				t.Errorf("%s: got %q, %d rows, %v", c.sql, w.String(), n, err)
			}
		}
		const place = "COPY (SELECT 'ä' FROM secret) TO STDOUT"
		for sql, code := range map[string]scoped.Code{
			place:                                                scoped.CodeTable,
			"COPY secret (id) TO STDOUT":                         scoped.CodeTable,
			"COPY post TO STDOUT":                                scoped.CodeStatement,
			"COPY bookmark (id) TO STDOUT":                       scoped.CodeScopeRequired,
			"COPY post (id) TO '/tmp/x'":                         scoped.CodeStatement,
			"COPY (SELECT 1) TO PROGRAM 'sh'":                    scoped.CodeStatement,
			"COPY (DELETE FROM post RETURNING id) TO STDOUT":     scoped.CodeStatement,
			"COPY (SELECT pg_read_file('x')) TO STDOUT":          scoped.CodeFunction,
			"COPY (SELECT 1) TO STDOUT; DELETE FROM post":        scoped.CodeStatement,
			"COPY (SELECT id FROM post WHERE id = $1) TO STDOUT": scoped.CodeStatement,
			"COPY post (id) FROM STDIN":                          scoped.CodeStatement,
		} {
			var w bytes.Buffer
			_, err := scoped.CopyTo(site1, conn, &w, sql)
			if e := wantError(t, err, code); w.Len() > 0 || sql == place && e.Position.Char != charOf(place, "secret") {
				t.Errorf("%s: wrote %q, %+v", sql, w.String(), e.Position)
			}
		}
		const failing = "COPY (SELECT 'ä' FROM post WHERE title = 'ä' AND nosuch) TO STDOUT"
		_, err := scoped.CopyTo(site1, conn, io.Discard, failing)
		wantPosition(t, err, charOf(failing, "nosuch"))
		_, err = scoped.CopyTo(site1, conn, io.Discard, "COPY post (nosuch) TO STDOUT")
		wantPosition(t, err, 0)
		// By the usual way COPY stays refused.
		_, err = conn.ExecContext(site1, "COPY post (id) TO STDOUT")
		wantError(t, err, scoped.CodeStatement)
	})
}

// Without a list of columns, COPY leaves out the generated ones.
func TestCopyToOfATable(t *testing.T) {
	b := newConnectedBlog(t, scoped.WithServerCatalog())
	if _, err := b.plain.ExecContext(t.Context(), `ALTER TABLE post ADD words int GENERATED ALWAYS AS (length(title)) STORED, ADD "Note" text`); err != nil {
		t.Fatal(err)
	}
	var w bytes.Buffer
	if _, err := scoped.CopyTo(scoped.With(t.Context(), "site", 1), connOf(t, b.DB), &w, "COPY post TO STDOUT (FORMAT csv, HEADER)"); err != nil ||
		w.String() != "id,site_id,title,Note\n1,1,I was stabbed,\n" {
		t.Errorf("got %q, %v", w.String(), err)
	}
}

func TestCopyFromAndBatchOfAConn(t *testing.T) {
	eachMode(t, func(t *testing.T, b *blog, _ func(...any) []any) {
		site1 := scoped.With(t.Context(), "site", 1)
		conn := connOf(t, b.DB)
		tx, err := conn.BeginTx(site1, nil)
		if err != nil {
			t.Fatal(err)
		}
		// The scope is the transaction's.
		n, err := scoped.CopyFrom(t.Context(), conn, pgx.Identifier{"post"}, []string{"id"}, pgx.CopyFromRows([][]any{{10}, {11}}))
		if err != nil || n != 2 {
			t.Errorf("got %d, %v", n, err)
		}
		n, err = scoped.CopyFrom(t.Context(), conn, pgx.Identifier{"comment"}, []string{"id", "post_id"}, pgx.CopyFromRows([][]any{{10, 10}, {11, 1}}))
		if err != nil || n != 2 {
			t.Errorf("got %d, %v", n, err)
		}
		var ids []int64
		batch := new(pgx.Batch)
		batch.Queue("SELECT count(*) FROM post WHERE id < $1", 100).QueryRow(func(row pgx.Row) error {
			ids = append(ids, 0)
			return row.Scan(&ids[0])
		})
		batch.Queue("DECLARE c CURSOR FOR " + allPosts)
		if err := scoped.SendBatch(t.Context(), conn, batch); err != nil || len(ids) != 1 || ids[0] != 3 {
			t.Errorf("got %v, %v", ids, err)
		}
		wantIDs(t.Context(), t, tx, []int64{1, 10, 11}, "FETCH ALL FROM c")
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		b.truth([]int64{1, 10, 11}, "SELECT id FROM post WHERE site_id = 1 ORDER BY id")

		b.unchanged("post", "comment")
		_, err = scoped.CopyFrom(t.Context(), conn, pgx.Identifier{"post"}, []string{"id"}, pgx.CopyFromRows([][]any{{12}}))
		wantError(t, err, scoped.CodeScopeRequired)
		_, err = scoped.CopyFrom(site1, conn, pgx.Identifier{"comment"}, []string{"post_id"}, pgx.CopyFromRows([][]any{{2}}))
		wantError(t, err, scoped.CodeViolation)
		wantError(t, scoped.SendBatch(site1, conn, batchOf("DELETE FROM post", "SELECT * FROM secret")), scoped.CodeTable)
		wantError(t, scoped.SendBatch(site1, conn, batchOf("DELETE FROM comment", "UPDATE post SET site_id = 2")), scoped.CodeViolation)
		begins := new(pgx.Batch)
		begins.BeginTx(pgx.TxOptions{})
		if err := scoped.SendBatch(site1, conn, begins); err == nil {
			t.Error("a batch began a transaction that database/sql knows nothing of")
		}
		wantIDs(site1, t, conn, []int64{1, 10, 11}, allPosts)
	})
}

func TestWaitForNotification(t *testing.T) {
	const allow = "allow: [listen, notify]\n"
	b := newConnectedBlog(t, discard())
	listening := sql.OpenDB(scoped.NewConnector(stdlib.GetConnector(connConfig(t, b.dsn)), policyOf(t, blogPolicy+allow), discard()))
	t.Cleanup(func() { listening.Close() })
	site1 := scoped.With(t.Context(), "site", 1)

	conn := connOf(t, listening)
	wantExec(site1, t, conn, 0, "LISTEN news")
	wantExec(site1, t, connOf(t, listening), 0, "NOTIFY news, 'et tu'")
	for _, ctx := range []context.Context{site1} {
		n, err := scoped.WaitForNotification(ctx, conn)
		if err != nil || n.Channel != "news" || n.Payload != "et tu" {
			t.Errorf("got %+v, %v", n, err)
		}
	}
	ctx, cancel := context.WithTimeout(site1, 50*time.Millisecond)
	defer cancel()
	if n, err := scoped.WaitForNotification(ctx, conn); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %+v, %v", n, err)
	}
	wantIDs(site1, t, conn, []int64{1}, allPosts) // the connection lives

	// A policy that does not allow it.
	conn = connOf(t, b.DB)
	_, err := conn.ExecContext(site1, "LISTEN news")
	wantError(t, err, scoped.CodeStatement)
	wantExec(scoped.Disable(site1, "test"), t, conn, 0, "LISTEN news")
	for _, ctx := range []context.Context{t.Context(), site1} {
		_, err = scoped.WaitForNotification(ctx, conn)
		wantError(t, err, scoped.CodeStatement)
	}
	if _, err := b.plain.ExecContext(t.Context(), "NOTIFY news"); err != nil {
		t.Fatal(err)
	}
	if n, err := scoped.WaitForNotification(scoped.Disable(site1, "test"), conn); err != nil || n.Channel != "news" {
		t.Errorf("got %+v, %v", n, err)
	}
}

func connConfig(t *testing.T, dsn string) pgx.ConnConfig {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return *config
}

func TestRawConn(t *testing.T) {
	b := newConnectedBlog(t, discard())
	conn := connOf(t, b.DB)
	site1 := scoped.With(t.Context(), "site", 1)
	for ctx, code := range map[context.Context]scoped.Code{
		t.Context(): scoped.CodeStatement, site1: scoped.CodeStatement,
		scoped.Disable(site1, ""): scoped.CodeScope, scoped.With(scoped.Disable(site1, "test"), "site", 1): scoped.CodeStatement,
	} {
		err := scoped.RawConn(ctx, conn, func(*pgx.Conn) error { t.Error("the connection was handed out"); return nil })
		wantError(t, err, code)
	}
	tx, err := conn.BeginTx(site1, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantExec(t.Context(), t, tx, 0, "DECLARE c CURSOR FOR "+allPosts)
	failing := errors.New("failing")
	err = scoped.RawConn(scoped.Disable(site1, "test"), conn, func(raw *pgx.Conn) error {
		var posts int
		if err := raw.QueryRow(t.Context(), "SELECT count(*) FROM post").Scan(&posts); err != nil || posts != 2 {
			t.Errorf("got %d, %v", posts, err)
		}
		_, err := raw.Exec(t.Context(), "CLOSE c; DECLARE c CURSOR FOR "+allPosts)
		return errors.Join(err, failing)
	})
	if !errors.Is(err, failing) {
		t.Error(err)
	}
	_, err = ids(t.Context(), tx, "FETCH ALL FROM c")
	wantError(t, err, scoped.CodeStatement)
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
}

// A rawDriver wraps connections of ours, as a driver that traces them does.
type rawDriver struct{ driver.Connector }

type rawWrapper struct{ driver.Conn }

func (d rawDriver) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := d.Connector.Connect(ctx)
	return rawWrapper{c}, err
}

func (w rawWrapper) Raw() driver.Conn { return w.Conn }

func TestSessionOfOtherConns(t *testing.T) {
	b := newConnectedBlog(t)
	db := sql.OpenDB(rawDriver{scoped.NewConnector(stdlib.GetConnector(connConfig(t, b.dsn)), parsePolicy(t))})
	t.Cleanup(func() { db.Close() })
	site1 := scoped.With(t.Context(), "site", 1)
	if err := scoped.SendBatch(site1, connOf(t, db), batchOf(allPosts)); err != nil {
		t.Error(err)
	}
	mock, _ := mocked(t)
	for _, db := range []*sql.DB{b.plain, mock} {
		if err := scoped.SendBatch(site1, connOf(t, db), batchOf(allPosts)); err == nil || !strings.Contains(err.Error(), "pgx") && !strings.Contains(err.Error(), "stdlib.Conn") {
			t.Errorf("got %v", err)
		}
	}
	// A connection that is closed is not used again.
	conn := connOf(t, b.DB)
	if err := conn.Raw(func(raw any) error { return raw.(io.Closer).Close() }); err != nil {
		t.Fatal(err)
	}
	if err := scoped.SendBatch(site1, conn, batchOf(allPosts)); !errors.Is(err, driver.ErrBadConn) {
		t.Errorf("got %v", err)
	}
}
