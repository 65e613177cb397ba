package draft

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
)

// An alike is a set of schemas with the same tables, one for each value of a
// dimension.
type alike struct {
	schemas  []string // of values
	example  string   // the one whose tables are read: the template, or a value's where there is none
	template string   // its name, also where it is to be made yet
	guessed  bool     // it is the template because it holds no rows
	unfilled []string // schemas with a value's name and without tables
	naming
	registries       []registry // that list the values equally well
	differing        []string   // the schemas with other tables than the example, and how
	sequences, types []string   // of the example, those that no column owns and that are no table's rows
}

// missing reports whether there is no template.
func (a *alike) missing() bool { return a.template != a.example }

// A naming is what stands before and behind the values in the names of schemas.
type naming struct{ prefix, suffix string }

func (n naming) pattern() string { return n.prefix + policy.Placeholder + n.suffix }

func (n naming) fits(schema string) bool {
	return len(schema) > len(n.prefix)+len(n.suffix) && strings.HasPrefix(schema, n.prefix) && strings.HasSuffix(schema, n.suffix)
}

// values returns what stands for the value in the names of schemas.
func (n naming) values(schemas []string) []string {
	values := make([]string, len(schemas))
	for i, s := range schemas {
		values[i] = s[len(n.prefix) : len(s)-len(n.suffix)]
	}
	return values
}

// A namespace is a schema with the columns of its tables, as one text for each.
type namespace struct {
	name   string
	tables map[string]string
}

// readAlike finds the schemas that are alike, and returns a policy under which those
// of values are left out.
func (db *Database) readAlike(ctx context.Context, tx pgx.Tx) (*policy.Policy, error) {
	all, err := readNamespaces(ctx, tx)
	if err != nil {
		return nil, err
	}
	f := &finder{ctx: ctx, tx: tx, path: db.searchPath, all: all, taken: map[string]bool{}}
	for _, group := range f.groups() {
		a, err := f.alike(group)
		if err != nil {
			return nil, err
		}
		if a == nil {
			continue
		}
		// The loader knows which names there cannot be, and which patterns overlap.
		if _, err := reading(append(db.alike, a), db.searchPath, nil); err != nil || !isName(a.template) {
			continue
		}
		db.alike = append(db.alike, a)
		f.taken[a.template] = true
		for _, schema := range slices.Concat(a.schemas, a.unfilled) {
			f.taken[schema] = true
		}
	}
	if db.alike == nil {
		return new(policy.Policy), nil
	}
	for _, n := range all {
		if !f.taken[n.name] && !slices.Contains(db.searchPath, n.name) {
			db.once = append(db.once, n.name)
		}
	}
	return reading(db.alike, db.searchPath, db.once)
}

// reading returns a policy that leaves out the schemas of values and no others.
func reading(all []*alike, searchPath, once []string) (*policy.Policy, error) {
	var b strings.Builder
	b.WriteString("version: 1\ndimensions:\n")
	for i, a := range all {
		fmt.Fprintf(&b, "  d%d: {schema: %s, template: %s}\n", i, scalar(a.pattern()), scalar(spelled(a.example)))
	}
	b.WriteString("search_path:\n")
	for _, schema := range searchPath {
		fmt.Fprintf(&b, "- %s\n", scalar(spelled(schema)))
	}
	if len(once) > 0 {
		b.WriteString("tables:\n")
	}
	for _, schema := range once {
		b.WriteString("  " + reserve(schema) + "\n")
	}
	return policy.Parse("the schemas", []byte(b.String()))
}

// reserve returns an entry of tables that keeps a schema from being a value's.
func reserve(schema string) string { return scalar(spelled(schema)+".*") + ": denied" }

// readNamespaces reads the schemas by name, with the tables that an extension or a
// partitioned table does not bring along.
func readNamespaces(ctx context.Context, tx pgx.Tx) ([]*namespace, error) {
	rows, err := tx.Query(ctx, `
SELECT n.nspname, coalesce(jsonb_object_agg(t.relname, t.columns) FILTER (WHERE t.relname IS NOT NULL), '{}')
FROM pg_namespace n
LEFT JOIN (
  SELECT c.relnamespace, c.relname, md5(coalesce(string_agg(quote_ident(a.attname) || ' ' || y.typname || a.atttypmod, ',' ORDER BY a.attname), '')) AS columns
  FROM pg_class c
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_type y ON y.oid = a.atttypid
  WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  GROUP BY c.oid
) t ON t.relnamespace = n.oid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
GROUP BY n.oid`)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*namespace, error) {
		n := &namespace{}
		return n, row.Scan(&n.name, &n.tables)
	})
	slices.SortFunc(all, func(a, b *namespace) int { return strings.Compare(a.name, b.name) })
	return all, err
}

