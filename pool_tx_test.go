package scoped_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/scoped-pgx/scoped"
)

func beginPgx(ctx context.Context, t *testing.T, db interface {
	Begin(context.Context) (pgx.Tx, error)
}) pgx.Tx {
	t.Helper()
	tx, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	return tx
}

func TestPoolTxHandsDownItsScope(t *testing.T) {
	eachPool(t, func(t *testing.T, p *pooled, _ pgx.QueryExecMode) {
		none, site1, site2 := t.Context(), scoped.With(t.Context(), "site", 1), scoped.With(t.Context(), "site", 2)
		tx := beginPgx(site1, t, p)
		wantPgxIDs(none, t, tx, []int64{1}, allPosts)
		wantPgxIDs(site2, t, tx, []int64{2}, allPosts)
		wantPgxExec(none, t, tx, 1, "INSERT INTO post (id) VALUES (50)")

		// A savepoint has its own, or that of the transaction; neither changes the
		// other's.
		inner, other := beginPgx(none, t, tx), pgx.Tx(nil)
		wantPgxIDs(none, t, inner, []int64{1, 50}, allPosts)
		other = beginPgx(site2, t, inner)
		wantPgxIDs(none, t, other, []int64{2}, allPosts)
		wantPgxIDs(none, t, inner, []int64{1, 50}, allPosts)
		wantPgxExec(none, t, other, 1, "DELETE FROM post")
		if err := other.Rollback(none); err != nil {
			t.Error(err)
		}
		wantPgxIDs(site2, t, tx, []int64{2}, allPosts)
		if err := inner.Commit(none); err != nil {
			t.Error(err)
		}
		// A refusal sends nothing, so the transaction lives.
		_, err := pgxIDs(scoped.With(none, "user", 1), tx, allPosts)
		wantError(t, err, scoped.CodeScopeRequired)
		if err := tx.Commit(none); err != nil {
			t.Error(err)
		}
		p.truth([]int64{1, 2, 50}, allPosts)
		for _, tx := range []pgx.Tx{tx, inner, other} {
			_, queryErr := pgxIDs(site1, tx, allPosts)
			_, execErr := tx.Exec(site1, "DELETE FROM post")
			_, prepareErr := tx.Prepare(site1, "x", allPosts)
			_, beginErr := tx.Begin(site1)
			_, copyErr := tx.CopyFrom(site1, pgx.Identifier{"tag"}, []string{"id"}, pgx.CopyFromRows([][]any{{5}}))
			for _, err := range []error{queryErr, execErr, prepareErr, beginErr, copyErr,
				tx.SendBatch(site1, new(pgx.Batch)).Close(), tx.Commit(none), tx.Rollback(none)} {
				if !errors.Is(err, pgx.ErrTxClosed) {
					t.Errorf("got %v, want pgx.ErrTxClosed", err)
				}
			}
		}
		_, err = pgxIDs(none, p, allPosts)
		wantError(t, err, scoped.CodeScopeRequired)
	})
}

// The connection that a transaction ran on inherits nothing from it.
func TestPoolConnAfterTx(t *testing.T) {
	p := newPool(t, nil)
	site1 := scoped.With(t.Context(), "site", 1)
	err := p.AcquireFunc(t.Context(), func(c *scoped.PgxConn) error {
		return pgx.BeginFunc(site1, c, func(tx pgx.Tx) error {
			wantPgxIDs(t.Context(), t, c, []int64{1}, allPosts)
			if err := tx.Commit(t.Context()); err != nil {
				return err
			}
			_, err := pgxIDs(t.Context(), c, allPosts)
			wantError(t, err, scoped.CodeScopeRequired)
			return nil
		})
	})
	if !errors.Is(err, pgx.ErrTxClosed) { // of BeginFunc's own Commit
		t.Error(err)
	}
	failing := errors.New("failing")
	err = pgx.BeginTxFunc(site1, p, pgx.TxOptions{IsoLevel: pgx.Serializable, AccessMode: pgx.ReadWrite}, func(tx pgx.Tx) error {
		wantPgxExec(t.Context(), t, tx, 1, "DELETE FROM post")
		return failing
	})
	if !errors.Is(err, failing) {
		t.Error(err)
	}
	p.truth([]int64{1, 2}, allPosts)
}

