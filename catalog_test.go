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

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/internal/pgtest"
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
	policy := "scope_policy=" + policyFile(t, blogPolicy)

	db := openDB(t, scoped.DriverName, withParameters(t, dsn, policy))
	_, err := ids(ctx, db, starred)
	e := wantError(t, err, scoped.CodeConstruct)
	if !strings.Contains(e.Hint, "catalogue") {
		t.Errorf("the hint is %q", e.Hint)
	}
	for _, value := range []string{file, "server"} {
		db := openDB(t, scoped.DriverName, withParameters(t, dsn, policy, "scope_catalog="+value))
		wantIDs(ctx, t, db, []int64{1}, starred)
		_, err := ids(ctx, db, "WITH moved AS (UPDATE post SET site_id = 2 RETURNING *) SELECT id FROM moved")
		wantError(t, err, scoped.CodeViolation)
		_, err = ids(ctx, db, "SELECT p.reveal FROM post p")
		wantError(t, err, scoped.CodeFunction)
	}
}

func TestCatalogFaults(t *testing.T) {
	policy := policyFile(t, blogPolicy)
	_, err := sql.Open(scoped.DriverName, "scope_catalog=/nosuch.json scope_policy="+policy)
	wantError(t, err, scoped.CodeConfig)
	if !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	_, err = sql.Open(scoped.DriverName, "scope_policy="+policy+" scope_catalog="+policy)
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
	db, mock := mocked(t, scoped.WithServerCatalog())
	gone := errors.New("gone")
	mock.ExpectQuery(catalog.Query).WillReturnError(gone)
	mock.ExpectClose()
	mock.ExpectQuery(catalog.Query).WillReturnRows(sqlmock.NewRows([]string{"a"}).AddRow(1))
	mock.ExpectClose()
	mock.ExpectQuery(catalog.Query).WillReturnRows(sqlmock.NewRows([]string{"a"}).AddRow(
		[]byte(`{"version": 1, "tables": [{"schema": "public", "name": "post", "kind": "table", "columns": [{"name": "id", "type": "bigint"}]}], "functions": []}`)))
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
	_, err := ids(ctx, db, "SELECT p.title FROM post p")
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