// A finder finds sets of schemas that are alike.
type finder struct {
	ctx   context.Context
	tx    pgx.Tx
	path  []string
	all   []*namespace
	taken map[string]bool
}

// groups returns the schemas that have the very same tables, the largest group
// first.
func (f *finder) groups() [][]*namespace {
	byTables := map[string][]*namespace{}
	for _, n := range f.all {
		if len(n.tables) > 0 {
			key := fmt.Sprintf("%q", n.tables) // by name
			byTables[key] = append(byTables[key], n)
		}
	}
	var groups [][]*namespace
	for _, g := range byTables {
		if len(g) > 1 {
			groups = append(groups, g)
		}
	}
	slices.SortFunc(groups, func(a, b []*namespace) int {
		return cmp.Or(len(b)-len(a), strings.Compare(a[0].name, b[0].name))
	})
	return groups
}

// isName reports whether a schema of a value may have the name.
func isName(schema string) bool {
	_, err := new(policy.Schemas).Name(schema) // of which the value is all
	return err == nil
}

// free reports whether a schema may be a value's or a template.
func (f *finder) free(n *namespace) bool {
	return isName(n.name) && !f.taken[n.name] && !slices.Contains(f.path, n.name)
}

// alike returns what the schemas of a group are, with others that are nearly the
// same, or nil.
func (f *finder) alike(group []*namespace) (*alike, error) {
	group = slices.DeleteFunc(slices.Clone(group), func(n *namespace) bool { return !f.free(n) })
	if len(group) < 2 {
		return nil, nil
	}
	var near, unfilled []*namespace
	for _, n := range f.all {
		switch {
		case !f.free(n) || slices.Contains(group, n):
		case len(n.tables) == 0:
			unfilled = append(unfilled, n)
		case similar(n, group[0]):
			near = append(near, n)
		}
	}
	template := templateAmong(group)
	if template == nil {
		template = templateAmong(near)
	}
	a := &alike{schemas: without(group, template)}
	if template != nil {
		a.template = template.name
	}
	namings := a.namings()
	if len(a.schemas) == 1 && len(namings) == 1 {
		return nil, nil // a template and a schema with nothing in common but tables
	}
	if err := f.findRegistry(a, namings, without(slices.Concat(group, near), nil)); err != nil {
		return nil, err
	}
	if a.example = a.template; a.template == "" {
		a.example, a.template = a.schemas[0], f.newTemplate(a.naming)
	}
	lagging, err := f.named(a, without(near, template))
	if err != nil || len(lagging) > len(group) {
		return nil, err
	}
	a.schemas = append(a.schemas, lagging...)
	slices.Sort(a.schemas)
	f.compare(a)
	if a.unfilled, err = f.named(a, without(unfilled, nil)); err != nil {
		return nil, err
	}
	return a, f.readObjects(a)
}

// newTemplate returns the name for a template, of which there is no schema.
func (f *finder) newTemplate(n naming) string {
	value := "_template"
	for slices.ContainsFunc(f.all, func(other *namespace) bool { return other.name == n.prefix+value+n.suffix }) {
		value = "_" + value
	}
	return n.prefix + value + n.suffix
}

// named returns the schemas that have a value's name. Where that says nothing, the
// registry lists the value.
func (f *finder) named(a *alike, schemas []string) ([]string, error) {
	schemas = slices.DeleteFunc(schemas, func(s string) bool { return !a.fits(s) })
	switch {
	case a.naming != (naming{}):
		return schemas, nil
	case len(a.registries) == 0:
		return nil, nil
	}
	listed, _, err := f.lookUp(a.registries[0], schemas)
	return listed, err
}

// similar reports whether two schemas have at least half of their tables in common,
// by name.
func similar(a, b *namespace) bool {
	common := 0
	for name := range a.tables {
		if b.tables[name] != "" {
			common++
		}
	}
	return 2*common >= max(len(a.tables), len(b.tables))
}

// templateWords are parts of the names that templates have.
var templateWords = []string{"template", "tmpl", "skeleton", "blueprint"}

// templateAmong returns the schema that is named as templates are, if there is one.
func templateAmong(schemas []*namespace) *namespace {
	var found []*namespace
	for _, n := range schemas {
		words := strings.FieldsFunc(strings.ToLower(n.name), func(r rune) bool { return !unicode.IsLetter(r) })
		if slices.ContainsFunc(words, func(w string) bool { return slices.Contains(templateWords, w) }) {
			found = append(found, n)
		}
	}
	if len(found) != 1 {
		return nil
	}
	return found[0]
}

