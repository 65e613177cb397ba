package draft

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
)

// A proposer decides about the tables that a policy does not list yet.
type proposer struct {
	db         *Database
	dimensions []*dimension
	templates  map[string]*dimension // by the schemas that are read for them
	spell      speller

	listed    map[*catalog.Table]*listed // those of the policy
	tables    []*catalog.Table           // with rows of their own, partitions and children aside
	referring map[*catalog.Table][]referrer
	denied    map[*catalog.Table]bool // what a link to some dimension forbids, so that none can lead there
	entries   map[*catalog.Table]*entry
}

// A listed table is one about which the policy says something already.
type listed struct {
	spec  spec
	exact bool // by its name, and not by a pattern
}

// A referrer is a foreign key and the table that has it.
type referrer struct {
	from *catalog.Table
	key  *catalog.ForeignKey
}

// An entry is what is proposed of one table.
type entry struct {
	table *catalog.Table
	spec  spec
	group group
	why   string
	notes []string
}

// A group is a part of the file.
type group int

const (
	roots group = iota
	inSchemas
	own
	paths
	shared
	views
	denied
)

var headings = map[group]string{
	roots:     "The roots.",
	inSchemas: "In a schema for each value: the scope chooses it.",
	own:       "Scoped by a column of their own.",
	paths:     "Scoped over a path: whoever sees the row that it refers to sees the row.",
	shared: "Look-up tables, the same for everybody: nothing leads from them to a root, and scoped tables refer to them." +
		" Make sure that none of them holds what is one tenant's.",
	views:  "Views, by a column that they show. What a view reads is not restricted.",
	denied: "Denied, because it could not be decided.",
}

// newProposer begins with what p lists, which may be nil.
func newProposer(db *Database, dimensions []*dimension, searchPath []string, p *policy.Policy) *proposer {
	d := &proposer{
		db:         db,
		dimensions: dimensions,
		templates:  map[string]*dimension{},
		spell:      speller{schema: searchPath[0], known: db.catalog},
		listed:     map[*catalog.Table]*listed{},
		referring:  map[*catalog.Table][]referrer{},
		denied:     map[*catalog.Table]bool{},
		entries:    map[*catalog.Table]*entry{},
	}
	for _, of := range dimensions {
		if of.example != "" {
			d.templates[of.example] = of
			d.spell.addTemplate(of.example, of.template())
		}
	}
	exact := map[tableName]bool{}
	if p != nil {
		for _, t := range p.Tables() {
			exact[tableName{t.Schema, t.Name}] = true
		}
	}
	for _, t := range db.catalog.Tables() {
		if p != nil {
			if says := p.Table(t.Schema, t.Name); says != nil {
				d.listed[t] = &listed{specOf(says), exact[nameOf(t)]}
			}
		}
		if !hasRows(t) || db.top(t) != t {
			continue
		}
		d.tables = append(d.tables, t)
		for i, f := range t.ForeignKeys {
			if to := db.table(tableName{f.Schema, f.Table}); to != nil {
				d.referring[db.top(to)] = append(d.referring[db.top(to)], referrer{t, &t.ForeignKeys[i]})
			}
		}
	}
	return d
}

// schemas returns the dimension that has a schema with such a table for each value,
// t being that of the template, or nil.
func (p *proposer) schemas(t *catalog.Table) *dimension { return p.templates[t.Schema] }

// hasRows reports whether a table has rows of its own, unlike a view.
func hasRows(t *catalog.Table) bool {
	return t.Kind == catalog.Ordinary || t.Kind == catalog.Partitioned || t.Kind == catalog.Foreign
}

// propose decides about every table that is not listed, and returns the entries
// in the order of the file.
func (p *proposer) propose() []*entry {
	links := p.links()
	belongs := map[*catalog.Table]bool{}
	for _, t := range p.tables {
		belongs[t] = len(links[t]) > 0 || p.schemas(t) != nil
		if p.listed[t] == nil && belongs[t] {
			p.entries[t] = p.belonging(t, links[t])
		}
	}
	p.others(belongs)
	p.addReferences()
	p.addChildren()
	p.addViews()
	var entries []*entry
	for _, t := range p.db.catalog.Tables() {
		if e := p.entries[t]; e != nil {
			entries = append(entries, e)
		}
	}
	slices.SortStableFunc(entries, func(a, b *entry) int { return cmp.Compare(a.group, b.group) })
	return entries
}

