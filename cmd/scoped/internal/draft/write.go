package draft

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scoped-pgx/scoped/policy"
)

// The widest lines, in characters: of a comment, and of an entry with one.
const (
	width      = 100
	entryWidth = 120
)

// HasSchemas reports whether there are schemas that are alike, of which a policy can
// be made without a root.
func (db *Database) HasSchemas() bool { return db.alike != nil }

// Policy returns a policy for the database, as the text of its file, with a dimension
// for each root and for each set of schemas that are alike.
func (db *Database) Policy(roots []Root) (string, error) {
	if len(roots) == 0 && !db.HasSchemas() {
		return "", errors.New("no root is named")
	}
	dimensions, err := db.resolveAll(roots, db.searchPath)
	if err != nil {
		return "", err
	}
	dimensions = db.addAlike(dimensions)
	text := db.text(dimensions)
	// Templates that are to be made yet will be as the schemas that are read for them.
	for _, d := range dimensions {
		if d.alike != nil && d.alike.missing() {
			existing := *d.alike
			existing.template = existing.example
			d.alike = &existing
		}
	}
	return text, db.verify("the proposal", db.text(dimensions))
}

// text returns a policy with the dimensions.
func (db *Database) text(dimensions []*dimension) string {
	p := newProposer(db, dimensions, db.searchPath, nil)
	w := &writer{spell: p.spell}
	entries := p.propose()
	w.header(dimensions)
	w.dimensions(dimensions, entries)
	w.searchPath(db.searchPath)
	w.b.WriteString("\ntables:\n")
	for i, part := range grouped(entries) {
		if i > 0 {
			w.b.WriteByte('\n')
		}
		w.comment("  ", headings[part[0].group])
		w.entries("  ", part)
	}
	w.reserve(db)
	w.functions(p)
	return w.b.String()
}

// resolveAll finds the tables of roots, each of a dimension of its own.
func (db *Database) resolveAll(roots []Root, searchPath []string) ([]*dimension, error) {
	if len(roots) > policy.MaxDimensions {
		return nil, fmt.Errorf("%d roots; the most is %d", len(roots), policy.MaxDimensions)
	}
	var dimensions []*dimension
	for _, r := range roots {
		d, err := db.resolve(r, searchPath)
		if err != nil {
			return nil, err
		}
		for _, other := range dimensions {
			if other.name == d.name {
				return nil, fmt.Errorf("two roots for the dimension %s; name one of them otherwise, such as --root %s", d.name, quoted(rootName(d.root)+"=other"))
			}
			if other.root == d.root {
				return nil, fmt.Errorf("%s is the root of %s already", rootName(d.root), other.name)
			}
		}
		dimensions = append(dimensions, d)
	}
	return dimensions, nil
}

// verify reports a text that does not load, or does not fit the database, which
// would be a mistake of this package.
func (db *Database) verify(what, text string) error {
	p, err := policy.Parse(what, []byte(text))
	if err != nil {
		return fmt.Errorf("%s does not load, which is a mistake of scoped's own: %s", what, err)
	}
	for _, f := range db.catalog.Check(p) {
		if f.Fatal {
			return fmt.Errorf("%s does not fit the database, which is a mistake of scoped's own: %s", what, f)
		}
	}
	for _, schema := range db.once {
		if p.TenantSchema(schema) != nil {
			return fmt.Errorf("%s takes the schema %s for a value's, which is a mistake of scoped's own", what, schema)
		}
	}
	for _, a := range db.alike {
		for _, schema := range a.schemas {
			if p.TenantSchema(schema) == nil && schema != a.example {
				return fmt.Errorf("%s has no value for the schema %s, which is a mistake of scoped's own", what, schema)
			}
		}
	}
	return nil
}

// grouped cuts entries into those of each group.
func grouped(entries []*entry) [][]*entry {
	var parts [][]*entry
	for i, e := range entries {
		if i == 0 || e.group != entries[i-1].group {
			parts = append(parts, nil)
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], e)
	}
	return parts
}

type writer struct {
	b     strings.Builder
	spell speller
}

func (w *writer) header(dimensions []*dimension) {
	command := "scoped init"
	for _, d := range dimensions {
		if !d.named {
			continue
		}
		root := rootName(d.root)
		if d.name != d.root.Name {
			root += "=" + d.name
		}
		command += " --root " + quoted(root)
	}
	w.comment("", "Proposed from the schema of the database by")
	w.b.WriteString("#\n#   " + visible(command) + "\n#\n")
	w.comment("", "Beside each entry stands what it rests on. Read them before you rely on them, first of all what is shared. "+
		"To have an entry proposed again, remove it and run scoped init --update FILE.")
}

