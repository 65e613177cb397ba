package policy

import (
	"fmt"
	"slices"
	"strings"
)

// functions are the entries of functions.allow.
type functions struct {
	exact    map[qname]bool // an empty schema is an entry that is not qualified
	patterns []functionPattern
}

type functionPattern struct {
	schema string // empty where the entry is not qualified
	glob   glob
}

func (f *functions) allow(searchPath []string, schema, name string) bool {
	// A qualified entry allows qualified calls only: along the server's search
	// path the same name may be another function.
	if f.exact[qname{schema: schema, name: name}] {
		return true
	}
	onPath := slices.Contains(searchPath, schema)
	if (onPath || schema == "pg_catalog") && f.exact[qname{name: name}] {
		return true
	}
	for _, p := range f.patterns {
		switch {
		case p.schema != "":
			if p.schema != schema {
				continue
			}
		case schema == "":
			// PostgreSQL searches pg_catalog first, and pg_ is its own prefix.
			if strings.HasPrefix(name, "pg_") {
				continue
			}
		case !onPath:
			continue
		}
		if p.glob.match(name) {
			return true
		}
	}
	return false
}

// systemSchema reports whether PostgreSQL reserves the schema for itself.
func systemSchema(schema string) bool {
	return strings.HasPrefix(schema, "pg_") || schema == "information_schema"
}

func (l *loader) functions(n *node) {
	fields := l.fields(n, "functions", functionKeys)
	allow := fields["allow"]
	if allow == nil || !l.expect(allow, sequence, "functions.allow", "write allow: [slugify, app.slugify, \"stats.*\"]") {
		return
	}
	l.policy.functions.exact = map[qname]bool{}
	seen := map[qname]int{}
	for _, item := range allow.items {
		if !l.expect(item, text, "a function's name", "quote it if it is a name") {
			continue
		}
		q, err := parseQualified(item.text, true)
		switch {
		case err != nil:
			l.fail(item, err.Error(), nameHint(item.text))
		case q.pattern && q.schema == "" && q.name == "*":
			l.fail(item, "* would allow every function", `name the functions, or all those of one schema of your own: "stats.*"`)
		case q.pattern && systemSchema(q.schema):
			l.fail(item, fmt.Sprintf("the pattern %s would allow functions of the system", q), "spell out the names of built-in functions, one by one")
		case seen[q] != 0:
			l.fail(item, fmt.Sprintf("the function %s is already listed on line %d", q, seen[q]), "remove one of the two")
		default:
			seen[q] = item.line
			if q.pattern {
				l.policy.functions.patterns = append(l.policy.functions.patterns, functionPattern{q.schema, newGlob(q.name)})
			} else {
				l.policy.functions.exact[q] = true
			}
		}
	}
}
