package migrate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/script"
	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// A statement of a file, without the comments.
type statement struct {
	text   string
	tokens []*pgparse.ScanToken // of text, comments aside
	offset int                  // in the file, of the first token
}

func statements(text string) (all []statement) {
	at := 0
	for _, s := range script.Split(text) {
		at += strings.Index(text[at:], s.Text)
		statement := statement{text: s.Text, offset: at}
		at += len(s.Text)
		tokens, err := pgparse.Scan(s.Text)
		if err == nil {
			for _, t := range tokens {
				if t.Token != pgparse.Token_SQL_COMMENT && t.Token != pgparse.Token_C_COMMENT {
					statement.tokens = append(statement.tokens, t)
				}
			}
			statement.offset += int(statement.tokens[0].Start)
		}
		all = append(all, statement)
	}
	return all
}

// word returns a token in lower case.
func (s statement) word(i int) string {
	if i >= len(s.tokens) {
		return ""
	}
	t := s.tokens[i]
	return strings.ToLower(s.text[t.Start:t.End])
}

// inspect refuses statements that would leave the transaction or the schema in
// which they run. What it does not understand, the server refuses.
func inspect(file, text, template string) (all error) {
	for _, s := range statements(text) {
		token, message := s.fault(template)
		if message == "" {
			continue
		}
		e := &Error{File: file, Err: errors.New(message)}
		e.Line, e.Column = lineColumn(text, s.offset+int(token.Start-s.tokens[0].Start))
		all = errors.Join(all, e)
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
		case s.word(i+1) == "." && s.name(i) == template:
			return t, fmt.Sprintf("the names of a migration mean the schema that is migrated; remove %s and the dot", template)
		}
	}
	first := s.word(0)
	switch first {
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
		setting := s.word(1)
		if setting == "local" || setting == "session" {
			setting = s.word(2)
		}
		switch setting = strings.Trim(setting, `"`); setting {
		case "search_path", "schema", "all":
			return s.tokens[0], "search_path begins with the schema that is migrated; remove " + strings.ToUpper(first+" "+setting)
		}
	}
	return nil, ""
}

// name returns the name that a token is, as PostgreSQL's catalogue spells it.
func (s statement) name(i int) string {
	text := s.text[s.tokens[i].Start:s.tokens[i].End]
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		return strings.ReplaceAll(strings.TrimSuffix(quoted, `"`), `""`, `"`)
	}
	return strings.ToLower(text)
}
