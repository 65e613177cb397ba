package scoped_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

// A statement that needs a catalogue: its star has to be written out.
const starred = "WITH moved AS (UPDATE post SET site_id = 1 WHERE id = 1 RETURNING *) SELECT id FROM moved"

func snapshot(t *testing.T, dsn string) *catalog.Catalog {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	c, err := catalog.Read(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCatalogOfDSN(t *testing.T) {
	dsn := pgtest.DSN(t, blogSchema)
	ctx := scoped.With(t.Context(), "site", 1)
	var text bytes.Buffer
	if _, err := snapshot(t, dsn).WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "catalog.json")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	policyKey := "scope_policy=" + policyFile(t, blogPolicy)

	db := openDB(t, scoped.DriverName, withParameters(t, dsn, policyKey))
	_, err := ids(ctx, db, starred)
	e := wantError(t, err, scoped.CodeConstruct)
	if !strings.Contains(e.Hint, "catalogue") {
		t.Errorf("the hint is %q", e.Hint)
	}
	for _, value := range []string{file, "server"} {
		db := openDB(t, scoped.DriverName, withParameters(t, dsn, policyKey, "scope_catalog="+value))
		wantIDs(ctx, t, db, []int64{1}, starred)
		_, err := ids(ctx, db, "WITH moved AS (UPDATE post SET site_id = 2 RETURNING *) SELECT id FROM moved")
		wantError(t, err, scoped.CodeViolation)
		_, err = ids(ctx, db, "SELECT p.reveal FROM post p")
		wantError(t, err, scoped.CodeFunction)
	}
}

func TestCatalogFaults(t *testing.T) {
	file := policyFile(t, blogPolicy)
	_, err := sql.Open(scoped.DriverName, "scope_catalog=/nosuch.json scope_policy="+file)
	wantError(t, err, scoped.CodeConfig)
	if !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	_, err = sql.Open(scoped.DriverName, "scope_policy="+file+" scope_catalog="+file)
	var fault *catalog.Error
	if wantError(t, err, scoped.CodeConfig); !errors.As(err, &fault) {
		t.Error(err)
	}
}

func TestWithCatalog(t *testing.T) {
	b := newConnectedBlog(t, scoped.WithCatalog(nil))
	ctx := scoped.With(t.Context(), "site", 1)
	_, err := ids(ctx, b.DB, starred)
	wantError(t, err, scoped.CodeConstruct)

	b = newConnectedBlog(t, scoped.WithServerCatalog())
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { wantIDs(ctx, t, b.DB, []int64{1}, "SELECT id FROM post WHERE id = 1") })
	}
	group.Wait()
	wantIDs(ctx, t, b.DB, []int64{1}, starred)
}

// The server is asked once, and again only if it did not answer.
func TestServerCatalogIsReadOnce(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte("version: 1\ndimensions: {site: {type: bigint}}\ntables: {post: {site: site_id}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	db, mock := mockedUnder(t, p, scoped.WithServerCatalog())
	gone := errors.New("gone")
	mock.ExpectQuery(catalog.Query).WillReturnError(gone)
	mock.ExpectClose()
	mock.ExpectQuery(catalog.Query).WillReturnRows(sqlmock.NewRows([]string{"a"}).AddRow(1))
	mock.ExpectClose()
	mock.ExpectQuery(catalog.Query).WillReturnRows(sqlmock.NewRows([]string{"a"}).AddRow(
		[]byte(`{"version": 1, "tables": [{"schema": "public", "name": "post", "kind": "table", "columns": [{"name": "id", "type": "bigint"}, {"name": "site_id", "type": "bigint"}]}], "functions": []}`)))
	mock.ExpectQuery("SELECT p.id FROM (public.post p JOIN (SELECT) AS scoped_1 ON p.site_id = $1::bigint)").WillReturnRows(sqlmock.NewRows([]string{"id"}))
	mock.ExpectQuery("SELECT 2").WillReturnRows(sqlmock.NewRows([]string{"id"}))

	ctx := scoped.With(t.Context(), "site", 1)
	for _, want := range []error{gone, nil} {
		_, err := ids(ctx, db, "SELECT p.id FROM post p")
		e := wantError(t, err, scoped.CodeConfig)
		if want != nil && !errors.Is(err, want) || e.Hint == "" {
			t.Error(err)
		}
	}
	if _, err := ids(ctx, db, "SELECT p.id FROM post p"); err != nil {
		t.Fatal(err)
	}
	_, err = ids(ctx, db, "SELECT p.title FROM post p")
	wantError(t, err, scoped.CodeFunction)
	held, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if _, err := ids(ctx, db, "SELECT 2"); err != nil { // on another connection
		t.Fatal(err)
	}
}

// A policy whose tables the database lacks, or has in another form, is told with
// the places of all of them, wherever the catalogue comes from.
func TestScenario24PolicyThatDoesNotFit(t *testing.T) {
	dsn := pgtest.DSN(t, blogSchema)
	const text = `version: 1
dimensions: {site: {type: bigint}, key: {type: uuid}}
tables:
  post: {site: site}
  comment: {site: post_id -> post(key)}
  comments: {site: site_id}
  bookmark: {key: user_id}
  device: {site: owner -> post}
  secret: denied
  tag: shared
  page: {site: rank, references: {nosuch: post}}
`
	want := `scoped: the policy does not fit the database:
FILE:4:3: table public.post has no column site; it has id, site_id, title
FILE:5:3: the path post_id -> public.post(key) of public.comment leads to a column that does not exist; it has id, site_id, title
FILE:6:3: table public.comments does not exist; create it, take another snapshot, or remove the entry
FILE:7:3: column user_id of public.bookmark is of type bigint, and dimension "key" of type uuid; give dimension "key" the column's type
FILE:8:3: the path owner -> public.post(id) of public.device leads from type uuid to type bigint; let the column refer to one of its own type
FILE:11:3: table public.page has no column nosuch; it has path, realm, rank`
	file := policyFile(t, text)
	want = strings.ReplaceAll(want, "FILE", file)
	check := func(err error) {
		t.Helper()
		var mistakes policy.Errors
		if wantError(t, err, scoped.CodeConfig); !errors.As(err, &mistakes) || len(mistakes) != 6 || err.Error() != want {
			t.Errorf("got %v", err)
		}
	}
	db := openDB(t, scoped.DriverName, withParameters(t, dsn, "scope_policy="+file, "scope_catalog=server"))
	for range 2 {
		check(db.PingContext(t.Context()))
	}
	p, err := policy.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	c := scoped.NewConnector(stdlib.GetConnector(*config), p, scoped.WithCatalog(snapshot(t, dsn)))
	_, err = c.Connect(t.Context())
	check(err)

	// One that fits replaces it, and not the other way round.
	if err := c.SetPolicy(parsePolicy(t)); err != nil {
		t.Fatal(err)
	}
	check(c.SetPolicy(p))
	wantError(t, c.SetPolicy(nil), scoped.CodeConfig)
	db = sql.OpenDB(c)
	defer db.Close()
	wantIDs(scoped.With(t.Context(), "site", 1), t, db, []int64{1}, allPosts)

	var snapshotText bytes.Buffer
	if _, err := snapshot(t, dsn).WriteTo(&snapshotText); err != nil {
		t.Fatal(err)
	}
	catalogFile := filepath.Join(t.TempDir(), "catalog.json")
	if err := os.WriteFile(catalogFile, snapshotText.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = scoped.OpenConnector("scope_policy=" + file + " scope_catalog=" + catalogFile)
	check(err)
}
