package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite/builtin"
)

func viewUnguarded(c *checker)             { c.unguarded("v", "the view") }
func materializedViewUnguarded(c *checker) { c.unguarded("m", "the materialized view") }

func (c *checker) unguarded(kind, noun string) {
	for _, t := range append(c.shared(), c.unrestricted()...) {
		if tables := c.reach.tables(node{relation: t.OID}); t.Kind == kind && tables != nil {
			c.find(t, "%s %s is %s, and reads %s", noun, t, t.sharing(), and(tables)).YAML = c.entry(c.propose(t))
		}
	}
}

func materializedViewStale(c *checker) {
	for _, t := range c.scoped() {
		if tables := c.reach.tables(node{relation: t.OID}); t.Kind == "m" && t.isRestricted() && tables != nil {
			c.find(t, "the materialized view %s keeps rows of %s", t, and(tables)).Advice =
				"refresh it where rows are deleted or move, or make it a view; REFRESH MATERIALIZED VIEW " + t.quoted() + ";"
		}
	}
}

func viewWithoutBarrier(c *checker) {
	for _, t := range c.scoped() {
		if tables := c.reach.tables(node{relation: t.OID}); t.Kind == "v" && t.isRestricted() && tables != nil && !t.option("security_barrier") {
			c.find(t, "the view %s, which reads %s, is no security barrier", t, and(tables)).SQL =
				fmt.Sprintf("ALTER VIEW %s SET (security_barrier = true);", t.quoted())
		}
	}
}

func viewBypassesRowSecurity(c *checker) {
	for _, t := range c.used() {
		if t.Kind != "v" || t.option("security_invoker") {
			continue
		}
		owner := c.role(t.Owner)
		var bypassed []string
		c.reach.walk(node{relation: t.OID}, func(n node) bool {
			below := c.byOID[n.relation]
			if below == nil {
				return false
			}
			if below.Security && (below.Owner == t.Owner && !below.Forced || owner != nil && (owner.Superuser || owner.BypassRLS)) {
				bypassed = append(bypassed, below.String())
			}
			return true
		})
		if bypassed == nil {
			continue
		}
		slices.Sort(bypassed)
		f := c.find(t, "the view %s reads %s as %s, to whom row-level security does not apply", t, and(bypassed), t.Owner)
		if c.version >= 150000 {
			f.SQL = fmt.Sprintf("ALTER VIEW %s SET (security_invoker = true);", t.quoted())
		} else {
			f.Advice = "let a role own the view to which row-level security applies; PostgreSQL 15 has security_invoker"
		}
	}
}

func ruleOnTable(c *checker) {
	for _, r := range c.rules {
		if t := c.byOID[r.Relation]; t != nil && t.policy != nil && t.policy.Access != policy.Denied {
			c.find(t, "the rule %s rewrites statements on %s", r.Name, t).SQL = fmt.Sprintf("DROP RULE %s ON %s;", quote(r.Name), t.quoted())
		}
	}
}

// eachTrigger calls find with the triggers on tables that statements may touch.
func (c *checker) eachTrigger(find func(*table, *trigger, *function)) {
	for _, g := range c.triggers {
		t, f := c.listed(c.byOID[g.Relation]), c.function[g.Function]
		if t != nil && f != nil && t.policy.Access != policy.Denied {
			find(t, g, f)
		}
	}
}

func triggerChangesScope(c *checker) {
	c.eachTrigger(func(t *table, g *trigger, f *function) {
		for i, w := range t.policy.Scopings {
			if g.Before && w.Any == nil && !w.Generated && assigns(f.Body, w.Column) {
				entry := changed(t.policy)
				entry.Scopings[i].Generated = true
				c.find(t, "the trigger %s of %s assigns its column %s, in %s", g.Name, t, w.Column, f.signature()).YAML = c.entry(entry)
			}
		}
	})
}

// assigns reports whether the body of a trigger assigns a column of the new row,
// by := or INTO, or by = where a statement begins.
func assigns(body, column string) bool {
	name := `new\s*\.\s*"?` + regexp.QuoteMeta(column) + `"?`
	return regexp.MustCompile(`(?i)\b` + name + `\s*:\s*=|(?:;|\bbegin|\bthen|\belse|\bloop)\s*` + name + `\s*=|\binto\s+(?:strict\s+)?(?:[^;]*,\s*)?` + name + `\b`).
		MatchString(strings.Join(words(body), " "))
}

func triggerReachesScoped(c *checker) {
	c.eachTrigger(func(t *table, g *trigger, f *function) {
		if tables := c.reach.tables(node{function: f.OID}); tables != nil {
			c.find(t, "the trigger %s of %s reads or writes %s, in %s", g.Name, t, and(tables), f.signature()).Advice =
				"read the function's body, then ignore this for the table"
		}
	})
}

