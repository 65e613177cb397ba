package draft

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
)

// An Update is a policy's text with entries for the tables that it did not list.
type Update struct {
	Text     string
	Added    []string // the tables that have an entry now
	Vanished []Vanished
}

// A Vanished is an entry of a table that does not exist. It stays.
type Vanished struct {
	Table string
	Line  int // in the text before the update
}

// Update adds to a policy, the text of the file name, entries for the tables that
// it does not list, under what it says of the others. What is there stays byte
// for byte. Roots help with dimensions of the policy, and may be none. The error
// for a text that does not load is a policy.Errors.
func (db *Database) Update(name, text string, roots []Root) (*Update, error) {
	given, err := policy.Parse(name, []byte(text))
	if err != nil {
		return nil, err
	}
	dimensions, err := db.dimensionsOf(given, roots)
	if err != nil {
		return nil, err
	}
	u := &Update{Text: text}
	for _, t := range given.Tables() {
		if found := db.catalog.Table(t.Schema, t.Name); found == nil || found.Kind == catalog.Type {
			u.Vanished = append(u.Vanished, Vanished{spellerOf(given).entry(tableName{t.Schema, t.Name}, specOf(t)), t.Line})
		}
	}
	p := newProposer(db, dimensions, given.SearchPath(), given)
	entries := p.propose()
	if len(entries) == 0 {
		return u, nil
	}
	at, err := findTables(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	w := &writer{spell: p.spell}
	w.comment(at.indent, "Added by scoped init --update.")
	w.entries(at.indent, entries)
	w.b.WriteByte('\n')
	u.Text = text[:at.offset] + strings.ReplaceAll(w.b.String(), "\n", at.newline) + text[at.offset:]
	for _, e := range entries {
		u.Added = append(u.Added, p.spell.entry(nameOf(e.table), e.spec))
	}
	return u, db.verifyUpdate(given, u)
}

// dimensionsOf returns the dimensions of a policy, with the roots that are named.
func (db *Database) dimensionsOf(p *policy.Policy, roots []Root) ([]*dimension, error) {
	named, err := db.resolveAll(roots, p.SearchPath())
	if err != nil {
		return nil, err
	}
	var dimensions []*dimension
	for _, d := range p.Dimensions() {
		of := &dimension{name: d.Name, typ: string(d.Type), optional: d.Optional}
		if d.Schemas != nil {
			of.example = d.Schemas.Template
		}
		dimensions = append(dimensions, of)
	}
	for _, n := range named {
		i := slices.IndexFunc(dimensions, func(d *dimension) bool { return d.name == n.name })
		if i < 0 {
			return nil, fmt.Errorf("the policy has no dimension %s; add it there, or name another behind the root, such as --root %s",
				n.name, quoted(rootName(n.root)+"="+dimensions[0].name))
		}
		dimensions[i].root, dimensions[i].key = n.root, n.key
	}
	for _, d := range dimensions {
		if schemas := p.Dimension(d.name).Schemas; d.root == nil && schemas != nil && schemas.Registry != nil {
			r := schemas.Registry
			d.root, d.key = db.catalog.Table(r.Schema, r.Table), r.Column
		} else if d.root == nil {
			db.inferRoot(d, p)
		}
	}
	return dimensions, nil
}

// inferRoot finds the root of a dimension: the table to which most of the columns
// refer that the policy scopes tables by.
func (db *Database) inferRoot(d *dimension, p *policy.Policy) {
	votes := map[column]int{}
	var best column
	for _, t := range db.catalog.Tables() {
		listed := p.Table(t.Schema, t.Name)
		if listed == nil {
			continue
		}
		says := specOf(listed)
		s := says.on(d.name)
		if s == nil || len(s.ways) > 1 || s.ways[0].to != (tableName{}) {
			continue
		}
		for _, f := range t.ForeignKeys {
			to := db.table(tableName{f.Schema, f.Table})
			if len(f.Columns) > 1 || f.Columns[0] != s.ways[0].column || refersElsewhere(to, f.Keys[0]) {
				continue
			}
			key := column{to, f.Keys[0]}
			if votes[key]++; votes[key] > votes[best] {
				best = key
			}
		}
	}
	d.root, d.key = best.table, best.name
}

// verifyUpdate reports a mistake of this package in an update.
func (db *Database) verifyUpdate(before *policy.Policy, u *Update) error {
	after, err := policy.Parse("the update", []byte(u.Text))
	if err != nil {
		return fmt.Errorf("the update does not load, which is a mistake of scoped's own: %s", err)
	}
	if old, now := len(before.Tables()), len(after.Tables()); now != old+len(u.Added) {
		return fmt.Errorf("the update has %d tables instead of %d, which is a mistake of scoped's own", now, old+len(u.Added))
	}
	return nil
}

// A spot is where entries can be added to a policy's text.
type spot struct {
	offset  int // in bytes
	indent  string
	newline string
}

// findTables returns the spot before the first entry of tables, on the line
// behind that key.
func findTables(text string) (spot, error) {
	errBraces := errors.New("entries are added to tables only where it is written without braces, an entry a line")
	var tokens token.Tokens
	for _, t := range lexer.Tokenize(normalize(text)) {
		if t.Type != token.CommentType && t.Type != token.DocumentHeaderType {
			tokens = append(tokens, t)
		}
	}
	depth := 0
	for i, t := range tokens {
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth--
		}
		// A key of the policy stands in the column of the first.
		if depth > 0 || t.Value != "tables" || t.Position.Column != tokens[0].Position.Column ||
			i+2 >= len(tokens) || tokens[i+1].Type != token.MappingValueType {
			continue
		}
		first := tokens[i+2]
		if first.Type == token.MappingStartType || first.Position.Line == t.Position.Line {
			return spot{}, errBraces
		}
		at := spot{indent: strings.Repeat(" ", first.Position.Column-1)}
		at.offset, at.newline = endOfLine(text, t.Position.Line)
		return at, nil
	}
	if len(tokens) > 0 && tokens[0].Type == token.MappingStartType {
		return spot{}, errBraces
	}
	return spot{}, errors.New("the policy has no tables; write one with scoped init without --update")
}

// normalize returns text with the ends of lines that the lexer counts alike, as
// the policy's reader does, and without a byte order mark.
func normalize(text string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(text, "\ufeff"))
}

// endOfLine returns the offset behind a line, and what ends it.
func endOfLine(text string, line int) (offset int, newline string) {
	for ; line > 0; line-- {
		end := strings.IndexAny(text[offset:], "\r\n")
		newline = text[offset+end : offset+end+1]
		if strings.HasPrefix(text[offset+end:], "\r\n") {
			newline = "\r\n"
		}
		offset += end + len(newline)
	}
	return offset, newline
}
