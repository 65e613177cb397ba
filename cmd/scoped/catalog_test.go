package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/internal/pgtest"
)

// TestCatalog prints a catalogue and rewrites with it.
func TestCatalog(t *testing.T) {
	dsn := pgtest.DSN(t, `CREATE TABLE post (id bigint PRIMARY KEY, site_id bigint); CREATE SCHEMA app; CREATE TABLE app.other ()`)
	var stdout, stderr bytes.Buffer
	if status := run([]string{"catalog", "--dsn", dsn, "--schema", "public"}, nil, &stdout, &stderr); status != exitOK || stderr.Len() > 0 {
		t.Fatal(status, stderr.String())
	}
	if text := stdout.String(); !strings.Contains(text, `{"name": "site_id", "type": "bigint"}`) || strings.Contains(text, "other") {
		t.Error(text)
	}
	file := filepath.Join(t.TempDir(), "catalog.json")
	if err := os.WriteFile(file, stdout.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, exitOK, "INSERT INTO public.post VALUES (5) RETURNING"},
		{[]string{"--catalog", file}, exitOK, "INSERT INTO public.post (id, site_id) VALUES (5, $1::bigint)"},
		{[]string{"--catalog", file + ".none"}, exitFault, ""},
		{[]string{"--catalog", testPolicy}, exitFault, ""},
	} {
		stdout.Reset()
		stderr.Reset()
		args := append([]string{"rewrite", "--policy", testPolicy, "--scope", "site=1"}, c.args...)
		status := run(args, strings.NewReader("INSERT INTO post VALUES (5)"), &stdout, &stderr)
		if status != c.status || !strings.Contains(stdout.String(), c.want) || (status == exitFault) != strings.Contains(stderr.String(), "catalog") {
			t.Errorf("%v: exit status %d, %s%s", c.args, status, stdout.String(), stderr.String())
		}
	}
}

// TestCatalogFor prints the catalogue of tables that live in a schema for each
// value, and rewrites with it.
func TestCatalogFor(t *testing.T) {
	schema, err := os.ReadFile(filepath.Join(filepath.Dir(schemasPolicy), "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if status := run([]string{"catalog", "--dsn", pgtest.DSN(t, string(schema)), "--policy", schemasPolicy}, nil, &stdout, &stderr); status != exitOK || stderr.Len() > 0 {
		t.Fatal(status, stderr.String())
	}
	if text := stdout.String(); !strings.Contains(text, `"schema": "t__template"`) || strings.Contains(text, "t_acme") {
		t.Error(text)
	}
	file := filepath.Join(t.TempDir(), "catalog.json")
	if err := os.WriteFile(file, stdout.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout.Reset()
	args := []string{"rewrite", "--policy", schemasPolicy, "--scope", "tenant=acme", "--scope", "site=1", "--catalog", file}
	const want = `INSERT INTO "t_acme".invoice_line (id, invoice_id, site_id) VALUES (9, 1, $1::bigint)`
	if status := run(args, strings.NewReader("INSERT INTO invoice_line VALUES (9, 1)"), &stdout, &stderr); status != exitOK || !strings.Contains(stdout.String(), want) {
		t.Error(status, stdout.String(), stderr.String())
	}
}

func TestDatabaseFaults(t *testing.T) {
	for _, args := range [][]string{
		{"catalog", "file.sql"}, {"catalog", "--nosuch"}, {"catalog", "--dsn", "postgres://%zz/"},
		{"catalog", "--dsn", "host=/nowhere port=1 password=sesame"},
		{"explain", "--policy", testPolicy, "--dsn", "host=/nowhere port=1 password=sesame", "SELECT 1"},
		{"explain", "--policy", testPolicy, "--analyze", "--dsn", "postgres://%zz/", "SELECT 1"},
	} {
		var stdout, stderr bytes.Buffer
		if status := run(args, nil, &stdout, &stderr); status != exitFault || stdout.Len() > 0 ||
			!strings.HasPrefix(stderr.String(), "scoped "+args[0]+": ") || strings.Contains(stderr.String(), "sesame") {
			t.Errorf("%v: exit status %d, %s%s", args, status, stdout.String(), stderr.String())
		}
	}
}
