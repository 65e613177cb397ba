package catalog_test

import (
	"fmt"
	"os"
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