func (w *writer) dimensions(dimensions []*dimension, entries []*entry) {
	w.b.WriteString("version: 1\n\ndimensions:\n")
	for _, d := range dimensions {
		if d.alike != nil {
			w.alike(d)
			continue
		}
		fmt.Fprintf(&w.b, "  %s: {type: %s}  # %s of %s\n", scalar(d.name), d.typ, visible(d.key), visible(w.spell.table(nameOf(d.root))))
	}
	if len(dimensions) < 2 {
		return
	}
	w.comment("  ", "A table of several dimensions is restricted on each of them. Remove from its entry those that say nothing of who"+
		" may see the row, such as its author.")
	for _, d := range dimensions {
		if d.alike == nil && canBeOptional(d, entries) {
			w.comment("  ", fmt.Sprintf("Every table of %s belongs to another dimension too. With {type: %s, optional: true} a scope may lack it: such"+
				" statements are not restricted on %s.", d.name, d.typ, d.name))
		}
	}
}

// canBeOptional reports whether no table is scoped on d alone.
func canBeOptional(d *dimension, entries []*entry) bool {
	return !slices.ContainsFunc(entries, func(e *entry) bool {
		return len(e.spec.scopings) == 1 && e.spec.in == "" && e.spec.on(d.name) != nil
	})
}

func (w *writer) searchPath(path []string) {
	var names []string
	for _, schema := range path {
		names = append(names, scalar(spelled(schema)))
	}
	fmt.Fprintf(&w.b, "\nsearch_path: [%s]  # of the connection that read this\n", strings.Join(names, ", "))
}

// entries writes entries of tables with their comments, in columns.
func (w *writer) entries(indent string, entries []*entry) {
	const widestKey, widestValue = 28, 40
	keys, values := make([]string, len(entries)), make([]string, len(entries))
	var key, value int
	for i, e := range entries {
		keys[i], values[i] = scalar(w.spell.entry(nameOf(e.table), e.spec))+":", w.spell.value(e.spec)
		if n := utf8.RuneCountInString(keys[i]); n <= widestKey {
			key = max(key, n)
		}
		if n := utf8.RuneCountInString(values[i]); n <= widestValue {
			value = max(value, n)
		}
	}
	for i, e := range entries {
		line := fmt.Sprintf("%s%-*s %s", indent, key, keys[i], values[i])
		with := fmt.Sprintf("%s%-*s %-*s  # %s", indent, key, keys[i], value, values[i], visible(e.why))
		notes := e.notes
		if utf8.RuneCountInString(with) <= entryWidth {
			line = with
		} else {
			notes = append([]string{e.why}, notes...)
		}
		for _, note := range notes {
			w.comment(indent, note)
		}
		w.b.WriteString(line + "\n")
	}
}

// comment writes text as lines of a comment.
func (w *writer) comment(indent, text string) {
	line := indent + "#"
	for _, word := range strings.Fields(visible(text)) {
		if line != indent+"#" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			w.b.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + word
	}
	w.b.WriteString(line + "\n")
}

// functions writes the application's functions as a comment that becomes a part
// of the policy without its signs.
func (w *writer) functions(p *proposer) {
	if len(p.db.functions) == 0 {
		return
	}
	w.b.WriteByte('\n')
	w.comment("", "The functions of the database. None is allowed as it stands: what a function reads is not restricted to the scope. "+
		"Those that read nothing, or only what is shared, are harmless; an entry is for all functions of its name.")
	w.b.WriteString("#\n# functions:\n#   allow:\n")
	items := make([]string, len(p.db.functions))
	widest := 0
	for i, f := range p.db.functions {
		name := spelled(f.name)
		if template := p.spell.templates[f.schema]; template != "" {
			name = spelled(template) + "." + name
		} else if !slices.Contains(p.db.searchPath, f.schema) {
			name = spelled(f.schema) + "." + name
		}
		items[i] = "- " + scalar(name)
		if n := utf8.RuneCountInString(items[i]); n <= 30 {
			widest = max(widest, n)
		}
	}
	for i, f := range p.db.functions {
		item := items[i]
		if i > 0 && item == items[i-1] {
			item = "" // another function of the name
		}
		fmt.Fprintf(&w.b, "#     %-*s  # %s\n", widest, item, visible(p.about(f)))
	}
}
