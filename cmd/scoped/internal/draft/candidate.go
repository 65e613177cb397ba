package draft

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/scoped-pgx/scoped/catalog"
)

// A Candidate is a table that could be a root.
type Candidate struct {
	Root   string // as ParseRoot reads it
	Direct int    // the tables that refer to it
	All    int    // these, and those that do over others
	Named  bool   // its name is one that tenants have
}

// Flag returns the flag that makes it a root, as a shell reads it. Where its name
// cannot be a dimension's, that is tenant.
func (c Candidate) Flag() string {
	r, err := ParseRoot(c.Root)
	if err != nil || !validDimension(strings.ToLower(r.Table)) {
		return "--root " + quoted(c.Root+"=tenant")
	}
	return "--root " + quoted(c.Root)
}

// String says what speaks for the candidate.
func (c Candidate) String() string {
	s := fmt.Sprintf("%d tables refer to it, %d directly", c.All, c.Direct)
	if c.All == 1 {
		s = "1 table refers to it"
	}
	if c.Named {
		s += "; it is named as tenants are"
	}
	return s
}

// tenants are the nouns that tables of tenants and of users have for names.
var tenants = []string{
	"account", "agency", "branch", "business", "client", "clinic", "club", "community", "company", "customer", "event",
	"firm", "hospital", "instance", "merchant", "org", "organisation", "organization", "owner", "partner", "project",
	"school", "shop", "site", "space", "store", "team", "tenant", "user", "vendor", "workspace",
}

// Candidates returns the tables that could be roots, the likely ones first: those
// named as tenants are, and then those on which most others hang. A table to which
// nothing refers is none.
func (db *Database) Candidates() []Candidate {
	p := newProposer(db, nil, db.searchPath, nil)
	var candidates []Candidate
	for _, t := range p.tables {
		direct, all := p.reach(t)
		if all > 0 && len(db.keys(t)) > 0 {
			candidates = append(candidates, Candidate{Root: rootName(t), Direct: direct, All: all, Named: named(t.Name, tenants)})
		}
	}
	slices.SortStableFunc(candidates, func(a, b Candidate) int {
		switch {
		case a.Named && !b.Named:
			return -1
		case b.Named && !a.Named:
			return 1
		}
		return cmp.Or(b.All-a.All, b.Direct-a.Direct)
	})
	return candidates
}

// reach counts the tables that refer to t, directly and over others.
func (p *proposer) reach(t *catalog.Table) (direct, all int) {
	seen := map[*catalog.Table]bool{t: true}
	open := []*catalog.Table{t}
	for len(open) > 0 {
		from := open[0]
		open = open[1:]
		for _, r := range p.referring[from] {
			if !seen[r.from] {
				seen[r.from] = true
				open = append(open, r.from)
			}
		}
		if from == t {
			direct = len(open)
		}
	}
	return direct, len(seen) - 1
}

// named reports whether the last word of a table's name is one of the nouns.
func named(name string, nouns []string) bool {
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) })
	if len(words) == 0 {
		return false
	}
	last := words[len(words)-1]
	if i := strings.LastIndexFunc(last, unicode.IsUpper); i > 0 && strings.ContainsFunc(last, unicode.IsLower) {
		last = last[i:]
	}
	return slices.Contains(nouns, singular(strings.ToLower(last)))
}
