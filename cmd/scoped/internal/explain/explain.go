// Package explain says of one statement what is sent in its place, from which
// line of the policy each guard comes, and how the server would run it.
package explain

import (
	"errors"
	"strings"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/scope"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// A Report explains one statement. Its JSON form is stable.
type Report struct {
	SQL    string     `json:"sql"`
	Sent   string     `json:"sent"` // empty where the statement is refused
	Args   []Argument `json:"args"` // behind the statement's own
	Policy string     `json:"policy"`
	Tables []Table    `json:"tables"`
	Error  *Refusal   `json:"error"`

	// Plan and PlanWithout are the server's, of what is sent and of the statement
	// without guards; nil where no server was asked.
	Plan        []PlanLine `json:"plan"`
	PlanWithout []string   `json:"plan_without_guards"`

	scope   *scope.Scope
	outcome scope.Outcome
}

// An Argument is what is bound to a parameter.
type Argument struct {
	Parameter int    `json:"parameter"`
	Dimension string `json:"dimension"`
	Value     any    `json:"value"`
}

// A Table is one reference to a table, with the lines of the policy that make its
// guard.
type Table struct {
	Name   string `json:"table"`
	Access string `json:"access"`
	Guard  string `json:"guard"`
	Note   string `json:"note"` // why there is no guard
	Lines  []Line `json:"policy"`

	// Indexes are of the columns by which the guard finds rows; nil where no server
	// was asked.
	Indexes []Indexed `json:"indexes"`

	policy *policy.Table // nil for one of PostgreSQL's own
}

// A Line is a line of the policy file.
type Line struct {
	Number int    `json:"line"`
	Text   string `json:"text"`
}

// A Refusal says why the statement is refused, by the policy or by the server.
type Refusal struct {
	Code     string           `json:"code"` // the server's are SQLSTATEs
	Message  string           `json:"message"`
	Position int              `json:"position"` // in characters from 1; 0 where there is no place
	Hint     string           `json:"hint"`
	place    rewrite.Position // in lines
}

// lineBreaks are those of YAML.
var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// New explains a statement in a scope of the policy in a file, which holds source.
func New(s *scope.Scope, file string, source []byte, sql string) (*Report, error) {
	r := &Report{SQL: sql, Policy: file, Args: []Argument{}, Tables: []Table{}, scope: s}
	_, err := rewrite.Params(sql) // of one statement
	if err == nil {
		r.outcome, err = s.Rewrite(sql)
	}
	refusal := r.outcome.Refusal
	if err != nil && !errors.As(err, &refusal) {
		return nil, err
	}
	if refusal != nil {
		r.Error = &Refusal{string(refusal.Code), refusal.Message, refusal.Position.Char, refusal.Hint, refusal.Position}
		return r, nil
	}
	r.Sent = r.outcome.SQL
	for i, a := range r.outcome.Args {
		r.Args = append(r.Args, Argument{r.outcome.Params + 1 + i, a.Dimension, a.Value})
	}
	lines := strings.Split(lineBreaks.Replace(string(source)), "\n")
	for _, ref := range r.outcome.Tables {
		r.Tables = append(r.Tables, r.table(ref, lines))
	}
	return r, nil
}

// inserted returns the insertions, with line breaks between them.
func (r *Report) inserted() string {
	var b strings.Builder
	for _, span := range r.outcome.Spans() {
		if span.Inserted {
			b.WriteString(span.Text + "\n")
		}
	}
	return b.String()
}
