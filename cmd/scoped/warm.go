package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/scope"
	"github.com/scoped-pgx/scoped/cmd/scoped/internal/script"
	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
	"github.com/scoped-pgx/scoped/rewrite"
)

// warmFormat writes the accepted statements as the lines of a file for the
// driver's cache, and reports the others on faults.
type warmFormat struct {
	scope   *scope.Scope
	queries bool // of JSON instead of SQL
	out     *bufio.Writer
	faults  io.Writer
	refused bool
}

// warmLine is a line of the file: a statement, and the shapes of the scopes under
// which it is to be in the cache. It holds no value of a scope.
type warmLine struct {
	SQL    string              `json:"sql"`
	Scopes []map[string]string `json:"scopes"`
}

// presences are how the file calls what a dimension of a shape is.
var presences = map[rewrite.Presence]string{rewrite.One: "one", rewrite.Many: "many", rewrite.All: "all"}

func (f *warmFormat) read(file io.Reader, name string) (err error) {
	if f.queries {
		err = readQueries(file, name, func(query jsonQuery, line int) error {
			return f.write(query.sql, func(rewrite.Position) string {
				return fmt.Sprintf("%s:%d", name, line)
			})
		})
	} else {
		err = script.Read(file, name, func(s script.Statement) error {
			return f.write(s.Text, func(p rewrite.Position) string { return place(s, name, p) })
		})
	}
	if flushErr := f.out.Flush(); flushErr != nil {
		return flushErr
	}
	return err
}

func (f *warmFormat) finish() (refused bool, err error) { return f.refused, nil }

func (f *warmFormat) write(sql string, place func(rewrite.Position) string) error {
	o, err := f.scope.Rewrite(sql)
	if err != nil {
		return err
	}
	if r := o.Refusal; r != nil {
		f.refused = true
		fmt.Fprintf(f.faults, "%s: refused: %s: %s; %s\n", place(r.Position), r.Code, terminal.Visible(r.Message), terminal.Visible(r.Hint))
		return nil
	}
	if sql == "" {
		return nil // the driver refuses such a line
	}
	shape := map[string]string{}
	for _, d := range f.scope.Policy.Dimensions() {
		if p := f.scope.Shape.Presence(d); p != rewrite.Absent {
			shape[d.Name] = presences[p]
		}
	}
	encoder := json.NewEncoder(f.out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(warmLine{sql, []map[string]string{shape}})
}
