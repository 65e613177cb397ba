package schemas

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// copyable reports which objects cannot be made in another schema.
func (d *Definition) copyable() error {
	return d.faults("copied", func(o *Object) string { return cmp.Or(o.refused, o.spelling(d.schema)) })
}

// faults reports the objects for which of says why something cannot be done with the
// schema.
func (d *Definition) faults(what string, of func(*Object) string) error {
	var faults []error
	for _, o := range d.objects {
		if reason := of(o); reason != "" {
			faults = append(faults, fmt.Errorf("  %s: %s", o, reason))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("the schema %s cannot be %s:\n%w", quote(d.schema), what, errors.Join(faults...))
}

// spelling says what to do about an object that may name its schema.
func (o *Object) spelling(schema string) string {
	if strings.Contains(o.create, " AS ENUM (") && o.Kind == "type" {
		return "" // its labels are data
	}
	if !spells(o.create, schema) && !spells(o.late, schema) {
		return ""
	}
	return fmt.Sprintf("it spells the name of its schema, %s; leave that out, and have a function SET search_path", quote(schema))
}

// spells reports whether SQL may name a schema: before a dot, in a search path, or
// anywhere in a literal. Bodies of functions in SQL or PL/pgSQL are read likewise;
// those in other languages may not hold the name at all.
func spells(sql, schema string) bool {
	if !holds(sql, schema) {
		return false
	}
	tokens, err := pgparse.Scan(sql)
	if err != nil {
		return true
	}
	text := func(i int) string {
		if i >= len(tokens) {
			return ""
		}
		return sql[tokens[i].Start:tokens[i].End]
	}
	language, path := "sql", holds(sql, "search_path")
	for i := range tokens {
		if strings.EqualFold(text(i), "language") {
			language = strings.ToLower(text(i + 1))
		}
	}
	for i := range tokens {
		switch t := text(i); {
		case strings.HasPrefix(t, "--"), strings.HasPrefix(t, "/*"):
		case strings.HasPrefix(t, "$"): // a body
			delimiter := t[:strings.IndexByte(t[1:], '$')+2]
			body := strings.TrimSuffix(strings.TrimPrefix(t, delimiter), delimiter)
			if language != "sql" && language != "plpgsql" {
				if holds(body, schema) {
					return true
				}
			} else if spells(body, schema) {
				return true
			}
		case strings.HasSuffix(t, "'"):
			if holds(t, schema) {
				return true
			}
		case identifier(t) == schema && (path || text(i+1) == "."):
			return true
		}
	}
	return false
}

// identifier returns the name that a token stands for.
func identifier(token string) string {
	if strings.HasPrefix(token, `"`) {
		return strings.ReplaceAll(token[1:len(token)-1], `""`, `"`)
	}
	return strings.ToLower(token)
}

// holds reports whether a text holds a name as a word of its own, in upper or lower case.
func holds(text, name string) bool {
	text, name = strings.ToLower(strings.ReplaceAll(text, `""`, `"`)), strings.ToLower(name)
	inWord := func(b byte) bool {
		return b == '_' || b == '$' || b >= 0x80 || '0' <= b && b <= '9' || 'a' <= b && b <= 'z'
	}
	for from := 0; ; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return false
		}
		i += from
		end := i + len(name)
		if (i == 0 || !inWord(text[i-1])) && (end == len(text) || !inWord(text[end])) {
			return true
		}
		from = i + 1
	}
}