// Options are SQL too.
func TestPoolTxOptions(t *testing.T) {
	p := newPool(t, nil)
	p.unchanged("post")
	const hostile = "; DELETE FROM post"
	site1 := scoped.With(t.Context(), "site", 1)
	for _, options := range []pgx.TxOptions{
		{BeginQuery: "BEGIN" + hostile},
		{CommitQuery: "COMMIT"},
		{IsoLevel: pgx.Serializable + hostile},
		{AccessMode: pgx.ReadOnly + hostile},
		{DeferrableMode: pgx.Deferrable + hostile},
	} {
		for _, ctx := range []context.Context{t.Context(), site1} {
			_, err := p.BeginTx(ctx, options)
			wantError(t, err, scoped.CodeStatement)
		}
	}
	_, err := p.Begin(scoped.With(site1, "site", nil))
	wantError(t, err, scoped.CodeScope)
	tx, err := p.BeginTx(scoped.Disable(site1, "test"), pgx.TxOptions{BeginQuery: "BEGIN READ ONLY"})
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
}

// Large objects belong to no scope, and the connection is nobody's.
func TestPoolTxHandsOutNothing(t *testing.T) {
	p := newPool(t, nil)
	site1 := scoped.With(t.Context(), "site", 1)
	tx := beginPgx(site1, t, p)
	objects := tx.LargeObjects()
	if _, err := objects.Create(site1, 0); !errors.Is(err, pgx.ErrTxClosed) || tx.Conn() != nil {
		t.Errorf("got %v, %v", tx.Conn(), err)
	}
	disabled := beginPgx(scoped.Disable(site1, "test"), t, p)
	objects = disabled.LargeObjects()
	if _, err := objects.Create(t.Context(), 0); err != nil || disabled.Conn() == nil {
		t.Error(err)
	}
	rows, err := disabled.Query(t.Context(), allPosts)
	if err != nil || rows.Conn() == nil {
		t.Error(err)
	}
	rows.Close()
}

func TestPoolTxPrepare(t *testing.T) {
	eachPool(t, func(t *testing.T, p *pooled, _ pgx.QueryExecMode) {
		site1 := scoped.With(t.Context(), "site", 1)
		tx := beginPgx(site1, t, p)
		sd, err := tx.Prepare(t.Context(), "posts", "SELECT id FROM post WHERE id < $1 ORDER BY id")
		if err != nil || sd.Name != "posts" || len(sd.ParamOIDs) != 1 || len(sd.Fields) != 1 || strings.Contains(sd.SQL, "$2") {
			t.Fatalf("got %+v, %v", sd, err)
		}
		for range 2 {
			wantPgxIDs(t.Context(), t, tx, []int64{1}, "posts", 10)
			wantPgxIDs(scoped.With(site1, "site", 2), t, tx, []int64{2}, "posts", 10)
			wantPgxIDs(scoped.With(site1, "site", scoped.AnyOf(1, 2)), t, tx, []int64{1, 2}, "posts", 10)
		}
		sd, err = tx.Prepare(t.Context(), "insert", "INSERT INTO post (site_id) VALUES ($1) RETURNING id, title")
		if err != nil || len(sd.ParamOIDs) != 1 || len(sd.Fields) != 2 {
			t.Errorf("got %+v, %v", sd, err)
		}
		for sql, code := range map[string]scoped.Code{
			"SELECT id FROM secret": scoped.CodeTable, "SELECT 1; SELECT 2": scoped.CodeStatement, "SELEC": scoped.CodeSyntax,
		} {
			_, err := tx.Prepare(t.Context(), "x", sql)
			wantError(t, err, code)
		}
		_, err = pgxIDs(site1, tx, "nosuch")
		wantError(t, err, scoped.CodeSyntax)
	})
}

