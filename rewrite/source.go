package rewrite

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// Bounds on a statement, checked before the recursive C parser sees it.
const (
	maxLength = 16 << 20 // bytes
	maxParams = 65535    // the protocol counts parameters in 16 bits

	// Statements in one string, each of which took some 8 KiB and 100 µs on a
	// machine with two cores.
	maxStatements = 10000

	// The parser builds and prints its tree recursively on the C stack. On
	// x86-64 with a stack of 2 MiB it was seen to die between 3,000 and 6,000
	// chained operators and between 1,000 and 3,000 nested subqueries; a stack
	// is 8 MiB by default.
	maxDepth    = 1500
	bracketCost = 3 // what a bracket costs, in chained operators

	// What the copies of the source of SET (a, b) = (…) may hold, in tokens. 500
	// columns of 500 values took 1.4 s and 60 MB.
	maxCopied = 500000
)

// A source is a statement text and its tokens, without the comments.
type source struct {
	text   string
	tokens []*pgparse.ScanToken
	params int // the highest $n
}

// newSource scans text and bounds it. What it returns is safe to parse.
func newSource(text string) (*source, error) {
	if len(text) > maxLength {
		return nil, &Error{
			Code:    CodeLimit,
			Message: fmt.Sprintf("the statement has %d bytes, more than the %d that are read", len(text), maxLength),
			Hint:    "send it in parts, or bulk data with CopyFrom",
		}
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return nil, &Error{
			Code:     CodeSyntax,
			Message:  "the statement contains a NUL byte, at which PostgreSQL's scanner stops reading",
			Hint:     "remove it; PostgreSQL's text cannot hold one either",
			Position: PositionAt(text, i),
		}
	}
	if !utf8.ValidString(text) {
		i := 0
		for i < len(text) {
			r, size := utf8.DecodeRuneInString(text[i:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			i += size
		}
		return nil, &Error{
			Code:     CodeSyntax,
			Message:  "the statement is not valid UTF-8",
			Hint:     "send text as UTF-8, and other bytes as a bytea parameter",
			Position: PositionAt(text, i),
		}
	}
	tokens, err := pgparse.Scan(text)
	if err != nil {
		return nil, syntaxError(text, err)
	}
	s := &source{text: text, tokens: tokens[:0]}
	semicolons := 0
	for _, t := range tokens {
		if t.Token == pgparse.Token_ASCII_59 {
			if semicolons++; semicolons > maxStatements {
				return nil, &Error{
					Code:     CodeLimit,
					Message:  fmt.Sprintf("there are more than %d semicolons in one string", maxStatements),
					Hint:     "send the statements in parts, inside a transaction if they belong together",
					Position: PositionAt(text, int(t.Start)),
				}
			}
		}
		if t.Token != pgparse.Token_SQL_COMMENT && t.Token != pgparse.Token_C_COMMENT {
			s.tokens = append(s.tokens, t)
		}
	}
	if err := s.readParams(); err != nil {
		return nil, err
	}
	if err := s.boundDepth(); err != nil {
		return nil, err
	}
	if err := s.boundCopies(); err != nil {
		return nil, err
	}
	return s, nil
}

// parse returns the statements of the text.
func (s *source) parse() ([]*pgparse.RawStmt, error) {
	stmts, err := pgparse.Parse(s.text)
	if err != nil {
		return nil, syntaxError(s.text, err)
	}
	return stmts, nil
}

func syntaxError(text string, err error) *Error {
	e := &Error{Code: CodeSyntax, Message: err.Error(), Hint: "correct the statement; it was not sent", Err: err}
	var parserError *pgparse.Error
	if errors.As(err, &parserError) && parserError.Offset >= 0 {
		e.Position = PositionAt(text, parserError.Offset)
	}
	if parserError != nil && parserError.IsLimit {
		e.Code, e.Hint = CodeLimit, "nest fewer subqueries in double brackets, and fewer calls of substring, overlay and json_object, or build with cgo"
	}
	return e
}

// readParams finds the highest parameter. The parser's own reading of a number
// wraps around at 32 bits, so that $4294967297 would be taken for $1.
func (s *source) readParams() error {
	for _, t := range s.tokens {
		if t.Token != pgparse.Token_PARAM {
			continue
		}
		n, err := strconv.Atoi(s.text[t.Start+1 : t.End])
		if err != nil || n < 1 || n > maxParams {
			return &Error{
				Code:     CodeSyntax,
				Message:  fmt.Sprintf("there is no parameter %s", s.text[t.Start:t.End]),
				Hint:     fmt.Sprintf("parameters are $1 to $%d", maxParams),
				Position: PositionAt(s.text, int(t.Start)),
			}
		}
		s.params = max(s.params, n)
	}
	return nil
}

// boundDepth bounds how deep the tree of the text can be. Each level of
// brackets adds, to what surrounds it, its own run of operators: operators
// chain until a comma, a connective or a keyword that begins another
// expression; joins and set operations chain for the whole level.
func (s *source) boundDepth() error {
	type level struct {
		opener                 pgparse.Token
		base, operators, joins int
	}
	levels := []level{{}}
	for i, t := range s.tokens {
		if t.KeywordKind != pgparse.KeywordKind_NO_KEYWORD && s.isName(i) {
			continue // such as x.end
		}
		top := &levels[len(levels)-1]
		switch t.Token {
		case pgparse.Token_ASCII_40, pgparse.Token_ASCII_91, pgparse.Token_CASE:
			levels = append(levels, level{opener: t.Token, base: top.base + top.operators + top.joins + bracketCost})
		case pgparse.Token_ASCII_41, pgparse.Token_ASCII_93:
			// CASE and END may also be column labels, so only brackets are
			// taken to match.
			for top.opener == pgparse.Token_CASE {
				levels = levels[:len(levels)-1]
				top = &levels[len(levels)-1]
			}
			if len(levels) > 1 {
				levels = levels[:len(levels)-1]
			}
		case pgparse.Token_END_P:
			if top.opener == pgparse.Token_CASE {
				levels = levels[:len(levels)-1]
			}
		case pgparse.Token_ASCII_44, pgparse.Token_AND, pgparse.Token_OR,
			pgparse.Token_WHEN, pgparse.Token_THEN, pgparse.Token_ELSE, pgparse.Token_ON,
			pgparse.Token_SELECT, pgparse.Token_FROM, pgparse.Token_WHERE, pgparse.Token_VALUES:
			top.operators = 0
		case pgparse.Token_ASCII_59:
			levels = append(levels[:0], level{})
		case pgparse.Token_JOIN, pgparse.Token_UNION, pgparse.Token_INTERSECT, pgparse.Token_EXCEPT:
			top.joins++
		case pgparse.Token_NOT:
			top.operators += 2
		case pgparse.Token_AT, pgparse.Token_COLLATE, pgparse.Token_OPERATOR:
			top.operators++
		case pgparse.Token_IDENT, pgparse.Token_UIDENT, pgparse.Token_SCONST, pgparse.Token_ICONST,
			pgparse.Token_FCONST, pgparse.Token_PARAM, pgparse.Token_ASCII_46:
		default:
			if t.KeywordKind == pgparse.KeywordKind_NO_KEYWORD {
				top.operators++
			}
		}
		if top = &levels[len(levels)-1]; top.base+top.operators+top.joins > maxDepth {
			return &Error{
				Code:     CodeLimit,
				Message:  "the statement is nested too deeply, or chains too many operators",
				Hint:     fmt.Sprintf("about %d operators in a row and %d brackets inside each other are read; use = ANY($1), a VALUES list or a function instead", maxDepth, maxDepth/bracketCost),
				Position: PositionAt(s.text, int(t.Start)),
			}
		}
	}
	return nil
}

// boundCopies bounds how much the parser copies: it gives each column of
// SET (a, b) = (…) the whole source, in which others may be nested.
func (s *source) boundCopies() error {
	type level struct {
		first   int // its bracket
		commas  int
		times   int // how often what is in it is copied
		columns int // of the list in brackets that ended before, if it is assigned to
	}
	levels := []level{{times: 1}}
	copied := 0
	for i, t := range s.tokens {
		top := &levels[len(levels)-1]
		copied += top.times - 1
		switch t.Token {
		case pgparse.Token_ASCII_40:
			times := top.times
			if s.token(i-1) == pgparse.Token_ASCII_61 || s.token(i-1) == pgparse.Token_ROW && s.token(i-2) == pgparse.Token_ASCII_61 {
				times *= max(top.columns, 1)
			}
			levels = append(levels, level{first: i, times: times})
		case pgparse.Token_ASCII_41:
			if len(levels) == 1 {
				break
			}
			before, columns := s.token(top.first-1), top.commas+1
			levels = levels[:len(levels)-1]
			top = &levels[len(levels)-1]
			if top.columns = 0; before == pgparse.Token_SET || before == pgparse.Token_ASCII_44 {
				top.columns = columns
			}
		case pgparse.Token_ASCII_44:
			top.commas++
		case pgparse.Token_ASCII_59:
			levels = append(levels[:0], level{times: 1})
		}
		if copied > maxCopied {
			return &Error{
				Code:     CodeLimit,
				Message:  "SET (…) = (…) assigns too many columns at once",
				Hint:     "assign the columns one by one, or from a subquery in FROM",
				Position: PositionAt(s.text, int(t.Start)),
			}
		}
	}
	return nil
}

// tokenAt returns the index of the token that starts at a byte offset, or of
// the next one.
func (s *source) tokenAt(offset int32) int {
	return sort.Search(len(s.tokens), func(i int) bool { return s.tokens[i].Start >= offset })
}

// token returns the i-th token's kind, or Token_NUL outside the text.
func (s *source) token(i int) pgparse.Token {
	if i < 0 || i >= len(s.tokens) {
		return pgparse.Token_NUL
	}
	return s.tokens[i].Token
}

// start and end return the byte offsets of the i-th token. The end of the text
// stands behind the last.
func (s *source) start(i int) int {
	if i >= len(s.tokens) {
		return len(s.text)
	}
	return int(s.tokens[i].Start)
}

func (s *source) end(i int) int { return int(s.tokens[i].End) }

// closing returns the index of the bracket that closes the one at index i, or
// of the end of the text.
func (s *source) closing(i int) int {
	depth := 0
	for ; i < len(s.tokens); i++ {
		switch s.token(i) {
		case pgparse.Token_ASCII_40, pgparse.Token_ASCII_91:
			depth++
		case pgparse.Token_ASCII_41, pgparse.Token_ASCII_93:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return i
}

// find returns the index of the first of the wanted tokens at or after index i
// outside any brackets, or of what ends the statement there: a closing bracket
// that was opened before i, a semicolon, or the end of the text. A word behind
// a dot or AS is a name, and DISTINCT FROM and WITHIN GROUP are operators.
func (s *source) find(i int, wanted ...pgparse.Token) int {
	for ; i < len(s.tokens); i++ {
		t := s.token(i)
		switch t {
		case pgparse.Token_ASCII_40, pgparse.Token_ASCII_91:
			i = s.closing(i)
			continue
		case pgparse.Token_ASCII_41, pgparse.Token_ASCII_93, pgparse.Token_ASCII_59:
			return i
		}
		for _, w := range wanted {
			if t == w && !s.isName(i) {
				return i
			}
		}
	}
	return i
}

func (s *source) isName(i int) bool {
	switch before := s.token(i - 1); s.token(i) {
	case pgparse.Token_FROM:
		if before == pgparse.Token_DISTINCT && (s.token(i-2) == pgparse.Token_IS || s.token(i-2) == pgparse.Token_NOT) {
			return true
		}
		fallthrough
	default:
		return s.isLabel(i)
	case pgparse.Token_GROUP_P:
		return before == pgparse.Token_WITHIN || s.isLabel(i)
	}
}

// isLabel reports whether a word stands behind a dot or AS. AS may be such a word
// itself: the first two of AS AS FROM are a label.
func (s *source) isLabel(i int) bool {
	behindAs := false
	for i--; s.token(i) == pgparse.Token_AS; i-- {
		behindAs = !behindAs
	}
	return (s.token(i) == pgparse.Token_ASCII_46) != behindAs
}

// name returns the index behind the possibly qualified name that begins at i.
func (s *source) name(i int) int {
	i = s.identifier(i)
	for s.token(i) == pgparse.Token_ASCII_46 {
		i = s.identifier(i + 1)
	}
	return i
}

// identifier returns the index behind the identifier at i. U&"…" may carry a
// UESCAPE clause of its own.
func (s *source) identifier(i int) int {
	if s.token(i) == pgparse.Token_UIDENT && s.token(i+1) == pgparse.Token_UESCAPE {
		return i + 3
	}
	return i + 1
}
