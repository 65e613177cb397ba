package policy

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxSize bounds the file, in bytes. A table takes some 40; the tokens of a
// hostile file take 500 times its size in memory.
const maxSize = 4 << 20

// The keys of the format's mappings.
var (
	rootKeys      = []string{"version", "dimensions", "search_path", "tables", "functions", "allow", "errors"}
	dimensionKeys = append([]string{"type", "optional"}, schemasKeys...)
	functionKeys  = []string{"allow"}
	errorKeys     = []string{"values"}
	// tableKeys are those beside the dimensions.
	tableKeys = []string{"shared", "where", "references", "view", "barrier"}
	whereKeys = []string{"condition", "check"}
	wayKeys   = []string{"column", "null", "generated"}
)

// types maps what a dimension's type may be called to the Type.
var types = map[string]Type{
	"smallint": "smallint", "int2": "smallint",
	"integer": "integer", "int": "integer", "int4": "integer",
	"bigint": "bigint", "int8": "bigint",
	"uuid": "uuid",
	"text": "text", "varchar": "text",
}

// typeNames are the names that hints offer.
var typeNames = []string{"smallint", "integer", "bigint", "uuid", "text"}

var dimensionName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// Load reads the policy file at path. Mistakes in it are returned as an Errors.
func Load(path string) (*Policy, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("scoped: policy: %w", err)
	}
	return Parse(path, data)
}

// Parse reads a policy from the YAML text data; name stands for the file in
// errors. The error is an Errors that holds every mistake, in the order of the
// file.
func Parse(name string, data []byte) (*Policy, error) {
	l := &loader{file: name, policy: &Policy{settings: settings{file: name}}}
	l.load(data)
	if len(l.errs) > 0 {
		l.errs.sort()
		return nil, l.errs
	}
	return l.policy, nil
}

// A loader builds a Policy and gathers the file's mistakes.
type loader struct {
	file    string
	errs    Errors
	policy  *Policy
	entries []*tableEntry         // of tables, in the order of the file
	byName  map[qname]*tableEntry // the same, without broken names
}

// fail reports a mistake at n.
func (l *loader) fail(n *node, message, hint string) {
	l.errs = append(l.errs, &Error{File: l.file, Line: n.line, Column: n.column, Message: message, Hint: hint})
}

// expect reports whether n is of the kind, and if it is not, a mistake.
func (l *loader) expect(n *node, k kind, what, hint string) bool {
	if n.kind != k {
		l.fail(n, fmt.Sprintf("%s must be %s, not %s", what, k, n.kind), hint)
	}
	return n.kind == k
}

// fields returns the values of a mapping by key, and reports every key that is
// unknown or given twice.
func (l *loader) fields(n *node, what string, keys []string) map[string]*node {
	if !l.expect(n, mapping, what, "its keys are "+list(keys)) {
		return nil
	}
	fields := map[string]*node{}
	for _, e := range n.entries {
		if !l.freshKey(fields, e) {
			continue
		}
		if name := e.key.text; !slices.Contains(keys, name) {
			l.fail(e.key, fmt.Sprintf("unknown key %q in %s", name, what), didYouMean(name, keys, "the keys are "+list(keys)))
		}
	}
	return fields
}

// freshKey adds an entry to fields, unless its key is not text or is there
// already, which it reports.
func (l *loader) freshKey(fields map[string]*node, e entry) bool {
	if !l.expect(e.key, text, "a key", "quote it if it is a name") {
		return false
	}
	if _, ok := fields[e.key.text]; ok {
		l.fail(e.key, fmt.Sprintf("the key %q is given twice", e.key.text), "remove one of the two")
		return false
	}
	fields[e.key.text] = e.value
	return true
}

func didYouMean(name string, candidates []string, otherwise string) string {
	if s := nearest(name, candidates); s != "" {
		return fmt.Sprintf("did you mean %q?", s)
	}
	return otherwise
}

func list(names []string) string { return strings.Join(names, ", ") }

// nameHint says how to quote a name with odd characters.
func nameHint(name string) string {
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || strings.ContainsRune(`".*'`, r) }) {
		return ""
	}
	return fmt.Sprintf(`a name with other characters than letters, digits, _ and $ needs double quotes inside the YAML string: '"%s"'`, name)
}

func (l *loader) load(data []byte) {
	start := &node{line: 1, column: 1}
	if len(data) > maxSize {
		l.fail(start, fmt.Sprintf("the file is %d bytes long, the most is %d", len(data), maxSize), "")
		return
	}
	if !utf8.Valid(data) {
		l.fail(start, "the file is not UTF-8", "")
		return
	}
	if len(bytes.TrimSpace(data)) == 0 {
		l.fail(start, "the file is empty", "begin with version: 1")
		return
	}
	root, err := compose(string(bytes.TrimPrefix(data, []byte("\ufeff"))))
	if err != nil {
		var syntax *syntaxError
		errors.As(err, &syntax)
		l.fail(&node{line: syntax.line, column: syntax.column}, syntax.message, syntax.hint)
		return
	}
	l.root(root)
}