// A statement that a hook of the pool prepared is not known by its name.
func TestPoolPreparedByAHook(t *testing.T) {
	p := newPool(t, func(c *pgxpool.Config) {
		c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Prepare(ctx, "everything", "SELECT id FROM post")
			return err
		}
	})
	_, err := pgxIDs(scoped.With(t.Context(), "site", 1), p, "everything")
	wantError(t, err, scoped.CodeSyntax)
	wantPgxIDs(scoped.Disable(t.Context(), "test"), t, p, []int64{1, 2}, "everything")
}

func TestPoolCursors(t *testing.T) {
	eachPool(t, func(t *testing.T, p *pooled, _ pgx.QueryExecMode) {
		site1, site2 := scoped.With(t.Context(), "site", 1), scoped.With(t.Context(), "site", 2)
		const fetch = "FETCH ALL FROM c"
		tx := beginPgx(site1, t, p)
		wantPgxExec(t.Context(), t, tx, 0, "DECLARE c CURSOR FOR SELECT id FROM post")
		_, err := pgxIDs(site2, tx, fetch)
		wantError(t, err, scoped.CodeScope)
		wantPgxIDs(t.Context(), t, tx, []int64{1}, fetch)
		wantPgxExec(t.Context(), t, tx, 0, "CLOSE c")
		_, err = pgxIDs(t.Context(), tx, fetch)
		wantError(t, err, scoped.CodeStatement)

		// By Query too.
		rows, err := tx.Query(t.Context(), "DECLARE c CURSOR FOR SELECT id FROM post WHERE id < $1", 5)
		if err != nil || rows.Next() || rows.Err() != nil {
			t.Fatal(err, rows.Err())
		}
		_, err = pgxIDs(site2, tx, fetch)
		wantError(t, err, scoped.CodeScope)
		wantPgxIDs(site1, t, tx, []int64{1}, fetch)
		if err := tx.Commit(t.Context()); err != nil {
			t.Error(err)
		}
		tx = beginPgx(site1, t, p)
		_, err = pgxIDs(t.Context(), tx, fetch)
		wantError(t, err, scoped.CodeStatement)
	})
}

func TestPoolBatch(t *testing.T) {
	eachPool(t, func(t *testing.T, p *pooled, _ pgx.QueryExecMode) {
		site1 := scoped.With(t.Context(), "site", 1)
		batch := new(pgx.Batch)
		batch.Queue(allPosts)
		batch.Queue("INSERT INTO post (id, site_id) VALUES ($1, 1), ($2, 1) RETURNING id", 10, 11)
		batch.Queue("INSERT INTO post (id) VALUES (@id)", pgx.NamedArgs{"id": 12})
		batch.Queue("INSERT INTO comment (id, post_id) VALUES (10, 10)")
		batch.Queue("SELECT title FROM post WHERE id = $1", 1)
		results := p.SendBatch(site1, batch)
		rows, err := results.Query()
		if got, collectErr := pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil || collectErr != nil || !slices.Equal(got, []int64{1}) {
			t.Errorf("got %v, %v, %v", got, err, collectErr)
		}
		rows, _ = results.Query()
		if rows.Conn() != nil {
			t.Error("the rows hand out the connection")
		}
		if got, err := pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil || !slices.Equal(got, []int64{10, 11}) {
			t.Errorf("got %v, %v", got, err)
		}
		for range 2 {
			if tag, err := results.Exec(); err != nil || tag.RowsAffected() != 1 {
				t.Errorf("got %v, %v", tag, err)
			}
		}
		var title string
		if err := results.QueryRow().Scan(&title); err != nil || title != "I was stabbed" {
			t.Errorf("got %q, %v", title, err)
		}
		if _, err := results.Exec(); err == nil {
			t.Error("there was a result too many")
		}
		if err := results.Close(); err != nil {
			t.Error(err)
		}
		p.truth([]int64{1, 10, 11, 12}, "SELECT id FROM post WHERE site_id = 1 ORDER BY id")

		// What is registered is called with the results as the user shall see them,
		// and the batch stays the user's.
		batch = new(pgx.Batch)
		var ids []int64
		const insert = "INSERT INTO post (site_id, title) VALUES (1, 'x') RETURNING id, title"
		batch.Queue(insert).Query(func(rows pgx.Rows) (err error) {
			if n := len(rows.FieldDescriptions()); n != 2 {
				t.Errorf("%d columns", n)
			}
			ids, err = pgx.AppendRows(ids, rows, func(row pgx.CollectableRow) (id int64, err error) { return id, row.Scan(&id, nil) })
			return err
		})
		batch.Queue("DELETE FROM post WHERE id >= 10").Exec(func(tag pgconn.CommandTag) error {
			ids = append(ids, tag.RowsAffected())
			return nil
		})
		batch.Queue("SELECT 1")
		batch.Queue("SELECT count(*) FROM post").QueryRow(func(row pgx.Row) error {
			ids = append(ids, 0)
			return row.Scan(&ids[2])
		})
		if err := p.SendBatch(site1, batch).Close(); err != nil || len(ids) != 3 || ids[1] != 4 || ids[2] != 1 {
			t.Errorf("got %v, %v", ids, err)
		}
		if batch.QueuedQueries[0].SQL != insert || batch.Len() != 4 {
			t.Error("the batch was changed")
		}
		if err := p.SendBatch(site1, new(pgx.Batch)).Close(); err != nil {
			t.Error(err)
		}
		disabled := new(pgx.Batch)
		disabled.Queue(allPosts).Query(func(rows pgx.Rows) error {
			got, err := pgx.CollectRows(rows, pgx.RowTo[int64])
			if len(got) != 2 {
				t.Errorf("got %v", got)
			}
			return err
		})
		if err := p.SendBatch(scoped.Disable(site1, "test"), disabled).Close(); err != nil {
			t.Error(err)
		}
	})
}

