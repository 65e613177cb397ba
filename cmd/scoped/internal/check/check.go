// Package check compares a policy with a database: what does not exist, on what
// the guarantee rests and the schema does not give, what tells one scope of
// another, who gets around the guards, and what will be slow.
package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// A Severity says how grave a Finding is.
type Severity uint8

const (
	Note    Severity = iota // to be known
	Warning                 // it tells or weakens something, costs much, or lets others around the guards
	Error                   // the guarantee does not hold, or statements cannot work
)

var severities = []string{"note", "warning", "error"}

// Severities returns the names of all severities, the least first.
func Severities() []string { return slices.Clone(severities) }

func (s Severity) String() string { return severities[s] }

// ParseSeverity returns the Severity of a name.
func ParseSeverity(name string) (Severity, error) {
	i := slices.Index(severities, name)
	if i < 0 {
		return 0, fmt.Errorf("the severities are %s", strings.Join(severities, ", "))
	}
	return Severity(i), nil
}

// A Finding is one thing that a rule has found.
type Finding struct {
	Rule         *Rule
	Object       string // a table or function with its schema, a role, a dimension, or "server"
	Line, Column int    // of the table's entry in the policy file, or 0
	Message      string

	// At most one of these is set. They mend what was found: statements, an entry
	// of the policy's tables, or advice where it takes thought.
	SQL, YAML, Advice string
}

// Options are what a check does not find out by itself.
type Options struct {
	// Roles are those with which the program connects. Without one it is the role
	// that took the snapshot, unless that is a superuser's, which is taken for an
	// administrator's: then the rules on the program's roles have nothing to look
	// at.
	Roles []string

	Severity Severity // the least that is reported
	Ignore   []Ignore
}

// An Ignore is a rule that is not to be reported, of one object or of all.
type Ignore struct {
	Code   string
	Object string // as findings have it, or empty
}

// String returns what ParseIgnore reads.
func (i Ignore) String() string {
	if i.Object == "" {
		return i.Code
	}
	return i.Code + "=" + i.Object
}

func (i Ignore) covers(f Finding) bool {
	return i.Code == f.Rule.Code && (i.Object == "" || i.Object == f.Object)
}

// ParseIgnore reads CODE or CODE=OBJECT.
func ParseIgnore(text string) (Ignore, error) {
	code, object, one := strings.Cut(text, "=")
	switch {
	case ruleOf(code) == nil:
		return Ignore{}, fmt.Errorf("there is no rule %q; docs/check.md lists them", code)
	case one && object == "":
		return Ignore{}, fmt.Errorf("%q names nothing; write %s=public.post, or %[2]s alone", text, code)
	}
	return Ignore{code, object}, nil
}

// A Report is the result of a check.
type Report struct {
	File     string   // of the policy
	Tables   int      // that were compared
	Roles    []string // with which the program connects; none where they are not known
	Findings []Finding
	Ignored  int
	Below    int      // the severity that is reported
	Unused   []Ignore // for which there is nothing to ignore
}

// Count returns how many findings have a severity.
func (r *Report) Count(s Severity) (n int) {
	for _, f := range r.Findings {
		if f.Rule.Severity == s {
			n++
		}
	}
	return n
}

// Run compares a policy with a snapshot. The findings of tables that the policy
// lists come first, in its order. It fails where a role does not exist.
func Run(p *policy.Policy, s *Snapshot, o Options) (*Report, error) {
	c := newChecker(p, s)
	if err := c.setRoles(o.Roles); err != nil {
		return nil, err
	}
	for i := range ruleTable {
		c.rule = &ruleTable[i]
		c.rule.find(c)
	}
	slices.SortStableFunc(c.findings, func(a, b Finding) int {
		return cmp.Or(-cmp.Compare(min(a.Line, 1), min(b.Line, 1)), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Object, b.Object), -cmp.Compare(a.Rule.Severity, b.Rule.Severity))
	})
	r := &Report{File: p.File(), Tables: len(c.tables)}
	for _, role := range c.program {
		r.Roles = append(r.Roles, role.Name)
	}
	for _, f := range c.findings {
		switch {
		case slices.ContainsFunc(o.Ignore, func(i Ignore) bool { return i.covers(f) }):
			r.Ignored++
		case f.Rule.Severity < o.Severity:
			r.Below++
		default:
			r.Findings = append(r.Findings, f)
		}
	}
	for _, i := range o.Ignore {
		if !slices.ContainsFunc(c.findings, i.covers) {
			r.Unused = append(r.Unused, i)
		}
	}
	return r, nil
}

