package scoped_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

// Every row says "secret", wherever a message could quote it.
const poisonSchema = `
CREATE TABLE paper (id bigint PRIMARY KEY, site_id bigint NOT NULL, body text, n int);
INSERT INTO paper SELECT i, 1, CASE WHEN i < 200 THEN '7' ELSE 'secret' END, 0 FROM generate_series(1, 200) i;
CREATE TABLE short (id bigint PRIMARY KEY, site_id bigint NOT NULL, rank int);
CREATE TABLE room (site_id bigint NOT NULL, name text, during int4range, EXCLUDE USING gist (during WITH &&));
INSERT INTO room VALUES (1, 'a', '[4711,4812)');
CREATE TABLE later (id bigint, site_id bigint NOT NULL);
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 'secret'::text::int; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON later DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail();
`

const poisonPolicy = `version: 1
dimensions: {site: {type: bigint}}
tables:
  paper: {site: site_id}
  short: {site: site_id}
  room: {site: site_id}
  later: {site: site_id}
`

// openPoison opens the database of poisonSchema, through the driver and plainly.
func openPoison(t *testing.T, settings string, parameters ...string) (db, plain *sql.DB) {
	t.Helper()
	dsn := pgtest.DSN(t, poisonSchema)
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(poisonPolicy+settings), 0o600); err != nil {
		t.Fatal(err)
	}
	return openDB(t, scoped.DriverName, withParameters(t, dsn, append(parameters, "scope_policy="+file)...)), openDB(t, "pgx", dsn)
}

// Statements that fail on a value of a row, and the server's answers.
var poisoned = []struct{ query, state string }{
	{"SELECT body::int FROM paper ORDER BY id", "22P02"}, // behind 199 rows
	{"SELECT body::int FROM paper WHERE id = 200", "22P02"},
	{"SELECT body::date FROM paper WHERE id = 200", "22007"},
	{"SELECT body::json FROM paper WHERE id = 200", "22P02"}, // in the detail and the context too
	{"SELECT body::uuid FROM paper WHERE id = 200", "22P02"},
	{"SELECT (body || '[')::int4range FROM paper WHERE id = 200", "22P02"},
	{"SELECT (body || repeat('9', 99))::int FROM paper WHERE id = 200", "22P02"},
	{"SELECT now() AT TIME ZONE body FROM paper WHERE id = 200", "22023"},
	{"SELECT body::xml FROM paper WHERE id = 200 AND xmlparse(document body) IS NULL", "2200M"},
	{"SELECT body::regclass FROM paper WHERE id = 200", "42P01"},
	{"SELECT body::regtype FROM paper WHERE id = 200", "42704"},
	{"SELECT body::regproc FROM paper WHERE id = 200", "42883"},
	{"SELECT body::regnamespace FROM paper WHERE id = 200", "3F000"},
	{"SELECT (body || ' x')::tsquery FROM paper WHERE id = 200", "42601"},
	{"INSERT INTO short (id, rank) SELECT id, body::int FROM paper WHERE id = 200", "22P02"},
	{"UPDATE paper SET n = body::int WHERE id = 200", "22P02"},
	{"WITH u AS (UPDATE paper SET n = body::int RETURNING id) SELECT id FROM u", "22P02"},
	{"DELETE FROM paper WHERE body::int > 0", "22P02"},
}

// quoted returns the texts of an error and of everything in its chain that say
// the value.
func quoted(err error, value string) (texts []string) {
	for _, format := range []string{"%v", "%+v", "%#v"} {
		if s := fmt.Sprintf(format, err); strings.Contains(s, value) {
			texts = append(texts, s)
		}
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		v := reflect.ValueOf(*pgErr)
		for i := range v.NumField() {
			if s := fmt.Sprint(v.Field(i).Interface()); strings.Contains(s, value) {
				texts = append(texts, v.Type().Field(i).Name+": "+s)
			}
		}
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		texts = append(texts, quoted(e.Unwrap(), value)...)
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			texts = append(texts, quoted(err, value)...)
		}
	}
	return texts
}

