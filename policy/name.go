package policy

import (
	"fmt"
	"strings"
)

// maxName is PostgreSQL's NAMEDATALEN - 1: it cuts off longer names.
const maxName = 63

// A qname is a table's or function's name as the file spells it.
type qname struct {
	schema  string // empty where the name is not qualified
	name    string
	pattern bool // name holds * as a wildcard
}

// String spells the name as the file would.
func (q qname) String() string {
	name := q.name
	if !q.pattern {
		name = quoteName(name)
	}
	if q.schema == "" {
		return name
	}
	return quoteName(q.schema) + "." + name
}

func quoteName(s string) string {
	for i := range len(s) {
		if !bareByte(s[i]) {
			return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
	}
	return s
}

// bareByte reports whether c may stand in a name without double quotes.
func bareByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 ||
		'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// A nameReader reads names, and what stands between them, from one scalar.
type nameReader struct {
	text string
	rest string
}

func newNameReader(text string) *nameReader { return &nameReader{text: text, rest: text} }

func (r *nameReader) space() { r.rest = strings.TrimLeft(r.rest, " ") }

func (r *nameReader) accept(token string) bool {
	rest, ok := strings.CutPrefix(r.rest, token)
	r.rest = rest
	return ok
}

// part reads one name, quoted or bare. A bare one may hold wildcards where
// pattern is not nil, which is then set.
func (r *nameReader) part(pattern *bool) (string, error) {
	if r.accept(`"`) {
		return r.quoted()
	}
	n := 0
	for n < len(r.rest) && (bareByte(r.rest[n]) || pattern != nil && r.rest[n] == '*') {
		n++
	}
	name := r.rest[:n]
	r.rest = r.rest[n:]
	if name == "" {
		return "", r.unexpected("a name")
	}
	if pattern != nil && strings.Contains(name, "*") {
		*pattern = true
		for strings.Contains(name, "**") {
			name = strings.ReplaceAll(name, "**", "*")
		}
	}
	return name, checkName(name)
}

func (r *nameReader) quoted() (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(r.rest, '"')
		if i < 0 {
			return "", fmt.Errorf("%q lacks a closing double quote", r.text)
		}
		b.WriteString(r.rest[:i])
		r.rest = r.rest[i+1:]
		if !r.accept(`"`) {
			name := b.String()
			if name == "" {
				return "", fmt.Errorf("%q holds an empty name", r.text)
			}
			return name, checkName(name)
		}
		b.WriteByte('"')
	}
}

func checkName(name string) error {
	if strings.IndexByte(name, 0) >= 0 {
		return fmt.Errorf("the name %q holds a NUL byte", name)
	}
	if len(name) > maxName {
		return fmt.Errorf("the name %q is %d bytes long, PostgreSQL's names at most %d", name, len(name), maxName)
	}
	return nil
}

func (r *nameReader) unexpected(want string) error {
	if r.text == "" {
		return fmt.Errorf("%s is missing", want)
	}
	if r.rest == "" {
		return fmt.Errorf("%q ends where %s is missing", r.text, want)
	}
	return fmt.Errorf("%q has %q where %s is expected", r.text, firstRune(r.rest), want)
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

func (r *nameReader) end() error {
	if r.rest != "" {
		return fmt.Errorf("%q has %q after the name", r.text, firstRune(r.rest))
	}
	return nil
}

// qualified reads `name` or `schema.name`. Wildcards are read, in the name
// only, where patterns is set.
func (r *nameReader) qualified(patterns bool) (qname, error) {
	var q qname
	var pattern *bool
	if patterns {
		pattern = &q.pattern
	}
	first, err := r.part(pattern)
	if err != nil {
		return q, err
	}
	if !r.accept(".") {
		q.name = first
		return q, nil
	}
	if q.pattern {
		return q, fmt.Errorf("%q has a * in the schema, which must be spelled out", r.text)
	}
	q.schema = first
	q.name, err = r.part(pattern)
	if err != nil {
		return q, err
	}
	if strings.HasPrefix(r.rest, ".") {
		return q, fmt.Errorf("%q has more parts than a schema and a name", r.text)
	}
	return q, nil
}

// parseQualified reads text as one name, qualified or not.
func parseQualified(text string, patterns bool) (qname, error) {
	r := newNameReader(text)
	q, err := r.qualified(patterns)
	if err != nil {
		return q, err
	}
	return q, r.end()
}

// parseName reads text as one name that is not qualified.
func parseName(text string) (string, error) {
	r := newNameReader(text)
	name, err := r.part(nil)
	if err != nil {
		return "", err
	}
	return name, r.end()
}

// parseScoping reads `column`, `column -> table` or `column -> table(key)`.
// target is nil for the first.
func parseScoping(text string) (column string, target *qname, key string, err error) {
	r := newNameReader(text)
	if column, err = r.part(nil); err != nil {
		return
	}
	r.space()
	if r.rest == "" {
		return
	}
	if !r.accept("->") {
		return "", nil, "", r.unexpected("->")
	}
	r.space()
	target, key, err = r.target()
	return column, target, key, err
}

// parseTarget reads `table` or `table(key)`.
func parseTarget(text string) (target *qname, key string, err error) {
	return newNameReader(text).target()
}

func (r *nameReader) target() (target *qname, key string, err error) {
	q, err := r.qualified(false)
	if err != nil {
		return nil, "", err
	}
	key = "id"
	r.space()
	if r.accept("(") {
		r.space()
		if key, err = r.part(nil); err != nil {
			return nil, "", err
		}
		r.space()
		if !r.accept(")") {
			return nil, "", r.unexpected(")")
		}
		r.space()
	}
	return &q, key, r.end()
}
