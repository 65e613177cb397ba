package scoped

import (
	"strings"
	"unicode/utf8"
)

// splitComment cuts the comment off the end of a text, so that one which is
// different with each call, as sqlcommenter's is, does not make each a new
// statement for the cache. What is left means the same wherever it is a
// statement at all: the comment begins where PostgreSQL reads a token, or inside
// a comment that ends with the line.
func splitComment(text string) (statement, comment string) {
	if !strings.HasSuffix(text, "*/") {
		return text, ""
	}
	i := strings.LastIndex(text, "/*")
	if i < 0 || len(text)-i < len("/**/") {
		return text, ""
	}
	comment = text[i:]
	// A $ might be taken for a parameter in the simple protocol.
	if strings.Index(comment, "*/") != len(comment)-2 || strings.ContainsAny(comment, "\n\r$\x00") || !utf8.ValidString(comment) {
		return text, ""
	}
	return text[:i], comment
}
