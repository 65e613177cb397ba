// Package builtin knows which of PostgreSQL's own functions, catalogues and
// settings are harmless to a scope: the allow-lists of default deny. What a list
// does not name is denied.
//
// The lists are generated from the catalogues of running servers and from
// reviewed rules that give a reason for each decision; see docs/builtins.md.
package builtin

import (
	_ "embed"
	"strings"
	"sync"
)

// The lists are embedded as text so that a reviewer reads what the program
// uses. They are parsed in 40 µs at start-up (BenchmarkParse, 2 cores of a
// server); only the long list of denied functions waits until it is asked for.
var (
	//go:embed functions.txt
	functionsText string
	//go:embed functions_denied.txt
	functionsDeniedText string
	//go:embed functions_total.txt
	totalText string
	//go:embed relations.txt
	relationsText string
	//go:embed relations_denied.txt
	relationsDeniedText string
	//go:embed settings.txt
	settingsText string
	//go:embed settings_shown.txt
	settingsShownText string
	//go:embed types.txt
	typesText string

	functions       = parse(functionsText)
	functionsDenied = sync.OnceValue(func() map[string]struct{} { return parse(functionsDeniedText) })
	total           = parse(totalText)
	relations       = parse(relationsText)
	relationsDenied = parse(relationsDeniedText)
	settings        = parse(settingsText)
	settingsShown   = parse(settingsShownText)
	types           = sync.OnceValue(func() map[string]struct{} { return parse(typesText) })
)

// parse returns the names of a list: one a line, # begins a comment line.
func parse(text string) map[string]struct{} {
	names := make(map[string]struct{}, strings.Count(text, "\n"))
	for line := range strings.Lines(text) {
		if name := strings.TrimSuffix(line, "\n"); name != "" && name[0] != '#' {
			names[name] = struct{}{}
		}
	}
	return names
}

// Function reports whether a statement with scopes enabled may call the function
// of pg_catalog with this name, spelled as the catalogue does. A statement names
// a function without the types of its arguments, so a name is allowed only if
// every overload in pg_catalog is harmless. It says nothing of functions that an
// extension or the application defines under the same name.
func Function(name string) bool {
	_, ok := functions[name]
	return ok
}

// IsFunction reports whether pg_catalog has a function of this name in any of
// PostgreSQL 14 to 18, harmless or not. An unqualified call of such a name may
// mean pg_catalog's, so a pattern such as "set*", which was written for the
// application's functions, must not allow it.
func IsFunction(name string) bool {
	if Function(name) {
		return true
	}
	_, ok := functionsDenied()[name]
	return ok
}

// Total reports whether the function of pg_catalog with this name, none of its
// overloads excepted, returns a value or NULL for every value of its arguments,
// memory apart. Only such a function may be evaluated on a row outside the scope
// without a chance that an error reveals the row. It errs on the side of false.
func Total(name string) bool {
	_, ok := total[name]
	return ok
}

// Relation reports whether the catalogue may be read in any scope. The schema is
// pg_catalog or information_schema; for every other schema it reports false.
// Several catalogues are views that can be written to: none may be.
func Relation(schema, name string) bool {
	switch schema {
	case "pg_catalog":
		// Here a dot would reach the names of information_schema, which
		// the list qualifies.
		if strings.Contains(name, ".") {
			return false
		}
	case "information_schema":
		name = schema + "." + name
	default:
		return false
	}
	_, ok := relations[name]
	return ok
}

// IsCatalog reports whether pg_catalog has a table or view of this name in any
// of PostgreSQL 14 to 18. PostgreSQL looks in pg_catalog first, so an unqualified
// name for which IsCatalog is true is the catalogue's, whatever the search path.
func IsCatalog(name string) bool {
	if !strings.HasPrefix(name, "pg_") {
		return false
	}
	if _, ok := relations[name]; ok {
		return true
	}
	_, ok := relationsDenied[name]
	return ok
}

// IsType reports whether pg_catalog has a type of this name, be it an array or the
// row of a catalogue. PostgreSQL looks there before the search path.
func IsType(name string) bool {
	name = strings.TrimLeft(name, "_")
	_, ok := types()[name]
	return ok || IsCatalog(name)
}

// Setting reports whether a statement with scopes enabled may SET and RESET the
// run-time parameter. Case does not matter, as in PostgreSQL. Forms that name
// none, such as RESET ALL, are not answered for: it reports false for "all".
func Setting(name string) bool {
	_, ok := settings[strings.ToLower(name)]
	return ok
}

// Shown reports whether a statement with scopes enabled may SHOW the run-time
// parameter: each that Setting allows, and harmless ones that are only read.
func Shown(name string) bool {
	name = strings.ToLower(name)
	if _, ok := settings[name]; ok {
		return true
	}
	_, ok := settingsShown[name]
	return ok
}