// links returns the links of each table. One that has to be denied, whatever the
// dimension, changes what others can lead over, and is found again with them.
func (p *proposer) links() map[*catalog.Table][]*link {
	for {
		links := map[*catalog.Table][]*link{}
		for _, d := range p.dimensions {
			for t, k := range p.linksTo(d) {
				links[t] = append(links[t], k)
			}
		}
		before := len(p.denied)
		for t, of := range links {
			if p.listed[t] == nil && p.problems(t, of) != "" {
				p.denied[t] = true
			}
		}
		if len(p.denied) == before {
			return links
		}
	}
}

// problems says why a table with these links has to be denied, or nothing.
func (p *proposer) problems(t *catalog.Table, links []*link) string {
	var problems []string
	if problem := p.crosses(t); problem != "" {
		problems = append(problems, problem)
	}
	optional := p.schemas(t) == nil
	for _, k := range links {
		if k.problem != "" {
			problems = appendNew(problems, k.problem)
		}
		optional = optional && k.optional
	}
	if optional && len(problems) == 0 {
		return "belongs to optional dimensions only, without which everybody would see all of it"
	}
	return strings.Join(problems, "; ")
}

// crosses says that a table refers to one in the schemas of values, from outside or
// from another's, or nothing.
func (p *proposer) crosses(t *catalog.Table) string {
	for _, f := range t.ForeignKeys {
		switch to := p.db.table(tableName{f.Schema, f.Table}); {
		case to == nil:
			return fmt.Sprintf("refers to %s.%s, one value's", f.Schema, f.Table)
		case p.reachesInto(t, to):
			return "refers to " + p.inside(to)
		}
	}
	return ""
}

// inside names a table in the schemas of values.
func (p *proposer) inside(t *catalog.Table) string {
	d := p.schemas(t)
	if d.template() != t.Schema {
		return t.Schema + "." + t.Name + ", one value's"
	}
	return fmt.Sprintf("%s, which lies in the schema of each value of %s", p.shown(t), d.name)
}

// reachesInto reports whether a table lies in the schemas of values, and another not
// in the same.
func (p *proposer) reachesInto(from, to *catalog.Table) bool {
	in := p.schemas(to)
	return in != nil && in != p.schemas(from)
}

// belonging returns the entry of a table with links, or in the schemas of values.
func (p *proposer) belonging(t *catalog.Table, links []*link) *entry {
	if problems := p.problems(t, links); problems != "" {
		return p.deny(t, problems)
	}
	e := &entry{table: t, spec: spec{access: policy.Scoped}, group: own}
	var whys, hiding []string
	in := p.schemas(t)
	if in != nil {
		e.spec.in = in.name
		whys = append(whys, "lies in the schema of each value of "+in.name)
	}
	for _, k := range links {
		e.spec.scopings = append(e.spec.scopings, k.scoping)
		if k.hides && !slices.Contains(hiding, k.scoping.ways[0].column) {
			hiding = append(hiding, k.scoping.ways[0].column)
			e.notes = append(e.notes, p.aboutNull(k.scoping))
		}
		for _, note := range k.notes {
			e.notes = appendNew(e.notes, note)
		}
		if k.to != nil {
			e.group = paths
		}
		why := k.why
		if len(links) > 1 || in != nil {
			why = k.scoping.dimension + ": " + why
		}
		whys = append(whys, why)
	}
	switch {
	case slices.ContainsFunc(p.dimensions, func(d *dimension) bool { return d.root == t }):
		e.group = roots
	case in != nil:
		e.group = inSchemas
	}
	if t.Kind == catalog.Foreign {
		whys = append(whys, "a foreign table, without keys")
	}
	e.why = strings.Join(whys, "; ")
	return e
}

// aboutNull says what becomes of rows in which the column of a scoping is NULL.
func (p *proposer) aboutNull(s scoping) string {
	s.null = policy.NullRead
	return fmt.Sprintf("Rows in which %s is NULL are hidden. With %s: %s everybody reads them, with null: visible everybody also writes them.",
		s.ways[0].column, scalar(s.dimension), p.spell.scoping(s))
}

