package draft

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/scoped-pgx/scoped/catalog"
)

// A tableName is a table's name as PostgreSQL's catalogue has it.
type tableName struct{ schema, name string }

func nameOf(t *catalog.Table) tableName { return tableName{t.Schema, t.Name} }

// spelled returns a name as the policy's format spells it, in double quotes
// where it needs them.
func spelled(name string) string {
	for i := range len(name) {
		if c := name[i]; c < 0x80 && c != '_' && c != '$' && !alphanumeric(c) {
			return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		}
	}
	return name
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// plain matches what is text to every reader of YAML without quotes: names, and
// the paths that are made of them.
var plain = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?( -> [A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?(\([A-Za-z_][A-Za-z0-9_]*\))?)?$`)

// notText are the words that are no text to some reader of YAML.
var notText = regexp.MustCompile(`^(?i:null|true|false|yes|no|on|off|y|n)$`)

// scalar returns a text as YAML spells it on one line.
func scalar(text string) string {
	switch {
	case plain.MatchString(text) && !notText.MatchString(text):
		return text
	case !strings.ContainsFunc(text, unprintable):
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case !unprintable(r):
			b.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			fmt.Fprintf(&b, `\U%08X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// visible returns text for a comment, which it cannot end: what cannot be
// printed is replaced.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// folded returns a name without case and without what separates its words.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// singular returns an English noun's singular, as far as its end shows it.
func singular(noun string) string {
	for _, end := range []struct{ plural, singular string }{
		{"ies", "y"}, {"sses", "ss"}, {"xes", "x"}, {"ches", "ch"}, {"shes", "sh"}, {"ss", "ss"}, {"us", "us"}, {"s", ""},
	} {
		if stem, ok := strings.CutSuffix(noun, end.plural); ok && stem != "" {
			return stem + end.singular
		}
	}
	return noun
}

// quoted returns a word as shells of POSIX read it.
func quoted(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return r >= 0x80 || !alphanumeric(byte(r)) && !strings.ContainsRune("._=-", r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
