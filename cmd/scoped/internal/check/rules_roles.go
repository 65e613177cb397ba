package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/policy"
)

// owns reports whether a role is, or may become, the owner of a table.
func (c *checker) owns(r *role, t *table) bool {
	return t.Owner == r.Name || slices.ContainsFunc(c.rights, func(g *right) bool {
		return g.Role == r.Name && g.Relation == t.OID && g.Owner
	})
}

func roleSuperuser(c *checker) {
	for _, r := range c.program {
		if r.Superuser {
			c.findAt(r.Name, "%s, as which the program connects, is a superuser", r.Name).SQL = "ALTER ROLE " + quote(r.Name) + " NOSUPERUSER;"
		}
	}
}

func roleBypassesRowSecurity(c *checker) {
	for _, r := range c.program {
		var secured []string
		for _, t := range c.used() {
			if t.Security {
				secured = append(secured, t.String())
			}
		}
		if r.BypassRLS && !r.Superuser && secured != nil {
			c.findAt(r.Name, "%s, as which the program connects, bypasses the row-level security of %s", r.Name, and(secured)).SQL =
				"ALTER ROLE " + quote(r.Name) + " NOBYPASSRLS;"
		}
	}
}

func roleOwnsTable(c *checker) {
	for _, r := range c.program {
		var owned []string
		for _, t := range c.scoped() {
			if c.owns(r, t) {
				owned = append(owned, t.String())
			}
		}
		if owned != nil {
			c.findAt(r.Name, "%s, as which the program connects, owns %s", r.Name, and(owned)).Advice =
				"let another role own and migrate the tables, and GRANT SELECT, INSERT, UPDATE, DELETE to this one"
		}
	}
}

func roleReachesFiles(c *checker) {
	for _, r := range c.program {
		if of := slices.DeleteFunc(slices.Clone(r.Reaches), isData); len(of) > 0 {
			c.findAt(r.Name, "%s, as which the program connects, is a member of %s", r.Name, and(of)).SQL = revokeRoles(of, r)
		}
	}
}

func revokeRoles(of []string, from *role) string {
	return "REVOKE " + strings.Join(of, ", ") + " FROM " + quote(from.Name) + ";"
}

// isData reports whether one of PostgreSQL's own roles is for data, not files.
func isData(role string) bool { return strings.HasSuffix(role, "_all_data") }

// others returns the roles that can log in, and are neither superusers nor the
// program's. It is empty where the program's are not known.
func (c *checker) others() (some []*role) {
	if len(c.program) == 0 {
		return nil
	}
	for _, r := range c.roles {
		if r.Login && !r.Superuser && !slices.Contains(c.program, r) {
			some = append(some, r)
		}
	}
	return some
}

func roleReadsAll(c *checker) {
	for _, r := range c.others() {
		if of := slices.DeleteFunc(slices.Clone(r.Reaches), func(name string) bool { return !isData(name) }); len(of) > 0 {
			c.findAt(r.Name, "%s can log in and is a member of %s", r.Name, and(of)).SQL = revokeRoles(of, r)
		}
	}
}

func roleReachesTable(c *checker) {
	for _, r := range c.others() {
		if slices.ContainsFunc(r.Reaches, isData) {
			continue
		}
		var reached, quoted []string
		for _, g := range c.rights {
			t := c.byOID[g.Relation]
			if g.Role == r.Name && !g.Owner && len(t.Public) == 0 && t.policy != nil && t.policy.Access == policy.Scoped {
				reached, quoted = append(reached, t.String()), append(quoted, t.quoted())
			}
		}
		if reached != nil {
			c.findAt(r.Name, "%s can log in and has rights on %s", r.Name, and(reached)).SQL =
				fmt.Sprintf("REVOKE ALL ON %s FROM %s;", strings.Join(quoted, ", "), quote(r.Name))
		}
	}
}

func publicGrant(c *checker) {
	for _, t := range c.scoped() {
		if len(t.Public) > 0 {
			c.find(t, "everybody has %s on %s", and(t.Public), t).SQL = fmt.Sprintf("REVOKE ALL ON %s FROM PUBLIC;", t.quoted())
		}
	}
}

func schemaCreatePublic(c *checker) {
	for _, s := range c.schemas {
		if s.PublicCreate && slices.Contains(c.policy.SearchPath(), s.Name) {
			c.findAt(s.Name, "everybody may create objects in the schema %s", s.Name).SQL =
				fmt.Sprintf("REVOKE CREATE ON SCHEMA %s FROM PUBLIC;", quote(s.Name))
		}
	}
}
