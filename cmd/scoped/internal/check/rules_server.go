package check

import (
	"fmt"
	"slices"
	"strings"
)

// server is the object of findings that concern sessions or the server.
const server = "server"

// sessions returns the roles whose sessions are looked at: the program's, or else
// that of whoever took the snapshot.
func (c *checker) sessions() []string {
	if len(c.program) == 0 {
		return []string{c.user}
	}
	names := make([]string, len(c.program))
	for i, r := range c.program {
		names[i] = r.Name
	}
	return names
}

// setting returns with what value of a setting a role's sessions begin. What ALTER
// ROLE and ALTER DATABASE say of it is known of every role, else it is taken to be
// that of this session, unless that is due to its own role.
func (c *checker) setting(role, name, otherwise string) string {
	if role == c.user {
		return c.session[name]
	}
	of := func(role string, database bool) *setting {
		for _, s := range c.settings {
			if s.Name == name && s.Role == role && (s.Database != "") == database {
				return s
			}
		}
		return nil
	}
	for _, s := range []*setting{of(role, true), of(role, false), of("", true), of("", false)} {
		if s != nil {
			return s.Value
		}
	}
	if of(c.user, true) != nil || of(c.user, false) != nil {
		return otherwise
	}
	return c.session[name]
}

func searchPathDiffers(c *checker) {
	want := c.existing(c.policy.SearchPath())
	for _, r := range c.sessions() {
		path := c.setting(r, "search_path", `"$user", public`)
		var names []string
		for i, name := range splitNames(path) {
			switch {
			case name == "$user":
				name = r
			case name == "pg_catalog" && i == 0: // where it is anyway
				continue
			}
			names = append(names, name)
		}
		if !slices.Equal(c.existing(names), want) {
			c.findAt(server, "sessions of %s have the search_path %s, and the policy has %s", r, path, strings.Join(c.policy.SearchPath(), ", ")).SQL =
				fmt.Sprintf("ALTER ROLE %s SET search_path = %s;", quote(r), quoteAll(c.policy.SearchPath()))
		}
	}
}

// existing returns the schemas of a search path that exist, each once, the
// system's own included.
func (c *checker) existing(path []string) (some []string) {
	missing := c.missing(path)
	for _, name := range path {
		if (!slices.Contains(missing, name) || name == "pg_catalog") && !slices.Contains(some, name) {
			some = append(some, name)
		}
	}
	return some
}

// splitNames reads a list of names as settings hold it.
func splitNames(list string) (names []string) {
	for _, token := range word.FindAllString(list, -1) {
		if token != "," {
			names = append(names, name(folded(token)))
		}
	}
	return names
}

// wants reports sessions in which a setting is none of some values, the first of
// which is the remedy.
func (c *checker) wants(setting, remedy string, values ...string) {
	for _, r := range c.sessions() {
		if value := c.setting(r, setting, remedy); !slices.Contains(values, strings.ToLower(value)) {
			c.findAt(server, "sessions of %s have %s = %s", r, setting, value).SQL =
				fmt.Sprintf("ALTER ROLE %s SET %s = %s;", quote(r), setting, remedy)
		}
	}
}

func standardConformingStrings(c *checker) {
	c.wants("standard_conforming_strings", "on", "on", "true", "yes", "1")
}

func clientEncoding(c *checker) {
	c.wants("client_encoding", "UTF8", "utf8", "utf-8", "unicode", "sql_ascii")
}

func replicationRole(c *checker) { c.wants("session_replication_role", "origin", "origin") }

// The versions on which everything is tested.
const oldestVersion, newestVersion = 14, 18

func serverVersion(c *checker) {
	if major := c.version / 10000; major < oldestVersion || major > newestVersion {
		c.findAt(server, "the server is PostgreSQL %d", major).Advice =
			fmt.Sprintf("use PostgreSQL %d to %d, or a version of scoped that is tested with yours", oldestVersion, newestVersion)
	}
}

func publicationOfScoped(c *checker) {
	for _, p := range c.publications {
		t, ok := c.isScoped(p.Relation)
		if !ok {
			continue
		}
		what := "the rows"
		if p.Filtered {
			what = "filtered rows"
		}
		f := c.find(t, "the publication %s sends %s of %s", p.Name, what, c.byOID[p.Relation])
		if !p.Named {
			f.Advice = "if the subscriber may see every scope, ignore this for the table; else publish the tables by name"
		} else {
			f.SQL = fmt.Sprintf("ALTER PUBLICATION %s DROP TABLE %s;", quote(p.Name), c.byOID[p.Relation].quoted())
		}
	}
}

func subscriptionToScoped(c *checker) {
	for _, s := range c.subscribed {
		if t, ok := c.isScoped(s.Relation); ok {
			c.find(t, "the subscription %s writes to %s", s.Subscription, c.byOID[s.Relation]).Advice =
				"see that the publisher's rows lie in the right scopes, then ignore this for the table"
		}
	}
}

func foreignTable(c *checker) {
	for _, t := range c.scoped() {
		if t.Kind == "f" {
			c.find(t, "%s is a foreign table", t).Advice = "see that the other server keeps its keys and NOT NULL, then ignore this for the table"
		}
	}
}