// allowed returns the functions that the policy allows.
func (c *checker) allowed() (some []*function) {
	for _, f := range c.functions {
		if !f.Procedure && c.policy.FunctionAllowed(f.Schema, f.Name) { // CALL is refused
			some = append(some, f)
		}
	}
	return some
}

func functionReadsScoped(c *checker) {
	for _, f := range c.allowed() {
		if tables := c.reach.tables(node{function: f.OID}); tables != nil {
			how := ""
			if f.Definer {
				how = ", with the rights of its owner"
			}
			c.findAt(f.signature(), "the function %s, which the policy allows, reads or writes %s%s", f.signature(), and(tables), how).Advice =
				"remove it from functions.allow, or pass it the rows that it needs"
		}
	}
}

func functionOpaque(c *checker) {
	for _, f := range c.allowed() {
		if why := c.reach.why(f); why != "" {
			c.findAt(f.signature(), "what the function %s reads, which the policy allows, cannot be seen: %s", f.signature(), why).Advice =
				"read its body, then ignore this for the function"
		}
	}
}

func functionSearchPath(c *checker) {
	for _, f := range c.allowed() {
		if f.Definer && f.Path == "" {
			c.findAt(f.signature(), "the SECURITY DEFINER function %s, which the policy allows, sets no search_path", f.signature()).SQL = c.setPath(f)
		}
	}
}

// setPath returns what gives a function a search_path: the policy's, and before it
// the template where the function lies there.
func (c *checker) setPath(f *function) string {
	path := c.policy.SearchPath()
	if c.policy.Template(f.Schema) != nil {
		path = append([]string{f.Schema}, path...)
	}
	return fmt.Sprintf("ALTER FUNCTION %s SET search_path = %s, pg_temp;", f.quoted(), quoteAll(path))
}

func functionShadowsBuiltin(c *checker) {
	for _, f := range c.functions {
		if !f.Extension && !f.Procedure && slices.Contains(c.policy.SearchPath(), f.Schema) && builtin.Function(f.Name) {
			c.findAt(f.signature(), "the function %s has the name of PostgreSQL's own %s", f.signature(), f.Name).SQL =
				fmt.Sprintf("ALTER FUNCTION %s RENAME TO %s;", f.quoted(), quote("own_"+f.Name))
		}
	}
}

func functionNamedAsColumn(c *checker) {
	column := map[string]bool{}
	for _, t := range c.catalog.Tables() {
		for _, name := range t.Columns {
			column[name.Name] = true
		}
	}
	for _, f := range c.functions {
		row := slices.Contains(c.catalog.Functions(), catalog.Function{Schema: f.Schema, Name: f.Name, Row: true})
		if !row || !column[f.Name] || c.policy.FunctionAllowed(f.Schema, f.Name) {
			continue
		}
		if tables := c.reach.tables(node{function: f.OID}); tables != nil {
			c.findAt(f.signature(), "the function %s has the name of a column, and reads or writes %s", f.signature(), and(tables)).SQL =
				fmt.Sprintf("ALTER FUNCTION %s RENAME TO %s;", f.quoted(), quote("own_"+f.Name))
		}
	}
}

func expressionReachesScoped(c *checker) {
	for _, u := range c.uses {
		t, f := c.byOID[u.Object], c.function[u.Function]
		if t == nil || f == nil || t.policy == nil || t.policy.Access == policy.Denied {
			continue
		}
		tables := c.reach.tables(node{function: f.OID})
		if tables == nil {
			continue
		}
		what, sql := "", ""
		switch u.Kind {
		case "default":
			what, sql = "the default of column "+u.Name, fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT;", t.quoted(), quote(u.Name))
			if t.column(u.Name).Generated {
				what, sql = "the generated column "+u.Name, strings.Replace(sql, "DEFAULT", "EXPRESSION", 1)
			}
		case "check":
			what, sql = "the check "+u.Name, fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s;", t.quoted(), quote(u.Name))
		case "index":
			what, sql = "the index "+u.Name, fmt.Sprintf("DROP INDEX %s.%s;", quote(t.Schema), quote(u.Name))
		default:
			continue
		}
		c.find(t, "%s of %s calls %s, which reads or writes %s", what, t, f.signature(), and(tables)).SQL = sql
	}
}

func operatorReadsScoped(c *checker) {
	for _, u := range c.uses {
		f := c.function[u.Function]
		if f == nil || u.Kind != "operator" && u.Kind != "cast" {
			continue
		}
		if tables := c.reach.tables(node{function: f.OID}); tables != nil {
			c.findAt(f.signature(), "the %s %s calls %s, which reads or writes %s", u.Kind, u.Name, f.signature(), and(tables)).SQL =
				fmt.Sprintf("DROP %s %s;", strings.ToUpper(u.Kind), u.Name)
		}
	}
}