// without returns the names of schemas but one.
func without(schemas []*namespace, but *namespace) (names []string) {
	for _, n := range schemas {
		if n != but {
			names = append(names, n.name)
		}
	}
	return names
}

// namings returns how the schemas of values may be named, first what says most. The
// last says nothing. Where the template has such a name too, it is one of these.
func (a *alike) namings() (all []naming) {
	names := a.schemas
	if len(names) == 1 {
		names = []string{names[0], a.template}
	}
	for _, prefix := range prefixes(names) {
		for _, suffix := range suffixes(names) {
			n := naming{prefix, suffix}
			if !slices.ContainsFunc(names, func(name string) bool { return !n.fits(name) }) {
				all = append(all, n)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b naming) int { return len(b.prefix+b.suffix) - len(a.prefix+a.suffix) })
	ofTemplate := slices.DeleteFunc(slices.Clone(all), func(n naming) bool { return !n.fits(a.template) })
	if len(ofTemplate) > 1 {
		return ofTemplate
	}
	return all
}

// prefixes returns what all names begin with, cut where a word ends: behind what is
// no letter and no digit, or before digits or capitals.
func prefixes(names []string) (all []string) {
	for i := range len(names[0]) + 1 {
		prefix := names[0][:i]
		if !utf8.ValidString(prefix) || slices.ContainsFunc(names, func(name string) bool { return !strings.HasPrefix(name, prefix) }) {
			continue
		}
		last, _ := utf8.DecodeLastRuneInString(prefix)
		ends := i == 0 || !isWord(last) || unicode.IsLower(last) && !slices.ContainsFunc(names, func(name string) bool {
			next, _ := utf8.DecodeRuneInString(name[i:])
			return !unicode.IsDigit(next) && !unicode.IsUpper(next)
		})
		if ends {
			all = append(all, prefix)
		}
	}
	return all
}

// suffixes returns what all names end with, cut before what is no letter and no
// digit.
func suffixes(names []string) (all []string) {
	for i := range len(names[0]) + 1 {
		suffix := names[0][i:]
		if slices.ContainsFunc(names, func(name string) bool { return !strings.HasSuffix(name, suffix) }) {
			continue
		}
		if first, _ := utf8.DecodeRuneInString(suffix); suffix == "" || utf8.RuneStart(suffix[0]) && !isWord(first) {
			all = append(all, suffix)
		}
	}
	return all
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// compare says which schemas have other tables than the example, and how they differ.
func (f *finder) compare(a *alike) {
	byName := map[string]*namespace{}
	for _, n := range f.all {
		byName[n.name] = n
	}
	example := byName[a.example].tables
	for _, schema := range a.schemas {
		var lacks, has, other []string
		tables := byName[schema].tables
		for _, name := range slices.Sorted(maps.Keys(example)) {
			switch columns, ok := tables[name]; {
			case !ok:
				lacks = append(lacks, name)
			case columns != example[name]:
				other = append(other, name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(tables)) {
			if _, ok := example[name]; !ok {
				has = append(has, name)
			}
		}
		var how []string
		for _, difference := range []struct {
			verb   string
			tables []string
		}{{"lacks ", lacks}, {"has ", has}, {"has other columns in ", other}} {
			if difference.tables != nil {
				how = append(how, difference.verb+several(difference.tables))
			}
		}
		if how != nil {
			a.differing = append(a.differing, schema+" "+strings.Join(how, ", "))
		}
	}
}

// readObjects reads what else is in the example that statements name.
func (f *finder) readObjects(a *alike) error {
	return f.tx.QueryRow(f.ctx, `
SELECT
  ARRAY(SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'S'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')) ORDER BY 1),
  ARRAY(SELECT t.typname::text FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typnamespace = n.oid AND (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c') ORDER BY 1)
FROM pg_namespace n WHERE n.nspname = $1`, a.example).Scan(&a.sequences, &a.types)
}

// addAlike adds the dimensions whose values choose schemas. One whose registry is the
// table of a root is that root's.
func (db *Database) addAlike(dimensions []*dimension) []*dimension {
	taken := func(name string) bool {
		return slices.ContainsFunc(dimensions, func(d *dimension) bool { return d.name == name })
	}
	for _, a := range db.alike {
		var d *dimension
		var list *registry
		for i, r := range a.registries {
			at := slices.IndexFunc(dimensions, func(d *dimension) bool { return d.named && d.alike == nil && nameOf(d.root) == r.table })
			if at >= 0 && list == nil {
				d, list = dimensions[at], &a.registries[i]
			}
		}
		if list == nil && len(a.registries) == 1 {
			list = &a.registries[0]
		}
		if d == nil {
			d = &dimension{typ: "text", name: "tenant"}
			if list != nil && validDimension(strings.ToLower(list.table.name)) {
				d.name = strings.ToLower(list.table.name)
			}
			for n, name := 2, d.name; taken(d.name); n++ {
				d.name = fmt.Sprintf("%s_%d", name, n)
			}
			dimensions = append(dimensions, d)
		}
		if list != nil {
			d.root, d.key, d.typ = db.table(list.table), list.column, list.typ
		}
		d.alike, d.example = a, a.example
	}
	return dimensions
}

// alike writes a dimension whose values choose schemas.
func (w *writer) alike(d *dimension) {
	a := d.alike
	hold := "schemas %s hold the same tables, each those of a value of %s."
	switch {
	case len(a.schemas) == 1:
		hold = "schema %s holds the tables of a value of %s."
	case a.differing != nil:
		hold = "schemas %s hold nearly the same tables, each those of a value of %s."
	}
	w.comment("  ", fmt.Sprintf("The "+hold, several(a.schemas), d.name))
	switch {
	case a.missing():
		w.comment("  ", fmt.Sprintf("A schema is missing that belongs to nobody, and of which those of new values are made. Before you use this policy, make"+
			" %s with what %s is made of, and without its rows:", a.template, a.example))
		once := fmt.Sprintf("{version: 1, dimensions: {%s: {schema: %s, template: %s}}}", scalar(d.name), scalar(a.pattern()), scalar(spelled(a.example)))
		value := a.values([]string{a.template})[0]
		fmt.Fprintf(&w.b, "  #\n  #   echo %s |\n  #     scoped schema create --policy /dev/stdin %s\n  #\n", quoted(once), quoted(value))
	case a.guessed:
		w.comment("  ", fmt.Sprintf("%s is taken for the template, which belongs to nobody, because it holds no rows.", a.template))
	default:
		w.comment("  ", fmt.Sprintf("%s is taken for the template, which belongs to nobody, because of its name.", a.template))
	}
	switch {
	case len(a.registries) == 0:
		w.comment("  ", "No table lists all values in a column that is unique and NOT NULL, so there is no registry.")
	case d.root == nil:
		var names []string
		for _, r := range a.registries {
			names = append(names, w.spell.target(r.table, r.column))
		}
		w.comment("  ", fmt.Sprintf("Several tables list the values: %s. Name one with --root, or as registry: here.", several(names)))
	}
	if a.differing != nil {
		const most = 3
		differing := a.differing
		if len(differing) > most {
			differing = append(differing[:most:most], fmt.Sprintf("and %d more", len(differing)-most))
		}
		w.comment("  ", fmt.Sprintf("Not all have the tables of %s: %s.", a.example, strings.Join(differing, "; ")))
	}
	fields := []string{"schema: " + scalar(a.pattern()), "template: " + scalar(spelled(a.template))}
	if d.root != nil {
		fields = append(fields, "registry: "+scalar(w.spell.target(nameOf(d.root), d.key)))
	}
	if d.typ != "text" {
		fields = append(fields, "type: "+d.typ)
	}
	for _, list := range []struct {
		key   string
		names []string
	}{{"sequences", a.sequences}, {"types", a.types}} {
		if len(list.names) > 0 {
			names := make([]string, len(list.names))
			for i, name := range list.names {
				names[i] = scalar(spelled(name))
			}
			fields = append(fields, list.key+": ["+strings.Join(names, ", ")+"]")
		}
	}
	fmt.Fprintf(&w.b, "  %s: {%s}\n", scalar(d.name), strings.Join(fields, ", "))
}

// reserve lists the schemas without tables whose names could be those of values.
func (w *writer) reserve(db *Database) {
	filled := map[string]bool{}
	for _, t := range db.catalog.Tables() {
		filled[t.Schema] = filled[t.Schema] || t.Kind != catalog.Type
	}
	heading := "\n  # Schemas without tables, which are no value's.\n"
	for _, schema := range db.once {
		if !filled[schema] && slices.ContainsFunc(db.alike, func(a *alike) bool { return a.fits(schema) }) {
			w.b.WriteString(heading + "  " + reserve(schema) + "\n")
			heading = ""
		}
	}
}
