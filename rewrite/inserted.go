package rewrite

import (
	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// A statement does not see the rows that its own WITH queries insert, so a check
// would miss the parent of a row in
//
//	WITH p AS (INSERT INTO post … RETURNING id) INSERT INTO comment (post_id) SELECT id FROM p
//
// Those rows are filled or checked themselves, so one that refers to them lies in
// the scope as well.

// insertsOf returns the INSERTs of a statement's WITH clause that return rows, by
// the names of their queries. A name that is given twice anywhere in the
// statement is left out, as it depends on the place which one it means.
func insertsOf(node any) map[string]*pgparse.InsertStmt {
	var with *pgparse.WithClause
	switch n := node.(type) {
	case *pgparse.SelectStmt:
		with = n.WithClause
	case *pgparse.InsertStmt:
		with = n.WithClause
	case *pgparse.UpdateStmt:
		with = n.WithClause
	case *pgparse.ExplainStmt:
		return insertsOf(pgparse.Unwrap(n.Query))
	}
	var found map[string]*pgparse.InsertStmt
	for _, c := range with.GetCtes() {
		cte := c.GetCommonTableExpr()
		if n := cte.GetCtequery().GetInsertStmt(); n != nil && len(pgparse.Returning(n)) > 0 && len(cte.Aliascolnames) == 0 {
			if found == nil {
				found = make(map[string]*pgparse.InsertStmt)
			}
			found[cte.Ctename] = n
		}
	}
	if found == nil {
		return nil
	}
	times := make(map[string]int)
	var count func(node any)
	count = func(node any) {
		if cte, ok := node.(*pgparse.CommonTableExpr); ok {
			if times[cte.Ctename]++; times[cte.Ctename] > 1 {
				delete(found, cte.Ctename)
			}
		}
		pgparse.Children(node, count)
	}
	count(node)
	return found
}

// returnedKey returns the name under which an INSERT into the table returns its
// column key, or nothing where it does not, or not for certain.
func returnedKey(p *policy.Policy, n *pgparse.InsertStmt, table *policy.Table, key string) string {
	if t := lookup(p, n.Relation); t == nil || t.Schema != table.Schema || t.Name != table.Name ||
		t.Where != nil && !t.Where.Check { // its rows may be hidden
		return ""
	}
	found := ""
	seen := make(map[string]bool)
	for _, item := range pgparse.Returning(n) {
		name, fields := item.GetResTarget().GetName(), item.GetResTarget().GetVal().GetColumnRef().GetFields()
		column := ""
		if len(fields) > 0 {
			last := fields[len(fields)-1]
			if last.GetAStar() != nil && len(fields) == 1 && len(pgparse.Returning(n)) == 1 {
				return key
			}
			if len(fields) == 1 || len(fields) == 2 && fields[0].GetString_().GetSval() == refName(n.Relation) {
				column = last.GetString_().GetSval()
			}
			if name == "" {
				name = last.GetString_().GetSval()
			}
		}
		if name == "" || seen[name] {
			return ""
		}
		seen[name] = true
		if column == key {
			found = name
		}
	}
	return found
}
