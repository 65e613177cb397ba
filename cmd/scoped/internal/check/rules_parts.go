package check

import (
	"fmt"
	"slices"

	"github.com/scoped-pgx/scoped/policy"
)

// above returns the tables from which a listed table inherits, or whose partition
// it is, however far above, where they are listed.
func (c *checker) above(t *table) (all []*table) {
	for _, oid := range t.Parents {
		if parent := c.byOID[oid]; parent != nil {
			if parent.policy != nil {
				all = append(all, parent)
			}
			all = append(all, c.above(parent)...)
		}
	}
	return all
}

func partitionListedApart(c *checker) {
	for _, t := range c.used() {
		for _, parent := range c.above(t) {
			if parent.policy.Access == policy.Scoped && !c.saysTheSame(t.policy, parent.policy) {
				entry := changed(parent.policy)
				entry.Schema, entry.Name = t.Schema, t.Name
				c.find(t, "%s is listed otherwise than %s, whose rows it holds", t, parent).YAML = c.entry(entry)
				break
			}
		}
	}
}

func parentShowsChildren(c *checker) {
	for _, t := range c.scoped() {
		for _, parent := range c.above(t) {
			if parent.policy.Access == policy.Shared || parent.policy.Access == policy.SharedRead {
				entry := changed(t.policy)
				entry.Schema, entry.Name = parent.Schema, parent.Name
				if entry.In != parent.policy.In { // it shows what is in all schemas
					entry.In, entry.Access = nil, policy.Denied
				}
				c.find(parent, "%s is shared, and shows the rows of %s, which is scoped", parent, t).YAML = c.entry(entry)
			}
		}
	}
}

func childWithoutKeys(c *checker) {
	for _, r := range c.relations {
		for _, oid := range r.Parents {
			parent := c.byOID[oid]
			if parent != nil && parent.Kind == "r" && parent.policy != nil && parent.policy.Access == policy.Scoped &&
				(len(parent.foreignKeys) > 0 || slices.ContainsFunc(parent.indexes, func(i *index) bool { return i.Unique })) {
				c.find(parent, "%s inherits from %s, without its keys", r, parent).Advice =
					"make the child a partition, or give it keys of its own and let no two have the same"
			}
		}
	}
}

func rowSecurityWithoutPolicy(c *checker) {
	for _, t := range c.used() {
		if t.Security && !slices.ContainsFunc(c.policies, func(p *rowPolicy) bool { return p.Relation == t.OID }) {
			c.find(t, "%s has row-level security enabled, and no policy of it", t).SQL =
				fmt.Sprintf("ALTER TABLE %s DISABLE ROW LEVEL SECURITY;", t.quoted())
		}
	}
}

func rowSecurityNeedsSetting(c *checker) {
	for _, p := range c.policies {
		if t := c.byOID[p.Relation]; t != nil && t.Security && p.Setting && t.policy != nil && t.policy.Access != policy.Denied {
			c.find(t, "the policy %s of %s reads a setting of the session", p.Name, t).Advice =
				"let the program set it where it begins a transaction, with scopes disabled, or let the policy go by current_user"
		}
	}
}

func rowSecurityNotForced(c *checker) {
	for _, r := range c.program {
		for _, t := range c.used() {
			if t.Security && !t.Forced && c.owns(r, t) {
				c.find(t, "row-level security of %s does not apply to %s, which owns it", t, r.Name).SQL =
					fmt.Sprintf("ALTER TABLE %s FORCE ROW LEVEL SECURITY;", t.quoted())
			}
		}
	}
}