func (p *proposer) deny(t *catalog.Table, why string) *entry {
	return &entry{table: t, spec: spec{access: policy.Denied}, group: denied, why: why}
}

// spec returns what is said or proposed of a table, or nil.
func (p *proposer) spec(t *catalog.Table) *spec {
	if e := p.entries[t]; e != nil {
		return &e.spec
	}
	if given := p.listed[t]; given != nil {
		return &given.spec
	}
	return nil
}

// shown returns a table's name as the policy spells it.
func (p *proposer) shown(t *catalog.Table) string { return p.spell.table(nameOf(t)) }

// others decides about the tables that belong to no dimension: those that scoped
// tables look up are shared, the others denied.
func (p *proposer) others(belongs map[*catalog.Table]bool) {
	usedBy := map[*catalog.Table][]string{}
	var open []*catalog.Table
	for _, t := range p.tables {
		given := p.listed[t]
		if belongs[t] || given != nil && given.spec.access != policy.Denied {
			open = append(open, t)
		}
	}
	for len(open) > 0 {
		t := open[0]
		open = open[1:]
		for _, f := range t.ForeignKeys {
			to := p.db.top(p.db.table(tableName{f.Schema, f.Table}))
			if to == nil || to == t || belongs[to] || p.listed[to] != nil {
				continue
			}
			if usedBy[to] == nil && p.private(to) == "" {
				open = append(open, to)
			}
			usedBy[to] = appendNew(usedBy[to], p.shown(t))
		}
	}
	for _, t := range p.tables {
		if belongs[t] || p.listed[t] != nil {
			continue
		}
		if usedBy[t] == nil {
			p.entries[t] = p.deny(t, p.unrelated(t))
			continue
		}
		slices.Sort(usedBy[t])
		by := several(usedBy[t])
		switch reason := p.private(t); {
		case reason != "":
			p.entries[t] = p.deny(t, fmt.Sprintf("referred to by %s, but %s; write {shared: read} if everybody may read it", by, reason))
		default:
			p.entries[t] = &entry{table: t, spec: spec{access: policy.SharedRead}, group: shared, why: "referred to by " + by}
		}
	}
}

// several returns names for a comment, a few of many.
func several(names []string) string {
	const most = 4
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most-1], ", "), len(names)-most+1)
	}
	return strings.Join(names, ", ")
}

// unrelated says why a table that nothing connects with a root is denied.
func (p *proposer) unrelated(t *catalog.Table) string {
	if extension := p.db.extensions[t]; extension != "" {
		return "belongs to the extension " + extension
	}
	if t.Kind == catalog.Foreign {
		return "a foreign table, and no column has the name and type of a dimension's"
	}
	if problem := p.crosses(t); problem != "" {
		return problem
	}
	var to []string
	for _, f := range t.ForeignKeys {
		if other := p.db.table(tableName{f.Schema, f.Table}); other != t && !slices.Contains(to, p.shown(other)) {
			to = append(to, p.shown(other))
		}
	}
	why := "nothing leads from it to a root, and no scoped table refers to it"
	if len(to) > 0 {
		slices.Sort(to)
		why += "; it refers to " + several(to)
	}
	return why
}

// privateNouns are the nouns that tables of somebody's data have for names, beside
// those of tenants.
var privateNouns = []string{
	"address", "attachment", "contact", "document", "employee", "file", "guest", "member", "message", "parent", "patient",
	"people", "person", "profile", "pupil", "recipient", "session", "staff", "student", "subscriber", "teacher", "upload",
}

// privateWords are parts of the names of columns that everybody's tables seldom have.
var privateWords = []string{
	"password", "passwd", "passphrase", "secret", "token", "apikey", "credential", "login", "username",
	"email", "phone", "mobile", "fax", "street", "address", "postal", "postcode", "zipcode",
	"firstname", "lastname", "surname", "fullname", "birth", "salary", "iban", "creditcard",
}

