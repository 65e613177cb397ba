package migrate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/script"
	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// A statement of a file.
type statement struct {
	script.Statement
	tokens []*pgparse.ScanToken // comments aside; none where it cannot be read
}

func statements(text string) (all []statement) {
	for _, s := range script.Split(text) {
		tokens, err := pgparse.Scan(s.Text)
		if err != nil {
			tokens = nil
		}
		all = append(all, statement{s, slices.DeleteFunc(tokens, func(t *pgparse.ScanToken) bool {
			return t.Token == pgparse.Token_SQL_COMMENT || t.Token == pgparse.Token_C_COMMENT
		})})
	}
	return all
}

// at returns the error of a place in the statement, in bytes.
func (s statement) at(file string, offset int, err error) *Error {
	line, column := lineColumn(s.Text, offset)
	if line == 1 {
		column += s.Column - 1
	}
	return &Error{File: file, Line: s.Line + line - 1, Column: column, Err: err}
}

// begin returns where the first token is, in bytes.
func (s statement) begin() int {
	if len(s.tokens) == 0 {
		return 0
	}
	return int(s.tokens[0].Start)
}

// text returns a token, or nothing behind the last.
func (s statement) text(i int) string {
	if i >= len(s.tokens) {
		return ""
	}
	return s.Text[s.tokens[i].Start:s.tokens[i].End]
}

// word returns a token in lower case.
func (s statement) word(i int) string { return strings.ToLower(s.text(i)) }

// inspect refuses statements that would leave the transaction or the schema in
// which they run. What it does not understand, the server refuses.
func inspect(file, text, template string) (all error) {
	for _, s := range statements(text) {
		if token, message := s.fault(template); message != "" {
			all = errors.Join(all, s.at(file, int(token.Start), errors.New(message)))
		}
	}
	return all
}

// fault says what is wrong with a statement, and where.
func (s statement) fault(template string) (at *pgparse.ScanToken, message string) {
	const ownTransaction = "a migration runs in a transaction, together with the others of its schema, and may not begin or end one; remove %s"
	for i, t := range s.tokens {
		switch {
		case t.Token == pgparse.Token_ASCII_92:
			return t, `commands of psql are not SQL; run the file by --exec 'psql -v ON_ERROR_STOP=1 -1 -f FILE'`
		case t.Token == pgparse.Token_CONCURRENTLY && s.word(0) != "refresh":
			return t, "CONCURRENTLY is not possible in a transaction; leave it out, as the table of one value is locked for a short time, or use --exec"
		case s.word(0) == "copy" && (t.Token == pgparse.Token_STDIN || t.Token == pgparse.Token_STDOUT):
			return t, "a migration has no standard input and output; write INSERT"
		case holds(s.text(i), template):
			return t, fmt.Sprintf("names mean the schema that is migrated; leave %s out, and have a function SET search_path FROM CURRENT", template)
		}
	}
	switch first := s.word(0); first {
	case "begin", "start", "commit", "end", "abort":
		return s.tokens[0], fmt.Sprintf(ownTransaction, strings.ToUpper(first))
	case "prepare":
		if s.word(1) == "transaction" {
			return s.tokens[0], fmt.Sprintf(ownTransaction, "PREPARE TRANSACTION")
		}
	case "rollback":
		for i := range s.tokens {
			if s.word(i) == "to" {
				return nil, "" // a savepoint
			}
		}
		return s.tokens[0], fmt.Sprintf(ownTransaction, "ROLLBACK")
	case "set", "reset", "discard":
		i := 1
		if s.word(i) == "local" || s.word(i) == "session" {
			i++
		}
		switch setting := strings.Trim(s.word(i), `"`); setting {
		case "search_path", "schema", "all":
			return s.tokens[0], "search_path begins with the schema that is migrated; remove " + strings.ToUpper(first+" "+setting)
		}
	}
	return nil, ""
}

// holds reports whether a token, which may be a literal or the body of a function,
// has a name in it.
func holds(token, name string) bool {
	part := func(r rune) bool { return r == '_' || r == '$' || unicode.IsLetter(r) || unicode.IsDigit(r) }
	token, name = strings.ToLower(token), strings.ToLower(name)
	for {
		before, after, found := strings.Cut(token, name)
		if !found {
			return false
		}
		last, _ := utf8.DecodeLastRuneInString(before)
		first, _ := utf8.DecodeRuneInString(after)
		if !part(last) && !part(first) {
			return true
		}
		token = after
	}
}
