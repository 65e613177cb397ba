package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/rivo/uniseg"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// errCopy refuses what COPY reads from or writes to the program that sends it.
var errCopy = &scoped.Error{
	Code:    scoped.CodeStatement,
	Message: "COPY with STDIN or STDOUT does not work here",
	Hint:    `write \copy (query) to file.csv, or \copy table from file.csv`,
}

// goHints are what hints say to programs, and what does the same here.
var goHints = strings.NewReplacer(
	"scopes disabled: scoped.Disable(ctx, reason)", `scopes disabled: \disable REASON`,
	"scoped.Disable(ctx, reason)", `\disable REASON`,
	`scoped.Disable(ctx, "reason")`, `\disable REASON`,
)

// showError shows an error as psql does, with its place in the statement.
func (s *shell) showError(err error, sql string) {
	var ours *scoped.Error
	var server *pgconn.PgError
	switch {
	case errors.As(err, &ours):
		heading := "REFUSED"
		if errors.Is(err, scoped.ErrViolation) || ours.Code == scoped.CodeSyntax {
			heading = "ERROR"
		}
		s.sayBold("%s:  %s", heading, ours.Message)
		if ours.Position.Char > 0 {
			s.showPlace(sql, ours.Position.Char)
		}
		hint := goHints.Replace(ours.Hint)
		switch ours.Code {
		case scoped.CodeScopeRequired:
			hint = fmt.Sprintf(`\scope %s=VALUE, or \lookup %s.COLUMN=VALUE`, ours.Dimension, ours.Dimension)
		case scoped.CodeFill:
			if s.scope.disabled == "" && ours.Dimension != "" {
				hint = fmt.Sprintf(`name the column and its value, or \scope %s=VALUE`, ours.Dimension)
			}
		}
		s.sayNot("HINT", hint)
	case errors.As(err, &server):
		s.sayBold("%s:  %s", server.Severity, server.Message)
		if server.Position > 0 {
			s.showPlace(sql, int(server.Position))
		}
		s.sayNot("DETAIL", server.Detail)
		s.sayNot("HINT", goHints.Replace(server.Hint))
		s.sayNot("CONTEXT", server.Where)
	case errors.Is(err, syscall.EPIPE):
	case errors.Is(err, context.Canceled):
		s.sayBold("ERROR:  canceling statement due to user request")
	default:
		s.sayBold("ERROR:  %s", strings.TrimPrefix(err.Error(), "scoped: "))
	}
}

// sayNot says what is not empty.
func (s *shell) sayNot(label, text string) {
	if text != "" {
		s.say("%s:  %s", label, text)
	}
}

// sayBold says a line that stands out.
func (s *shell) sayBold(form string, args ...any) {
	line := printable(fmt.Sprintf(form, args...))
	if s.stderr.colourful() {
		label, rest, _ := strings.Cut(line, ":")
		line = "\x1b[1;31m" + label + ":\x1b[0m" + rest
	}
	fmt.Fprintln(s.stderr, line)
}

// showPlace shows the line of a statement with a caret under a character, counted
// from 1.
func (s *shell) showPlace(sql string, char int) {
	runes := []rune(sql)
	at := min(char-1, len(runes))
	begin, end, number := at, at, 1
	for begin > 0 && runes[begin-1] != '\n' {
		begin--
	}
	for end < len(runes) && runes[end] != '\n' {
		end++
	}
	for _, r := range runes[:begin] {
		if r == '\n' {
			number++
		}
	}
	const around = 60 // characters of a long line on each side
	head, tail := "", ""
	if at-begin > around {
		begin, head = at-around, "..."
	}
	if end-at > around {
		end, tail = at+around, "..."
	}
	label := fmt.Sprintf("LINE %d: %s", number, head)
	before := printable(string(runes[begin:at]))
	s.say("%s%s%s", label, printable(string(runes[begin:end])), tail)
	s.say("%s^", strings.Repeat(" ", len(label)+uniseg.StringWidth(before)))
}

// isCommit reports whether a statement ends a transaction by making it last.
func isCommit(sql string) bool {
	words := words(sql)
	return len(words) > 0 && (words[0] == pgparse.Token_COMMIT || words[0] == pgparse.Token_END_P)
}

// isCopy reports whether a statement is COPY with the program's own input or
// output.
func isCopy(sql string) bool {
	words := words(sql)
	if len(words) == 0 || words[0] != pgparse.Token_COPY {
		return false
	}
	for _, w := range words {
		if w == pgparse.Token_STDIN || w == pgparse.Token_STDOUT {
			return true
		}
	}
	return false
}

// words returns the tokens of a statement without comments.
func words(sql string) []pgparse.Token {
	all, _ := tokens(sql)
	var words []pgparse.Token
	for _, t := range all {
		if t.Token != pgparse.Token_SQL_COMMENT && t.Token != pgparse.Token_C_COMMENT {
			words = append(words, t.Token)
		}
	}
	return words
}
