package draft

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
)

// TestRandomSchemas proposes policies for generated schemas. Each loads and fits,
// which Policy itself verifies, each path is a best one, and an entry that is
// removed is proposed again.
func TestRandomSchemas(t *testing.T) {
	for seed := range uint64(100) {
		db := randomDatabase(rand.New(rand.NewPCG(seed, 0)))
		named := []Root{{Table: "t0"}}
		if seed%2 == 1 {
			named = append(named, Root{Table: "t1", Dimension: "other"})
		}
		text, err := db.Policy(named)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		p, err := policy.Parse("policy.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		bestPaths(t, db, p, text)
		proposedAgain(t, db, p, text, named)
		if t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, text)
		}
	}
}

// randomDatabase returns a dozen tables with keys of one and of two columns.
func randomDatabase(r *rand.Rand) *Database {
	type object = map[string]any
	const n = 12
	var tables []object
	composite := map[int]bool{} // whose key is of two columns
	for i := range n {
		composite[i] = i > 1 && r.IntN(4) == 0
	}
	for i := range n {
		columns := []object{{"name": "id", "type": "bigint", "not_null": true}, {"name": "part", "type": "bigint", "not_null": true}}
		table := object{"schema": "public", "name": fmt.Sprintf("t%d", i), "kind": "table", "primary_key": []string{"id"}}
		if composite[i] {
			table["primary_key"] = []string{"part", "id"}
		} else {
			table["unique"] = [][]string{{"part", "id"}}
		}
		var keys []object
		for k := range r.IntN(4) {
			to := r.IntN(n)
			add := func(name string) string {
				name = fmt.Sprintf("%s%d_%d", name, k, to)
				columns = append(columns, object{"name": name, "type": "bigint", "not_null": r.IntN(3) > 0})
				return name
			}
			key := object{"schema": "public", "table": fmt.Sprintf("t%d", to), "on_delete": []string{"no action", "cascade"}[r.IntN(2)]}
			if composite[to] || r.IntN(4) == 0 {
				key["columns"], key["keys"] = []string{add("p"), add("i")}, []string{"part", "id"}
			} else {
				key["columns"], key["keys"] = []string{add("c")}, []string{"id"}
			}
			keys = append(keys, key)
		}
		table["columns"], table["foreign_keys"] = columns, keys
		tables = append(tables, table)
	}
	data, err := json.Marshal(object{"version": 1, "tables": tables, "functions": []object{}})
	if err != nil {
		panic(err)
	}
	c, err := catalog.Parse(data)
	if err != nil {
		panic(err)
	}
	return &Database{catalog: c, searchPath: []string{"public"}}
}

// bestPaths finds all paths from each table, without a repeated table, and
// compares the best with the one of the policy.
func bestPaths(t *testing.T, db *Database, p *policy.Policy, text string) {
	owns := func(table *catalog.Table, d *policy.Dimension) string {
		for _, s := range p.Table(table.Schema, table.Name).Scopings {
			if s.Dimension == d && s.Path == nil {
				return s.Column
			}
		}
		return ""
	}
	undecided := func(table *catalog.Table) bool {
		return p.Table(table.Schema, table.Name).Access == policy.Denied
	}
	var search func(table *catalog.Table, d *policy.Dimension, above []*catalog.Table) (best cost, found bool)
	search = func(table *catalog.Table, d *policy.Dimension, above []*catalog.Table) (best cost, found bool) {
		if column := owns(table, d); column != "" {
			c := cost{steps: 1}
			if !table.Column(column).NotNull {
				c.nullable = 1
			}
			return c, true
		}
		for _, f := range table.ForeignKeys {
			to := db.catalog.Table(f.Schema, f.Table)
			if to == table || slices.Contains(above, to) || undecided(to) {
				continue
			}
			for i, key := range f.Keys {
				if !to.IsUnique(key) {
					continue
				}
				if c, ok := search(to, d, append(above, table)); ok {
					c.steps++
					if !table.Column(f.Columns[i]).NotNull {
						c.nullable++
					}
					if !found || c.compare(best) < 0 {
						best, found = c, true
					}
				}
			}
		}
		return best, found
	}
	var costOf func(s policy.Scoping, table *catalog.Table) cost
	costOf = func(s policy.Scoping, table *catalog.Table) (c cost) {
		if s.Path != nil {
			c = costOf(*s.Path.Via, db.catalog.Table(s.Path.Target.Schema, s.Path.Target.Name))
		}
		c.steps++
		if !table.Column(s.Column).NotNull {
			c.nullable++
		}
		return c
	}
	for _, listed := range p.Tables() {
		table := db.catalog.Table(listed.Schema, listed.Name)
		for _, d := range p.Dimensions() {
			best, found := search(table, d, nil)
			i := slices.IndexFunc(listed.Scopings, func(s policy.Scoping) bool { return s.Dimension == d })
			switch {
			case listed.Access == policy.Denied:
			case i < 0 && found:
				t.Errorf("%s has a path to %s", listed.Name, d.Name)
			case i >= 0 && listed.Scopings[i].Path != nil && costOf(listed.Scopings[i], table) != best:
				t.Errorf("%s has a better path to %s: %v", listed.Name, d.Name, best)
			}
		}
	}
}

// proposedAgain removes each entry to which none leads, and updates.
func proposedAgain(t *testing.T, db *Database, p *policy.Policy, text string, named []Root) {
	for _, listed := range p.Tables() {
		lines := strings.SplitAfter(text, "\n")
		removed := lines[listed.Line-1]
		lines[listed.Line-1] = ""
		u, err := db.Update("policy.yaml", strings.Join(lines, ""), named)
		if err != nil {
			continue // a path leads to it, or it was the last
		}
		after, err := policy.Parse("policy.yaml", []byte(u.Text))
		if err != nil || len(u.Added) != 1 {
			t.Errorf("%s: added %v: %v", removed, u.Added, err)
			continue
		}
		now := after.Table(listed.Schema, listed.Name)
		if spell := (speller{schema: "public"}); listed.Access == policy.Scoped && spell.value(specOf(now)) != spell.value(specOf(listed)) {
			t.Errorf("%s is %s now", strings.TrimSpace(removed), spell.value(specOf(now)))
		}
	}
}
