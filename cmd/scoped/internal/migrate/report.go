package migrate

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
	"github.com/scoped-pgx/scoped/schemas"
)

// A Report says what became of the schemas, the template being one.
type Report struct {
	DryRun       bool
	Migrated     int // or that would be
	UpToDate     int
	Pending      []Pending // what would run, in a dry run
	Failed       []Failure
	NotReached   []string // the schemas that were not begun
	Unregistered []string // the values whose schemas exist, and which the registry does not list
	Missing      []string // the values that the registry lists, and whose schemas do not exist
	Took         time.Duration
}

// Pending migrations would run in a schema.
type Pending struct {
	Schema     string
	Migrations []schemas.Migration
}

// A Failure left a schema as it was.
type Failure struct {
	Schema string
	Err    error
}

// An Error is what a migration failed with, at a place in its file.
type Error struct {
	File         string
	Line, Column int // from 1, 0 where they are not known
	Err          error
}

func (e *Error) Error() string {
	place := e.File
	if e.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", place, e.Line, e.Column)
	}
	message := e.Err.Error()
	if p := (*pgconn.PgError)(nil); errors.As(e.Err, &p) {
		message = p.Message
		if p.Detail != "" {
			message += ": " + p.Detail
		}
		hint := p.Hint
		if p.Code == "25001" { // active_sql_transaction
			hint = "What runs outside of transactions is no migration of scoped; use --exec"
		}
		message += " (SQLSTATE " + p.Code + ")"
		if hint != "" {
			message += "; " + hint
		}
	}
	return place + ": " + message
}

func (e *Error) Unwrap() error { return e.Err }

// OK reports whether every schema has all migrations.
func (r *Report) OK() bool { return len(r.Failed)+len(r.NotReached) == 0 }

// Write writes the report for people.
func (r *Report) Write(w io.Writer) error {
	p := terminal.NewPrinter(w)
	slices.SortFunc(r.Failed, func(a, b Failure) int { return strings.Compare(a.Schema, b.Schema) })
	for _, f := range r.Failed {
		p.Line(p.Styled(terminal.Red, "failed") + "  " + p.Styled(terminal.Bold, terminal.Visible(f.Schema)) + "  " + terminal.Visible(f.Err.Error()))
	}
	for _, pending := range r.Pending {
		names := make([]string, len(pending.Migrations))
		for i, m := range pending.Migrations {
			names[i] = m.Name
		}
		p.Line(p.Styled(terminal.Bold, terminal.Visible(pending.Schema)) + "  " + terminal.Visible(strings.Join(names, ", ")))
	}
	list := func(what string, names []string) {
		const most = 20
		if len(names) == 0 {
			return
		}
		text := what + ": " + terminal.Visible(strings.Join(names[:min(len(names), most)], ", "))
		if len(names) > most {
			text += fmt.Sprintf(" and %d others", len(names)-most)
		}
		p.Line(text)
	}
	list("not begun", r.NotReached)
	list("not in the registry, and left alone", r.Unregistered)
	list("in the registry, and without a schema", r.Missing)
	line := fmt.Sprintf("schemas: %d migrated in %s, %d up to date", r.Migrated, r.Took.Round(100*time.Millisecond), r.UpToDate)
	if r.DryRun {
		line = fmt.Sprintf("schemas: %d would be migrated, %d are up to date", r.Migrated, r.UpToDate)
	}
	if len(r.Failed) > 0 {
		line += fmt.Sprintf(", %d failed", len(r.Failed))
	}
	if len(r.NotReached) > 0 {
		line += fmt.Sprintf(", %d not begun", len(r.NotReached))
	}
	if !r.OK() {
		line += "; the next run goes on from here"
	}
	p.Line(line)
	return p.Flush()
}