func batchOf(statements ...string) *pgx.Batch {
	b := new(pgx.Batch)
	for _, s := range statements {
		b.Queue(s)
	}
	return b
}

// One statement that is refused refuses all; one that leaves the scope undoes all.
func TestPoolBatchFails(t *testing.T) {
	eachPool(t, func(t *testing.T, p *pooled, mode pgx.QueryExecMode) {
		p.unchanged("post", "comment", "tag")
		site1 := scoped.With(t.Context(), "site", 1)
		for statement, code := range map[string]scoped.Code{
			"SELECT * FROM secret": scoped.CodeTable, "DELETE FROM bookmark": scoped.CodeScopeRequired,
			"DROP TABLE tag": scoped.CodeStatement, "SELECT 1; SELECT 2": scoped.CodeStatement,
			"DELETE FROM tag WHERE id = $1": scoped.CodeArguments, "FETCH ALL FROM c": scoped.CodeStatement,
		} {
			batch := batchOf("DELETE FROM post", statement)
			results := p.SendBatch(site1, batch)
			_, err := results.Exec()
			wantError(t, err, code)
			if err := results.Close(); wantError(t, err, code) == nil || !strings.Contains(err.Error(), "statement 2 of the batch") {
				t.Errorf("got %v", err)
			}
		}
		// pgx knows modes in a batch for arguments.
		batch := new(pgx.Batch)
		batch.Queue(allPosts, pgx.QueryExecModeExec)
		wantError(t, p.SendBatch(site1, batch).Close(), scoped.CodeArguments)

		for _, violating := range []string{"UPDATE post SET site_id = 2", "INSERT INTO comment (post_id) VALUES (2) RETURNING id"} {
			err := p.SendBatch(site1, batchOf("UPDATE post SET title = 'x'", violating, "DELETE FROM tag")).Close()
			wantError(t, err, scoped.CodeViolation)
			results := p.SendBatch(site1, batchOf("DELETE FROM comment", violating, "DELETE FROM tag"))
			if _, err := results.Exec(); err != nil {
				t.Error(err)
			}
			wantError(t, results.QueryRow().Scan(new(int64)), scoped.CodeViolation)
			wantError(t, results.Close(), scoped.CodeViolation)
			// Nobody looks at the error, but it is there.
			batch := batchOf("DELETE FROM comment")
			batch.Queue(violating).Query(func(rows pgx.Rows) error { rows.Close(); return nil })
			wantError(t, p.SendBatch(site1, batch).Close(), scoped.CodeViolation)
			ours := errors.New("ours")
			batch = new(pgx.Batch)
			batch.Queue(violating).QueryRow(func(row pgx.Row) error {
				wantError(t, row.Scan(new(int64)), scoped.CodeViolation)
				return ours
			})
			if err := p.SendBatch(site1, batch).Close(); !errors.Is(err, ours) {
				t.Errorf("got %v", err)
			}
		}

		const failing = "SELECT id FROM post WHERE title = 'ä' AND nosuch"
		place := charOf(failing, "nosuch")
		if mode == pgx.QueryExecModeSimpleProtocol {
			place = 0 // the server counts in a text of all of them
		}
		wantPosition(t, p.SendBatch(site1, batchOf(allPosts, failing, "DELETE FROM tag")).Close(), place)
		results := p.SendBatch(site1, batchOf(allPosts, failing))
		var err error
		for range 3 {
			if _, err = results.Exec(); err != nil {
				break
			}
		}
		wantPosition(t, err, place)
		_, err = results.Exec()
		wantPosition(t, err, place)
		wantPosition(t, results.Close(), place)
		wantPosition(t, results.Close(), place)
	})
}

