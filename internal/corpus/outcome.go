package corpus

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// An Outcome is what the parser of this build, and the rewriter behind it, make of a
// text. Those of two builds can be compared.
type Outcome struct {
	Syntax     string // the parser's error, with its offset, if the text is not read
	Tokens     uint64 // a hash of the names and offsets of the tokens
	Statements []StatementOutcome
}

// A StatementOutcome is what becomes of one statement.
type StatementOutcome struct {
	SQL      string
	Kind     Kind
	Rewrites []RewriteOutcome // for each scheme, one for each presence
}

// A RewriteOutcome is the text that is sent and the dimensions of its arguments, or
// why there is none.
type RewriteOutcome struct {
	SQL     string
	Code    rewrite.Code
	Message string // with its position
}

// OutcomeOf parses a text and rewrites its statements under every scheme and presence.
func OutcomeOf(t Text) Outcome {
	var o Outcome
	if strings.IndexByte(t.SQL, 0) >= 0 {
		return Outcome{Syntax: "a NUL byte"}
	}
	if tokens, err := pgparse.Scan(t.SQL); err == nil {
		h := fnv.New64a()
		for _, token := range tokens {
			fmt.Fprintf(h, "%v %d-%d,", token.Token, token.Start, token.End)
		}
		o.Tokens = h.Sum64()
	}
	if _, err := pgparse.Parse(t.SQL); err != nil {
		o.Syntax = err.Error()
		if e := (*pgparse.Error)(nil); errors.As(err, &e) {
			o.Syntax = fmt.Sprintf("%s at %d", e.Message, e.Offset)
		}
		return o
	}
	for _, s := range Split(t) {
		s.SQL = fromFirstToken(s.SQL)
		so := StatementOutcome{SQL: s.SQL, Kind: s.Kind}
		found := namesOf(s.tree)
		for _, scheme := range Schemes {
			p, err := policy.Parse("corpus.yaml", []byte(found.yaml(scheme)))
			if err != nil {
				so.Rewrites = append(so.Rewrites, RewriteOutcome{Message: err.Error()})
				continue
			}
			for _, presence := range Presences {
				so.Rewrites = append(so.Rewrites, rewriteOutcome(s.SQL, p, presence))
			}
		}
		o.Statements = append(o.Statements, so)
	}
	return o
}

// fromFirstToken cuts off the comments and white space before a statement, which
// belong to it in the one grammar and not in the other.
func fromFirstToken(sql string) string {
	tokens, err := pgparse.Scan(sql)
	if err != nil {
		return sql
	}
	for _, t := range tokens {
		if t.Token != pgparse.Token_SQL_COMMENT && t.Token != pgparse.Token_C_COMMENT {
			return sql[t.Start:]
		}
	}
	return sql
}

func rewriteOutcome(sql string, p *policy.Policy, presence rewrite.Presence) RewriteOutcome {
	r, err := rewrite.New(sql, p, shape(p, presence))
	var e *rewrite.Error
	switch {
	case errors.As(err, &e):
		return RewriteOutcome{Code: e.Code, Message: err.Error()}
	case err != nil:
		return RewriteOutcome{Message: err.Error()}
	}
	var b strings.Builder
	b.WriteString(r.SQL)
	for _, d := range r.Args {
		b.WriteString("\n-- " + d.Name)
	}
	fmt.Fprintf(&b, "\n-- %v %v %v %v", r.Check, r.Returning, r.Literal, r.Tables)
	return RewriteOutcome{SQL: b.String()}
}