func (l *loader) root(root *node) {
	fields := l.fields(root, "the policy", rootKeys)
	if root.kind != mapping {
		return
	}
	if n := fields["version"]; n == nil {
		l.fail(root, "the version is missing", "begin with version: 1")
	} else {
		l.version(n)
	}
	if n := fields["dimensions"]; n == nil {
		l.fail(root, "the policy has no dimensions", "write for example dimensions: {site: {type: bigint}}")
	} else {
		l.dimensions(n)
	}
	l.policy.searchPath = []string{"public"}
	if n := fields["search_path"]; n != nil {
		l.searchPath(n)
	}
	if n := fields["tables"]; n != nil {
		l.tables(n)
	}
	if n := fields["functions"]; n != nil {
		l.functions(n)
	}
	if n := fields["allow"]; n != nil {
		l.allow(n)
	}
	if n := fields["errors"]; n != nil {
		l.errorMessages(n)
	}
	l.reserveSchemas(fields["dimensions"])
}

func (l *loader) version(n *node) {
	switch {
	case n.kind == number && n.text == "1":
	case n.kind == number:
		l.fail(n, fmt.Sprintf("version %s is not supported", n.text), "this version of the library reads version: 1")
	default:
		l.expect(n, number, "version", "write version: 1")
	}
}

func (l *loader) dimensions(n *node) {
	if !l.expect(n, mapping, "dimensions", "write for example dimensions: {site: {type: bigint}}") {
		return
	}
	if len(n.entries) == 0 {
		l.fail(n, "the policy has no dimensions", "write for example dimensions: {site: {type: bigint}}")
	}
	names := map[string]*node{}
	for _, e := range n.entries {
		if !l.freshKey(names, e) {
			continue
		}
		name := e.key.text
		switch {
		case !dimensionName.MatchString(name) || len(name) > maxName:
			l.fail(e.key, fmt.Sprintf("%q cannot be a dimension's name", name), fmt.Sprintf("use at most %d lower-case letters, digits and underscores, and no digit first", maxName))
		case slices.Contains(tableKeys, name):
			l.fail(e.key, fmt.Sprintf("%q cannot be a dimension's name, it is a key of tables", name), "")
		case len(l.policy.dimensions) == MaxDimensions:
			l.fail(e.key, fmt.Sprintf("more than %d dimensions", MaxDimensions), "")
			return
		}
		// A dimension with a mistake is still added, so that the tables that use
		// it are not reported as well.
		d := l.dimension(name, e.value)
		d.Index = len(l.policy.dimensions)
		l.policy.dimensions = append(l.policy.dimensions, d)
	}
}

func (l *loader) dimension(name string, n *node) *Dimension {
	d := &Dimension{Name: name}
	write := fmt.Sprintf("write %s: {type: bigint}, or another of %s", name, list(typeNames))
	what := fmt.Sprintf("the dimension %q", name)
	if !l.expect(n, mapping, what, write) {
		return d
	}
	fields := l.fields(n, what, dimensionKeys)
	if optional := fields["optional"]; optional != nil {
		d.Optional = l.truth(optional, "optional")
	}
	if slices.ContainsFunc(schemasKeys, func(key string) bool { return fields[key] != nil }) {
		l.schemas(d, n, fields)
	}
	field, ok := fields["type"]
	if !ok && d.Schemas != nil {
		d.Type = "text"
		return d
	}
	if !ok {
		l.fail(n, what+" has no type", write)
		return d
	}
	if !l.expect(field, text, "a dimension's type", write) {
		return d
	}
	if d.Type, ok = types[field.text]; !ok {
		l.fail(field, fmt.Sprintf("%q is not a dimension's type", field.text), didYouMean(field.text, typeNames, "the types are "+list(typeNames)))
	}
	return d
}

// truth reads true or false.
func (l *loader) truth(n *node, key string) bool {
	return l.expect(n, boolean, key, "write "+key+": true or "+key+": false") && strings.EqualFold(n.text, "true")
}

func (l *loader) searchPath(n *node) {
	if !l.expect(n, sequence, "search_path", "write search_path: [public]") {
		return
	}
	if len(n.items) == 0 {
		l.fail(n, "search_path is empty", "write search_path: [public]")
		return
	}
	var path []string
	for _, item := range n.items {
		if !l.expect(item, text, "a schema's name", "quote it if it is a name") {
			continue
		}
		name, err := parseName(item.text)
		switch {
		case err != nil:
			l.fail(item, err.Error(), nameHint(item.text))
		case name == "$user":
			l.fail(item, "$user depends on the connection", "name the schema itself")
		case systemSchema(name):
			l.fail(item, fmt.Sprintf("the schema %s is the system's", name), "leave it out: PostgreSQL finds what is in pg_catalog without it")
		case slices.Contains(path, name):
			l.fail(item, fmt.Sprintf("the schema %s is listed twice", name), "remove one of the two")
		default:
			path = append(path, name)
		}
	}
	if len(path) > 0 {
		l.policy.searchPath = path
	}
}
