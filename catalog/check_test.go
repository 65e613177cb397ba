package catalog_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
)

func TestCheckGolden(t *testing.T) {
	c, err := catalog.Load("../testdata/rewrite/catalog.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Load("../testdata/rewrite/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Check(p) {
		// Their comment in schema.sql says why they refer to nothing.
		if f.Table != "public.link" && f.Table != "public.notice" {
			t.Error(f)
		}
	}
}

// What lies in a schema for each value is compared with the template.
func TestCheckSchemas(t *testing.T) {
	conn, _ := connect(t, script(t, "../testdata/rewrite/schemas/schema.sql"), `
		DROP TABLE t__template."Archive";
		ALTER TABLE t__template.invoice_line DROP site_id;
		ALTER TABLE t_acme.line_note DROP line_id;
		DROP TABLE t_acme.invoice CASCADE;
		CREATE VIEW t__template.log_view AS SELECT 1;`)
	p, err := policy.Load("../testdata/rewrite/schemas/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all, err := catalog.Read(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	some, err := catalog.ReadFor(t.Context(), conn, p)
	if err != nil {
		t.Fatal(err)
	}
	for c, hint := range map[*catalog.Catalog]string{
		all:  "the schema t_O'Neil has one: create it in the template too, or remove the entry",
		some: "create it, take another snapshot, or remove the entry",
	} {
		var got []string
		for _, f := range c.Check(p) {
			got = append(got, fmt.Sprint(f.Code, " ", f))
		}
		if want := []string{
			"column-missing 12:3: table t__template.invoice_line has no column site_id; it has id, invoice_id, amount",
			"table-missing 15:3: table t__template.Archive does not exist; " + hint,
		}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

const unfitting = `version: 1
dimensions:
  site: {type: bigint}
  key: {type: uuid}
tables:
  nowhere: {site: id}
  no_more: denied
  child: {site: id}
  Child: {site: Id}
  parent: {site: gone, key: e}
  part: {site: n -> child(nothing)}
  "part_*": {key: n}
  of_part: {site: k -> part}
  far: {site: id, where: gone IS NULL AND id > 0, references: {nowhere: child, id: child(nothing)}}
  seen: {site: renamed -> child}
  kept: shared
  point3: shared
  '"Other one".Child': {site: '"Id" -> child(a)'}
  none: {site: [id, "x -> child"]}
`

// TestCheckFindings shows each kind of finding, and that nothing else is found.
func TestCheckFindings(t *testing.T) {
	c, err := catalog.Load("testdata/kinds.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("policy.yaml", []byte(unfitting))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, f := range c.Check(p) {
		fmt.Fprintln(&got, f.Code, f)
		if f.SQL != "" {
			fmt.Fprintln(&got, f.SQL)
		}
	}
	const file = "testdata/findings.golden"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := script(t, file); got.String() != want {
		t.Errorf("%s differs. Got:\n%s", file, got.String())
	}
}