// private says why a table should not be shared, although it could be a look-up
// table; nothing where it may be.
func (p *proposer) private(t *catalog.Table) string {
	if problem := p.crosses(t); problem != "" {
		return "it " + problem
	}
	for _, f := range t.ForeignKeys {
		to := p.db.table(tableName{f.Schema, f.Table})
		if given := p.listed[to]; given != nil && given.spec.access == policy.Denied {
			return fmt.Sprintf("it refers to %s, which is denied", p.shown(to))
		}
	}
	for _, c := range t.Columns {
		if slices.Contains(t.PrimaryKey, c.Name) || refersElsewhere(t, c.Name) {
			continue
		}
		for _, word := range privateWords {
			if strings.Contains(folded(c.Name), word) {
				return fmt.Sprintf("its column %s looks private", c.Name)
			}
		}
	}
	if named(t.Name, tenants) || named(t.Name, privateNouns) {
		return "by its name it is not everybody's"
	}
	return ""
}

// addReferences has the foreign keys of scoped tables stay inside the scope where
// no scoping sees to it.
func (p *proposer) addReferences() {
	for _, t := range p.tables {
		e := p.entries[t]
		if e == nil || e.spec.access != policy.Scoped {
			continue
		}
		seen := map[string]bool{}
		for _, f := range t.ForeignKeys {
			r, ok := p.reference(t, &e.spec, f)
			if ok && !seen[r.column] {
				seen[r.column] = true
				e.spec.references = append(e.spec.references, r)
			}
		}
	}
}

// reference returns what keeps a foreign key inside the scope. It is not ok where
// nothing is needed, or nothing can be written.
func (p *proposer) reference(t *catalog.Table, from *spec, f catalog.ForeignKey) (r reference, ok bool) {
	to := p.db.table(tableName{f.Schema, f.Table})
	target := p.spec(p.db.top(to))
	if target == nil || target.access != policy.Scoped || !p.canBeTarget(t, to) {
		return r, false
	}
	kept := true // on each dimension, by the scopings
	for _, s := range target.scopings {
		mine := from.on(s.dimension)
		if mine == nil && from.in != s.dimension {
			return r, false // the scope of such a statement may lack the dimension
		}
		kept = kept && mine != nil && keeps(*mine, s, f, nameOf(to))
	}
	if kept {
		return r, false
	}
	for i, key := range f.Keys {
		if to.IsUnique(key) {
			return reference{f.Columns[i], nameOf(to), key}, true
		}
	}
	return r, false
}

// keeps reports whether a row that satisfies the scoping mine can refer by f to
// rows of the scoping its only: the path is that foreign key, or both hold the
// dimension's value and are compared by it.
func keeps(mine, its scoping, f catalog.ForeignKey, to tableName) bool {
	if len(mine.ways) != 1 {
		return false
	}
	w := mine.ways[0]
	for i, c := range f.Columns {
		if c != w.column {
			continue
		}
		if w.to == to && w.key == f.Keys[i] {
			return true
		}
		if w.to == (tableName{}) && len(its.ways) == 1 && its.ways[0] == (way{column: f.Keys[i]}) {
			return true
		}
	}
	return false
}

// addChildren has partitions and children follow their parents.
func (p *proposer) addChildren() {
	for _, t := range p.db.catalog.Tables() {
		if of, ok := p.db.parents[t]; ok && p.listed[t] == nil && p.entries[t] == nil {
			p.addChild(t, of)
		}
	}
}

func (p *proposer) addChild(t *catalog.Table, of parent) {
	kind := "child of "
	if of.partition {
		kind = "partition of "
	}
	if _, further := p.db.parents[of.table]; further && p.spec(of.table) == nil {
		p.addChild(of.table, p.db.parents[of.table])
	}
	e := &entry{table: t, spec: *p.spec(of.table), group: own, why: kind + p.shown(of.table)}
	if p.schemas(t) != p.schemas(of.table) {
		p.entries[t] = p.deny(t, e.why+", which lies in another schema")
		return
	}
	above := p.entries[of.table]
	switch {
	case above != nil:
		e.group = above.group
	case e.spec.access == policy.Denied:
		e.group = denied
	case e.spec.access != policy.Scoped:
		e.group = shared
	}
	if e.group == denied {
		e.why += ", which is denied"
	}
	p.entries[t] = e
}
