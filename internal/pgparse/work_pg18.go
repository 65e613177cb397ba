//go:build !cgo || !linux || musl

package pgparse

import "strings"

// The parser in Go reads some text more than once. Brackets that a SELECT follows
// are tried as a subquery first, and substring, overlay and json_object in their
// form with keywords; where that fails, the same is read again as something
// else, so that nesting multiplies: ((SELECT ((SELECT 1) + 1)) + 1) in 22 levels
// took 25 s. And each failure counts the characters before it. So the work is
// estimated from the tokens before, and bounded.
const (
	maxWork   = 1e9  // nanoseconds, of which an estimate is the more the longer it takes
	tokenWork = 1000 // nanoseconds to read a token
	byteWork  = 2    // nanoseconds for each byte before a failure
)

// bound returns an Error for a text that could keep the parser busy for more
// than about a second.
func bound(text string) error {
	// Each bracket doubles the work at most.
	if n := strings.Count(text, "("); n < 20 && len(text)<<n <= 1<<20 {
		return nil
	}
	tokens, err := scan(text)
	if err != nil {
		return nil // and the parser says the same
	}
	type bracket struct {
		times float64 // how often its content is read
		run   int     // its number among brackets in a row, 0 if these may not fail
		fails bool    // a first attempt may, at its end
	}
	levels := []bracket{{times: 1}}
	work := 0.0
	last := Token_NUL
	behind := 0 // the token behind the run of brackets
	for i, t := range tokens {
		if isComment(t) {
			continue
		}
		top := levels[len(levels)-1]
		work += top.times * tokenWork
		switch t.Token {
		case Token_ASCII_40:
			b := bracket{times: top.times}
			switch {
			case last == Token_SUBSTRING || last == Token_OVERLAY || last == Token_JSON_OBJECT:
				b.times *= 2
				b.fails = true
			default:
				if behind <= i {
					behind = behindBrackets(tokens, i)
				}
				work += top.times * float64(behind-i) // the parser looks there too
				if behind < len(tokens) && beginsQuery(tokens[behind].Token) {
					b.run = 1
					if last == Token_ASCII_40 && top.run > 0 {
						b.run = top.run + 1
						b.times = top.times / float64(top.run) * float64(b.run)
					}
					b.fails = behind > i+1
				}
			}
			levels = append(levels, b)
		case Token_ASCII_41:
			if len(levels) > 1 {
				levels = levels[:len(levels)-1]
			}
			if top.fails {
				work += levels[len(levels)-1].times * byteWork * float64(t.End)
			}
		}
		last = t.Token
		if work > maxWork {
			return &Error{
				Message: "the parser in Go would take too long to read the statement",
				Offset:  int(t.Start),
				IsLimit: true,
			}
		}
	}
	return nil
}

// behindBrackets returns the index of the first token from i on that is neither an
// opening bracket nor a comment.
func behindBrackets(tokens []*ScanToken, i int) int {
	for i < len(tokens) && (tokens[i].Token == Token_ASCII_40 || isComment(tokens[i])) {
		i++
	}
	return i
}

func isComment(t *ScanToken) bool {
	return t.Token == Token_SQL_COMMENT || t.Token == Token_C_COMMENT
}

func beginsQuery(t Token) bool {
	switch t {
	case Token_SELECT, Token_VALUES, Token_TABLE, Token_WITH:
		return true
	}
	return false
}