func TestPoolBatchInATransaction(t *testing.T) {
	eachPool(t, func(t *testing.T, p *pooled, _ pgx.QueryExecMode) {
		none, site1 := t.Context(), scoped.With(t.Context(), "site", 1)
		tx := beginPgx(site1, t, p)
		if err := tx.SendBatch(none, batchOf("INSERT INTO post (id) VALUES (10)", "DECLARE c CURSOR FOR "+allPosts, "FETCH 1 FROM c")).Close(); err != nil {
			t.Error(err)
		}
		wantPgxIDs(none, t, tx, []int64{10}, "FETCH ALL FROM c")
		_, err := pgxIDs(scoped.With(none, "site", 2), tx, "FETCH ALL FROM c")
		wantError(t, err, scoped.CodeScope)
		begins := new(pgx.Batch)
		begins.BeginTx(pgx.TxOptions{})
		if err := tx.SendBatch(none, begins).Close(); err == nil {
			t.Error("a transaction began inside another")
		}
		if err := tx.Commit(none); err != nil {
			t.Error(err)
		}

		begins = new(pgx.Batch)
		begins.BeginTx(pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
		begins.Queue("INSERT INTO post (id) VALUES (11)")
		results := p.SendBatch(site1, begins)
		tx = results.Tx()
		defer func() { _ = tx.Rollback(none) }()
		if err := results.Close(); err != nil {
			t.Fatal(err)
		}
		wantPgxIDs(none, t, tx, []int64{1, 10, 11}, allPosts)
		if tx.Conn() != nil {
			t.Error("the transaction hands out the connection")
		}
		if err := tx.Commit(none); err != nil {
			t.Error(err)
		}
		p.truth([]int64{1, 2, 10, 11}, allPosts)

		// Of a transaction that could not begin, nothing stays.
		begins = new(pgx.Batch)
		begins.BeginTx(pgx.TxOptions{IsoLevel: "serializable; DELETE FROM post"})
		results = p.SendBatch(site1, begins)
		wantError(t, results.Close(), scoped.CodeStatement)
		if err := results.Tx().Rollback(none); !errors.Is(err, pgx.ErrTxClosed) {
			t.Error(err)
		}
		begins = new(pgx.Batch)
		begins.BeginTx(pgx.TxOptions{})
		begins.Queue("SELECT nosuch FROM post")
		results = p.SendBatch(site1, begins)
		if err := results.Close(); err == nil {
			t.Error("an unknown column was accepted")
		}
		_ = results.Tx().Rollback(none)
		p.truth([]int64{1, 2, 10, 11}, allPosts)
	})
}