// A checker is what the rules ask, and to whom they report.
type checker struct {
	*Snapshot
	policy   *policy.Policy
	rule     *Rule
	findings []Finding

	tables   []*table // that the policy lists and the database has, by name
	byName   map[string]*table
	byOID    map[uint32]*table
	function map[uint32]*function
	misfits  []catalog.Finding
	reach    *reach
	program  []*role
}

// A table is a relation and what the policy says of it.
type table struct {
	*relation
	policy      *policy.Table // nil where it is not listed
	columns     []*column
	indexes     []*index
	foreignKeys []*foreignKey
	ways        []way
}

// A way is a column or path that ties a table to a dimension, alone or as one of
// several.
type way struct {
	*policy.Scoping
	either bool
	column *column // nil where there is none
}

func newChecker(p *policy.Policy, s *Snapshot) *checker {
	c := &checker{Snapshot: s, policy: p, byName: map[string]*table{}, byOID: map[uint32]*table{}, function: map[uint32]*function{}}
	for _, r := range s.relations {
		t := &table{relation: r, policy: p.Table(r.Schema, r.Name)}
		c.byOID[r.OID], c.byName[t.String()] = t, t
	}
	for _, column := range s.columns {
		t := c.byOID[column.Relation]
		t.columns = append(t.columns, column)
	}
	for _, i := range s.indexes {
		if t := c.byOID[i.Relation]; t != nil {
			t.indexes = append(t.indexes, i)
		}
	}
	for _, f := range s.foreignKeys {
		if t := c.byOID[f.Relation]; t != nil {
			t.foreignKeys = append(t.foreignKeys, f)
		}
	}
	for _, f := range s.functions {
		c.function[f.OID] = f
	}
	for _, r := range s.relations {
		t := c.byOID[r.OID]
		if t.policy == nil {
			continue
		}
		c.tables = append(c.tables, t)
		for i := range t.policy.Scopings {
			scoping := &t.policy.Scopings[i]
			for _, w := range alternatives(scoping) {
				t.ways = append(t.ways, way{w, w != scoping, t.column(w.Column)})
			}
		}
	}
	c.misfits = s.catalog.Check(p)
	c.reach = newReach(c)
	return c
}

func alternatives(s *policy.Scoping) (all []*policy.Scoping) {
	for i := range s.Any {
		all = append(all, &s.Any[i])
	}
	if all == nil {
		all = []*policy.Scoping{s}
	}
	return all
}

// setRoles finds the roles with which the program connects.
func (c *checker) setRoles(names []string) error {
	if len(names) == 0 {
		if r := c.role(c.user); r != nil && !r.Superuser {
			c.program = []*role{r}
		}
	}
	for _, name := range names {
		r := c.role(name)
		if r == nil {
			return fmt.Errorf("there is no role %q", name)
		}
		c.program = append(c.program, r)
	}
	return nil
}

