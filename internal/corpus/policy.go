package corpus

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite/builtin"
)

// A Scheme says how the tables of a statement are scoped.
type Scheme uint8

const (
	// Direct scopes every table by a column of its own that no statement names.
	Direct Scheme = iota
	// Paths scopes tables by a column, by paths of one and two steps, and on two
	// dimensions at once, as the hash of their name has it.
	Paths
	// Written scopes the tables that the statement writes to by a column that it
	// assigns, directly or through a path, so that rows have to be checked.
	Written
)

// Schemes are all schemes.
var Schemes = []Scheme{Direct, Paths, Written}

var schemeNames = [...]string{"direct", "paths", "written"}

func (s Scheme) String() string { return schemeNames[s] }

// names are what a statement's policy has to list.
type names struct {
	tables    map[name]string // with a column that the statement assigns, if any
	functions map[name]bool
}

type name struct{ schema, name string }

func (n name) String() string {
	if n.schema == "" {
		return quoted(n.name)
	}
	return quoted(n.schema) + "." + quoted(n.name)
}

// nameOf returns the name of a table. A schema that is not named is public.
func nameOf(rv *pgparse.RangeVar) name {
	if rv.Schemaname == "public" {
		return name{"", rv.Relname}
	}
	return name{rv.Schemaname, rv.Relname}
}

func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func compare(a, b name) int {
	return cmp.Or(strings.Compare(a.schema, b.schema), strings.Compare(a.name, b.name))
}

// namesOf walks a statement. System catalogues are left out: what the built-in
// lists say of them stands.
func namesOf(tree any) names {
	found := names{tables: map[name]string{}, functions: map[name]bool{}}
	found.walk(tree)
	return found
}

func (f names) walk(node any) {
	switch n := node.(type) {
	case *pgparse.RangeVar:
		f.table(n, nil)
	case *pgparse.InsertStmt:
		f.table(n.Relation, n.Cols)
	case *pgparse.UpdateStmt:
		f.table(n.Relation, n.TargetList)
	case *pgparse.MergeStmt:
		for _, when := range n.MergeWhenClauses {
			f.table(n.Relation, when.GetMergeWhenClause().GetTargetList())
		}
	case *pgparse.FuncCall:
		switch len(n.Funcname) {
		case 1:
			f.functions[name{"", n.Funcname[0].GetString_().GetSval()}] = true
		case 2:
			f.functions[name{n.Funcname[0].GetString_().GetSval(), n.Funcname[1].GetString_().GetSval()}] = true
		}
	}
	pgparse.Children(node, f.walk)
}

func (f names) table(rv *pgparse.RangeVar, assigned []*pgparse.Node) {
	if rv == nil || rv.Catalogname != "" || rv.Schemaname == "pg_catalog" || rv.Schemaname == "information_schema" ||
		rv.Schemaname == "" && builtin.IsCatalog(rv.Relname) {
		return
	}
	table := nameOf(rv)
	column := f.tables[table]
	if len(assigned) > 0 && column == "" {
		column = assigned[0].GetResTarget().GetName()
	}
	f.tables[table] = column
}

// yaml writes a policy that scopes the tables and allows the functions.
func (f names) yaml(s Scheme) string {
	var b strings.Builder
	b.WriteString("version: 1\ndimensions: {site: {type: bigint}, user: {type: uuid}}\ntables:\n" +
		"  corpus_parent: {site: site_id, user: user_id}\n" +
		"  corpus_child: {site: parent_id -> corpus_parent}\n")
	for _, table := range slices.SortedFunc(maps.Keys(f.tables), compare) {
		fmt.Fprintf(&b, "  %s: %s\n", strconv.Quote(table.String()), entry(table, f.tables[table], s))
	}
	if len(f.functions) > 0 {
		b.WriteString("functions:\n  allow:\n")
		for _, function := range slices.SortedFunc(maps.Keys(f.functions), compare) {
			fmt.Fprintf(&b, "  - %s\n", strconv.Quote(function.String()))
		}
	}
	return b.String()
}

func entry(table name, column string, s Scheme) string {
	h := fnv.New32a()
	h.Write([]byte(table.name))
	hash := h.Sum32() >> 8
	switch {
	case s == Written && column != "":
		if hash%2 == 0 {
			return "{site: " + strconv.Quote(quoted(column)) + "}"
		}
		return "{site: " + strconv.Quote(quoted(column)+" -> corpus_parent") + "}"
	case s == Paths:
		return [...]string{
			"{site: site_id}",
			"{site: parent_id -> corpus_parent}",
			"{site: child_id -> corpus_child(key)}",
			"{site: site_id, user: parent_id -> corpus_parent}",
		}[hash%4]
	}
	return "{site: site_id}"
}

// policies keeps the policies that were made, by their text.
type policies struct{ byText sync.Map }

func (p *policies) of(text string) (*policy.Policy, error) {
	if known, ok := p.byText.Load(text); ok {
		return known.(*policy.Policy), nil
	}
	made, err := policy.Parse("corpus.yaml", []byte(text))
	if err == nil {
		p.byText.Store(text, made)
	}
	return made, err
}
