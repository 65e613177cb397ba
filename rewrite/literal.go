package rewrite

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// A slot is a place where a parameter was inserted.
type slot struct {
	edit       int // the edit that holds it
	start, end int // in the text of that edit
	arg        int // the index of its value
}

// fill returns a text with literals in the place of its parameters.
func fill(text string, slots []slot, literals []string) string {
	var b strings.Builder
	at := 0
	for _, s := range slots {
		b.WriteString(text[at:s.start])
		b.WriteString(literals[s.arg])
		at = s.end
	}
	b.WriteString(text[at:])
	return b.String()
}

// findSlots finds the parameters of a rewrite whose user's text has none. They
// are told by the scanner of PostgreSQL, and each must lie in an insertion: what
// is certified holds no other, so anything else is a bug, and refused.
func (r *Rewrite) findSlots() error {
	tokens, err := pgparse.Scan(r.SQL)
	if err != nil {
		return slotError(err.Error())
	}
	inserted := 0 // bytes of SQL before an edit that the user's text lacks
	edit := 0
	for _, t := range tokens {
		if t.Token != pgparse.Token_PARAM {
			continue
		}
		start, end := int(t.Start), int(t.End)
		for edit < len(r.edits) && start >= r.edits[edit].offset+inserted+len(r.edits[edit].text) {
			inserted += len(r.edits[edit].text) - r.edits[edit].deleted
			edit++
		}
		if edit == len(r.edits) {
			return slotError("a parameter stands behind the last insertion")
		}
		text, from := r.edits[edit].text, r.edits[edit].offset+inserted
		s := slot{edit: edit, start: start - from, end: end - from}
		number, err := strconv.Atoi(r.SQL[start+1 : end])
		s.arg = number - 1
		switch {
		case s.start < 0 || s.end > len(text):
			return slotError("a parameter stands outside the insertions")
		case err != nil || s.arg < 0 || s.arg >= len(r.Args):
			return slotError("a parameter has no value")
		case s.start > 0 && isWord(text[s.start-1]) || !strings.HasPrefix(text[s.end:], "::"):
			return slotError("a parameter grows together with its neighbours, or has no type")
		}
		r.slots = append(r.slots, s)
	}
	return r.findGuardSlots()
}

// findGuardSlots does the same for the guards of Tables, which are shown to
// people, and not sent.
func (r *Rewrite) findGuardSlots() error {
	r.guardSlots = make([][]slot, len(r.Tables))
	for i, t := range r.Tables {
		tokens, err := pgparse.Scan(t.Guard)
		if err != nil {
			return slotError(err.Error())
		}
		for _, token := range tokens {
			if token.Token != pgparse.Token_PARAM {
				continue
			}
			number, err := strconv.Atoi(t.Guard[token.Start+1 : token.End])
			if err != nil || number < 1 || number > len(r.Args) {
				return slotError("a parameter of a guard has no value")
			}
			r.guardSlots[i] = append(r.guardSlots[i], slot{start: int(token.Start), end: int(token.End), arg: number - 1})
		}
	}
	return nil
}

func slotError(reason string) *Error {
	return &Error{
		Code:    CodeCertificate,
		Message: "the parameters of this text could not be told from the rest: " + reason,
		Hint:    "nothing was sent; please report the statement as a bug of scoped",
	}
}

// WithLiterals returns a rewrite whose SQL holds the values as quoted literals in
// the place of parameters, and which so has no Args. It is how a rewrite is sent
// of which Literal is set, or where the protocol has no parameters. The text must
// have none of its own. The values belong to Args, in their order: an int64 or
// a string for one value, an []int64 or []string for several. The error is that
// of a value that cannot be quoted, and an *Error.
func (r *Rewrite) WithLiterals(values []any) (*Rewrite, error) {
	if !r.Literal {
		if r.Params > 0 {
			return nil, slotError("the text has some of its own")
		}
		found := *r
		if err := found.findSlots(); err != nil {
			return nil, err
		}
		r = &found
	}
	if len(values) != len(r.Args) {
		return nil, slotError(fmt.Sprintf("there are %d values for %d parameters", len(values), len(r.Args)))
	}
	literals := make([]string, len(values))
	for i, v := range values {
		var fault string
		if literals[i], fault = quoteValue(v); fault != "" {
			return nil, &Error{
				Code:      CodeScope,
				Dimension: r.Args[i].Name,
				Message:   fmt.Sprintf("scope on dimension %q: %s", r.Args[i].Name, fault),
				Hint:      "pass text that PostgreSQL can hold",
			}
		}
	}
	literal := *r
	literal.Args, literal.Literal, literal.slots, literal.guardSlots = nil, false, nil, nil
	literal.edits = slices.Clone(r.edits)
	for slots := r.slots; len(slots) > 0; {
		edit, n := slots[0].edit, 1
		for n < len(slots) && slots[n].edit == edit {
			n++
		}
		literal.edits[edit].text = fill(r.edits[edit].text, slots[:n], literals)
		slots = slots[n:]
	}
	literal.SQL = literal.edits.apply(r.text)
	literal.Tables = slices.Clone(r.Tables)
	for i, slots := range r.guardSlots {
		literal.Tables[i].Guard = fill(r.Tables[i].Guard, slots, literals)
	}
	return &literal, nil
}

// quoteValue returns a value as a string constant, or what is wrong with it. The
// cast behind the parameter gives the constant its type.
func quoteValue(value any) (literal, fault string) {
	switch v := value.(type) {
	case int64:
		return quoteLiteral(strconv.FormatInt(v, 10))
	case string:
		return quoteLiteral(v)
	case []int64:
		elements := make([]string, len(v))
		for i, n := range v {
			elements[i] = strconv.FormatInt(n, 10)
		}
		return quoteLiteral("{" + strings.Join(elements, ",") + "}")
	case []string:
		// In quotes an element is no NULL, and only these two are special.
		escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
		elements := make([]string, len(v))
		for i, s := range v {
			elements[i] = `"` + escape.Replace(s) + `"`
		}
		return quoteLiteral("{" + strings.Join(elements, ",") + "}")
	}
	return "", fmt.Sprintf("a value of type %T has no literal", value)
}

// quoteLiteral returns text as a string constant, or what is wrong with it. It is
// valid UTF-8, of which no byte of a longer character is a quote or a backslash.
func quoteLiteral(text string) (literal, fault string) {
	switch {
	case strings.IndexByte(text, 0) >= 0:
		return "", "the text contains a NUL byte"
	case !utf8.ValidString(text):
		return "", "the text is not valid UTF-8"
	}
	return pgparse.QuoteLiteral(text), ""
}