func (c *checker) role(name string) *role {
	for _, r := range c.roles {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// find reports something about a table. The caller says how it is mended.
func (c *checker) find(t *table, format string, args ...any) *Finding {
	f := c.findAt(t.String(), format, args...)
	if t.policy != nil {
		f.Line, f.Column = t.policy.Line, t.policy.Column
	}
	return f
}

// findAt reports something about what is no table.
func (c *checker) findAt(object, format string, args ...any) *Finding {
	c.findings = append(c.findings, Finding{Rule: c.rule, Object: object, Message: fmt.Sprintf(format, args...)})
	return &c.findings[len(c.findings)-1]
}

// scoped returns the tables that the policy scopes.
func (c *checker) scoped() []*table {
	return c.tablesWith(func(t *table) bool { return t.policy.Access == policy.Scoped })
}

// shared returns the tables that the policy shares, to be written or not.
func (c *checker) shared() []*table {
	return c.tablesWith(func(t *table) bool { return t.policy.Access == policy.Shared || t.policy.Access == policy.SharedRead })
}

// unrestricted returns the tables in a schema for each value whose rows are shared
// there.
func (c *checker) unrestricted() []*table {
	return c.tablesWith(func(t *table) bool { return t.policy.In != nil && !t.isRestricted() })
}

// sharing says to whom all rows of a table are visible.
func (t *table) sharing() string {
	if t.policy.In != nil {
		return "shared by those who have its " + t.policy.In.Name
	}
	return "shared"
}

// used returns the tables that statements may touch.
func (c *checker) used() []*table {
	return c.tablesWith(func(t *table) bool { return t.policy.Access != policy.Denied })
}

func (c *checker) tablesWith(f func(*table) bool) (some []*table) {
	for _, t := range c.tables {
		if f(t) {
			some = append(some, t)
		}
	}
	return some
}

// listed returns a table or, of a partition or child that is not listed itself,
// the one above it that is. It is nil where there is none.
func (c *checker) listed(t *table) *table {
	if t == nil || t.policy != nil {
		return t
	}
	for _, parent := range t.Parents {
		if above := c.listed(c.byOID[parent]); above != nil {
			return above
		}
	}
	return nil
}

// isScoped reports whether rows of the relation belong to scopes.
func (c *checker) isScoped(oid uint32) (*table, bool) {
	t := c.listed(c.byOID[oid])
	return t, t != nil && t.policy.Access == policy.Scoped
}

// isRestricted reports whether not all rows of a listed table are a scope's. Those
// of a table in a schema for each value may be.
func (t *table) isRestricted() bool { return len(t.policy.Scopings) > 0 || t.policy.Where != nil }

// target returns the table to which a policy's path or reference leads, or nil.
func (c *checker) target(t *policy.Table) *table { return c.byName[t.Schema+"."+t.Name] }

// String returns the name as findings have it.
func (r *relation) String() string { return r.Schema + "." + r.Name }

// quoted returns the name as SQL spells it.
func (r *relation) quoted() string { return quote(r.Schema) + "." + quote(r.Name) }

// isTable reports whether rows are stored in it, under constraints.
func (r *relation) isTable() bool { return r.Kind == "r" || r.Kind == "p" }

// option reports whether a boolean storage parameter is on.
func (r *relation) option(name string) bool {
	for _, o := range r.Options {
		if key, value, _ := strings.Cut(o, "="); key == name {
			return slices.Contains([]string{"true", "on", "yes", "1"}, value)
		}
	}
	return false
}

func (t *table) column(name string) *column {
	for _, c := range t.columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// unique reports whether no two rows have the same value in a column.
func (t *table) unique(column string) bool {
	return slices.ContainsFunc(t.indexes, func(i *index) bool {
		return i.Unique && i.Valid && i.Predicate == "" && slices.Equal(i.Columns, []string{column})
	})
}

// isRoot reports whether each row of the table is a value of the dimension, as
// sites are to the dimension site.
func (t *table) isRoot(d *policy.Dimension) bool {
	return slices.ContainsFunc(t.ways, func(w way) bool { return w.Dimension == d && w.Path == nil && !w.either && t.unique(w.Column) })
}

// scoping returns the table's scoping on a dimension, or nil.
func (t *table) scoping(d *policy.Dimension) *policy.Scoping {
	for i := range t.policy.Scopings {
		if s := &t.policy.Scopings[i]; s.Dimension == d {
			return s
		}
	}
	return nil
}

// signature returns the name as findings have it.
func (f *function) signature() string { return fmt.Sprintf("%s.%s(%s)", f.Schema, f.Name, f.Arguments) }

// quoted returns the function as SQL spells it.
func (f *function) quoted() string {
	return fmt.Sprintf("%s.%s(%s)", quote(f.Schema), quote(f.Name), f.Arguments)
}

func quote(name string) string { return pgparse.QuoteIdentifier(name) }

// quoteAll returns names as SQL spells them, with commas between them.
func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, ", ")
}

// and lists names for people: a, b and c, or the first of many and how many more.
func and(names []string) string {
	const many = 6
	switch {
	case len(names) < 2:
		return strings.Join(names, "")
	case len(names) > many:
		names = append(slices.Clone(names[:many-1]), fmt.Sprintf("%d more", len(names)-many+1))
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
