package policy

import (
	"strings"
	"unicode/utf8"
)

// A pattern is an entry of tables whose name holds wildcards.
type pattern struct {
	schema   string
	glob     glob
	literals int // characters that are not wildcards
	table    *Table
}

// matchPattern returns what the pattern with the most literal characters says
// of a table, or nil. Where two patterns are equally literal neither is the
// better one, and guessing could lift a restriction: the table is denied.
func (p *Policy) matchPattern(schema, name string) *Table {
	var best *pattern
	tie := false
	for _, c := range p.patterns {
		if c.schema != schema || best != nil && c.literals < best.literals || !c.glob.match(name) {
			continue
		}
		tie = best != nil && c.literals == best.literals
		if !tie {
			best = c
		}
	}
	if best == nil {
		return nil
	}
	t := *best.table
	t.Schema, t.Name = schema, name
	if tie {
		t.Access, t.Scopings = Denied, nil
	}
	return &t
}

// A glob is a name with wildcards, cut at them: * stands between two
// neighbours for any run of characters, the empty one included.
type glob []string

func newGlob(pattern string) glob { return strings.Split(pattern, "*") }

func (g glob) literals() int {
	n := 0
	for _, s := range g {
		n += utf8.RuneCountInString(s)
	}
	return n
}

func (g glob) match(name string) bool {
	rest, ok := strings.CutPrefix(name, g[0])
	if !ok {
		return false
	}
	// The leftmost place is right for every piece but the last: it leaves the
	// most to the pieces after it.
	last := len(g) - 1
	if last == 0 { // there is no wildcard
		return rest == ""
	}
	for _, piece := range g[1:last] {
		i := strings.Index(rest, piece)
		if i < 0 {
			return false
		}
		rest = rest[i+len(piece):]
	}
	return strings.HasSuffix(rest, g[last])
}