func TestValuesAreHidden(t *testing.T) {
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			db, plain := openPoison(t, "", "default_query_exec_mode="+mode)
			shown, _ := openPoison(t, "errors: {values: shown}\n", "default_query_exec_mode="+mode)
			site1, disabled := scoped.With(t.Context(), "site", 1), scoped.Disable(t.Context(), "test")
			for _, p := range poisoned {
				_, own := ids(t.Context(), plain, p.query)
				var want *pgconn.PgError
				if !errors.As(own, &want) || want.Code != p.state || len(quoted(own, "secret")) == 0 {
					t.Fatalf("%s: the server says %#v", p.query, own)
				}
				check := func(err error) {
					t.Helper()
					var e *pgconn.PgError
					if !errors.As(err, &e) || e.Code != want.Code || e.Severity != want.Severity ||
						e.Routine != want.Routine || e.Line != want.Line || e.Hint == "" {
						t.Errorf("%s: got %#v", p.query, err)
					}
					if texts := quoted(err, "secret"); len(texts) > 0 {
						t.Errorf("%s: the value is in %q", p.query, texts)
					}
				}
				_, err := ids(site1, db, p.query)
				check(err)
				_, err = db.ExecContext(site1, p.query)
				check(err)
				s := prepare(site1, t, db, p.query)
				_, err = ids(site1, prepared{s}, "")
				check(err)
				_, err = s.ExecContext(site1)
				check(err)

				if _, err = ids(site1, shown, p.query); err == nil || err.Error() != own.Error() {
					t.Errorf("%s: with values shown got %v, want %v", p.query, err, own)
				}
				if _, err = ids(disabled, db, p.query); err == nil || err.Error() != own.Error() {
					t.Errorf("%s: with scopes disabled got %v, want %v", p.query, err, own)
				}
			}
		})
	}
}

// What is about the text of the statement, about a column or a constraint, or of
// another class, is passed on.
func TestWhatIsNotHidden(t *testing.T) {
	db, _ := openPoison(t, "")
	site1 := scoped.With(t.Context(), "site", 1)
	for _, c := range []struct{ query, state, message string }{
		{"SELECT id FROM paper WHERE id = 'mine'", "22P02", `invalid input syntax for type bigint: "mine"`},
		{"SELECT 'nosuch'::regclass FROM paper", "42P01", `relation "nosuch" does not exist`},
		{"SELECT nosuch FROM paper", "42703", `column "nosuch" does not exist`},
		{"INSERT INTO paper (id) VALUES (1)", "23505", `duplicate key value violates unique constraint "paper_pkey"`},
		{"INSERT INTO short (id, rank) SELECT id, 1 FROM paper ON CONFLICT (rank) DO NOTHING", "42P10", "there is no unique or exclusion constraint matching the ON CONFLICT specification"},
	} {
		_, err := db.ExecContext(site1, c.query)
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != c.state || e.Message != c.message {
			t.Errorf("%s: got %v", c.query, err)
			continue
		}
		if e.Code == "22P02" && int(e.Position) != strings.Index(c.query, "'mine'")+1 {
			t.Errorf("%s: at %d", c.query, e.Position)
		}
		if e.Code == "23505" && e.Detail != "Key (id)=(1) already exists." {
			t.Errorf("%s: %q", c.query, e.Detail)
		}
	}
}

// The detail of an exclusion constraint quotes a row that was there before.
func TestExclusionConstraintHidesTheOtherRow(t *testing.T) {
	db, plain := openPoison(t, "")
	const insert = "INSERT INTO room (site_id, during) VALUES (2, '[4800,9000)')"
	_, err := plain.ExecContext(t.Context(), insert)
	if len(quoted(err, "4812")) == 0 {
		t.Fatal(err)
	}
	_, err = db.ExecContext(scoped.With(t.Context(), "site", 2), insert)
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != "23P01" || !strings.Contains(e.Message, "room_during_excl") || e.ConstraintName != "room_during_excl" {
		t.Errorf("got %#v", err)
	}
	if texts := quoted(err, "4812"); len(texts) > 0 {
		t.Errorf("the other row is in %q", texts)
	}
}

