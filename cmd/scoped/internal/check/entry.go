package check

import (
	"slices"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/draft"
	"github.com/scoped-pgx/scoped/policy"
)

// entry returns the entry of a table as the policy file spells it.
func (c *checker) entry(t *policy.Table) string {
	name, value := draft.Entry(c.policy, t)
	return name + ": " + value
}

// saysTheSame reports whether two tables have the same entry but for their names.
func (c *checker) saysTheSame(a, b *policy.Table) bool {
	_, first := draft.Entry(c.policy, a)
	_, second := draft.Entry(c.policy, b)
	return first == second
}

// changed returns a copy of a table's entry, to be changed.
func changed(t *policy.Table) *policy.Table {
	copied := *t
	copied.Scopings = slices.Clone(t.Scopings)
	copied.References = slices.Clone(t.References)
	return &copied
}
