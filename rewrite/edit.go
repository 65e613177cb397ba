package rewrite

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// An edit inserts text into the user's statement, in the place of deleted bytes
// of it. Deleted is zero but for the two keywords that have no other form:
// TABLE and DEFAULT VALUES.
type edit struct {
	offset  int
	deleted int
	text    string
	suffix  bool // it belongs to what stands before it
	orders  bool // it only orders the evaluation, and changes no row
}

// edits are kept in the order in which they were made. Where several meet at
// one offset, those that close what stands before come first, inner before
// outer; then those that open what follows, outer before inner. The walk makes
// them in that order.
type edits []edit

func (e *edits) prefix(offset int, text string) {
	*e = append(*e, edit{offset: offset, text: text})
}

func (e *edits) suffix(offset int, text string) {
	*e = append(*e, edit{offset: offset, text: text, suffix: true})
}

// isFence reports whether the planner is to move nothing through a subquery.
func (e edit) isFence() bool { return strings.Contains(e.text, " OFFSET 0") }

// ordering marks the last edit as one that only orders the evaluation.
func (e edits) ordering() { e[len(e)-1].orders = true }

func (e *edits) replace(from, to int, text string) {
	*e = append(*e, edit{offset: from, deleted: to - from, text: text})
}

// sorted returns the edits in the order of the text, with white space where an
// insertion would otherwise grow together with the word beside it.
func (e edits) sorted(text string) edits {
	sort.SliceStable(e, func(i, j int) bool {
		if e[i].offset != e[j].offset {
			return e[i].offset < e[j].offset
		}
		return e[i].suffix && !e[j].suffix
	})
	for i := range e {
		before, behind := text[:e[i].offset], text[e[i].offset+e[i].deleted:]
		if i > 0 && e[i-1].offset+e[i-1].deleted == e[i].offset {
			before = e[i-1].text
		}
		if i+1 < len(e) && e[i+1].offset == e[i].offset+e[i].deleted {
			behind = e[i+1].text
		}
		if before != "" && isWord(before[len(before)-1]) && startsWord(e[i].text) {
			e[i].text = " " + e[i].text
		}
		if behind != "" && startsWord(behind) && isWord(e[i].text[len(e[i].text)-1]) {
			e[i].text += " "
		}
	}
	return e
}

// startsWord reports whether a text begins with such a byte, or with the mark of a
// name in quotes.
func startsWord(text string) bool {
	return isWord(text[0]) || text[0] == 0 && text[1] == asIdentifier
}

// isWord reports whether a byte can belong to a word, a number, or something in
// quotes, which a prefix such as E changes.
func isWord(c byte) bool {
	return c == '_' || c == '$' || c == '"' || c == '\'' || c >= 0x80 ||
		'0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// apply returns text with the sorted edits made.
func (e edits) apply(text string) string {
	if len(e) == 0 {
		return text
	}
	size := len(text)
	for _, x := range e {
		size += len(x.text) - x.deleted
	}
	var b strings.Builder
	b.Grow(size)
	at := 0
	for _, x := range e {
		b.WriteString(text[at:x.offset])
		b.WriteString(x.text)
		at = x.offset + x.deleted
	}
	b.WriteString(text[at:])
	return b.String()
}

// UserPosition maps a 1-based character position in SQL, as PostgreSQL reports
// it with an error, to the position in the user's own text. What lies inside an
// insertion maps to the place of the insertion.
func (r *Rewrite) UserPosition(position int) int {
	rest := r.SQL
	inserted := 0 // characters of SQL before the place that the user's text lacks
	sent, user := 0, 0
	for _, x := range r.edits {
		kept := utf8.RuneCountInString(rest[:x.offset-user])
		if position <= sent+kept {
			break
		}
		rest = rest[x.offset-user:]
		sent += kept
		n := utf8.RuneCountInString(x.text)
		if position <= sent+n {
			return sent - inserted + 1
		}
		rest = rest[len(x.text):]
		sent += n
		user = x.offset + x.deleted
		inserted += n - x.deleted // only keywords are deleted: a byte is a character
	}
	return position - inserted
}