func TestValuesAreHiddenAtCommit(t *testing.T) {
	db, _ := openPoison(t, "")
	for hidden, ctx := range map[bool]context.Context{
		true:  scoped.With(t.Context(), "site", 1),
		false: scoped.Disable(t.Context(), "test"),
	} {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantExec(ctx, t, tx, 1, "INSERT INTO later (site_id) VALUES (1)")
		err = tx.Commit()
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != "22P02" || (len(quoted(err, "secret")) == 0) != hidden {
			t.Errorf("hidden %v: got %#v", hidden, err)
		}
	}
}

// A base that is not pgx has errors of a type of its own.
func TestValuesOfAnotherBaseAreHidden(t *testing.T) {
	db, mock := mocked(t)
	site1 := scoped.With(t.Context(), "site", 1)
	for _, c := range []struct {
		err    error
		hidden bool
	}{
		{foreign{"22003"}, true},
		{fmt.Errorf("base: %w", foreign{"22P02"}), true},
		{foreign{"22ZZZ"}, true},
		{fmt.Errorf("secret: %w", &pgconn.PgError{Code: "22012", Message: "secret"}), true},
		{foreign{"23505"}, false},
		{errors.New("secret"), false},
	} {
		mock.ExpectQuery("").WillReturnError(c.err)
		_, err := ids(site1, db, allPosts)
		if err == nil || errors.Is(err, c.err) == c.hidden || (len(quoted(err, "secret")) == 0) != c.hidden {
			t.Errorf("%v: got %#v", c.err, err)
		}
		var coded interface{ SQLState() string }
		if c.hidden && (!errors.As(err, &coded) || !strings.HasPrefix(coded.SQLState(), "22")) {
			t.Errorf("%v: got %#v", c.err, err)
		}
	}
}

type foreign struct{ code string }

func (f foreign) Error() string    { return "secret " + f.code }
func (f foreign) SQLState() string { return f.code }

// The same for pgx without database/sql: its rows, batches and COPY.
func TestValuesAreHiddenInAPool(t *testing.T) {
	dsn := pgtest.DSN(t, poisonSchema)
	base, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(base.Close)
	p, err := policy.Parse("policy.yaml", []byte(poisonPolicy))
	if err != nil {
		t.Fatal(err)
	}
	pool := scoped.Pool(base, p)
	site1 := scoped.With(t.Context(), "site", 1)
	check := func(what, state string, err error) {
		t.Helper()
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != state || e.Hint == "" || e.Where != "" {
			t.Errorf("%s: got %#v", what, err)
		}
		if texts := quoted(err, "secret"); len(texts) > 0 {
			t.Errorf("%s: the value is in %q", what, texts)
		}
	}
	for _, c := range poisoned {
		rows, err := pool.Query(site1, c.query)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
		}
		check(c.query, c.state, err)
		_, err = pool.Exec(site1, c.query)
		check(c.query, c.state, err)
		batch := new(pgx.Batch)
		batch.Queue("SELECT 1")
		batch.Queue(c.query)
		check(c.query, c.state, pool.SendBatch(site1, batch).Close())
	}
	check("one row", "22P02", pool.QueryRow(site1, "SELECT body::int FROM paper WHERE id = 200").Scan(new(int)))
	_, err = pool.CopyFrom(site1, pgx.Identifier{"paper"}, []string{"id", "body"}, pgx.CopyFromRows([][]any{{1000, "secret\x00"}}))
	check("COPY", "22021", err)
	tx, err := pool.Begin(site1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(site1, "INSERT INTO later (site_id) VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	check("COMMIT", "22P02", tx.Commit(site1))
}
