package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
	"github.com/scoped-pgx/scoped/schemas"
)

func newSchemaDiffCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "diff [VALUE]… --policy FILE [--dsn DSN] [--jobs N]",
		Short: "what the schemas of values have otherwise than the template",
		Long: `
scoped schema diff compares the schemas of some values, or of all, with the template, object by
object: what is missing, what is made otherwise, and what is too many.`,
		Example: `
  scoped schema diff --policy policy.yaml --dsn postgres://localhost/school
  scoped schema diff acme --policy policy.yaml --format json`,
		Annotations: map[string]string{notes: `
Lines that the schema lacks begin with -, those that the template lacks with +.

The exit status is 0 when there is no difference, 1 when there is, and 2 when the command could
not work; then standard error says why.`},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := addSchemaFlags(command)
	jobs := jobsFlag(command, "read `N` schemas at a time, each on a connection of its own")
	format := formatFlag(command, "text", "json")
	command.RunE = func(command *cobra.Command, values []string) error {
		return flags.use(command, *jobs, func(ctx context.Context, m *schemas.Manager) error {
			if len(values) == 0 {
				list, err := m.List(ctx)
				if err != nil {
					return err
				}
				for _, s := range list {
					if s.Exists {
						values = append(values, s.Value)
					}
				}
			}
			if err := names(m, values); err != nil {
				return err
			}
			template, err := m.Read(ctx, m.Dimension().Schemas.Template)
			if err != nil {
				return err
			}
			reports := make([]schemaDiff, len(values))
			if err := each(len(values), *jobs, func(i int) error {
				name, err := m.SchemaName(values[i])
				if err != nil {
					return err
				}
				schema, err := m.Read(ctx, name)
				if err != nil {
					return fmt.Errorf("%q: %w", values[i], err)
				}
				reports[i] = newSchemaDiff(values[i], name, template.Diff(schema))
				return nil
			}); err != nil {
				return err
			}
			return writeDiffs(command.OutOrStdout(), *format, reports)
		})
	}
	return command
}

// A schemaDiff is how a schema differs, for programs. Its form is stable.
type schemaDiff struct {
	Value       string             `json:"value"`
	Schema      string             `json:"schema"`
	Differences []schemaDifference `json:"differences"`
}

type schemaDifference struct {
	Difference string `json:"difference"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Table      string `json:"table,omitempty"`
	Want       string `json:"want,omitempty"` // the statements that make the template's
	Got        string `json:"got,omitempty"`

	object string
}

func newSchemaDiff(value, schema string, differences []schemas.Difference) schemaDiff {
	report := schemaDiff{value, schema, []schemaDifference{}}
	for _, d := range differences {
		o := d.Object()
		line := schemaDifference{Difference: "different", Kind: o.Kind, Name: o.Name, Table: o.Table, object: o.String()}
		if d.Want != nil {
			line.Want = d.Want.SQL(schema)
		} else {
			line.Difference = "extra"
		}
		if d.Got != nil {
			line.Got = d.Got.SQL(schema)
		} else {
			line.Difference = "missing"
		}
		report.Differences = append(report.Differences, line)
	}
	return report
}

// writeDiffs writes the reports, and returns errNotWell if there is a difference.
func writeDiffs(w io.Writer, format string, reports []schemaDiff) error {
	different := 0
	p := terminal.NewPrinter(w)
	encoder := json.NewEncoder(p)
	encoder.SetEscapeHTML(false)
	for _, r := range reports {
		if len(r.Differences) > 0 {
			different++
		}
		if format == "json" {
			if err := encoder.Encode(r); err != nil {
				return err
			}
		} else if len(r.Differences) > 0 {
			r.write(p)
		}
	}
	if format == "text" {
		p.Line(p.Styled(terminal.Bold, fmt.Sprintf("different from the template: %d of %d schemas", different, len(reports))))
	}
	if err := p.Flush(); err != nil {
		return err
	}
	if different > 0 {
		return errNotWell
	}
	return nil
}

func (r *schemaDiff) write(p *terminal.Printer) {
	p.Line(p.Styled(terminal.Bold, terminal.Visible(r.Schema)))
	for _, d := range r.Differences {
		p.Line("  " + terminal.Visible(d.object) + "  " + p.Styled(terminal.Yellow, d.Difference))
		for _, line := range changedLines(d.Want, d.Got) {
			style := terminal.Red
			if line[0] == '+' {
				style = terminal.Green
			}
			p.Line("    " + p.Styled(style, terminal.Visible(line)))
		}
	}
	p.Line("")
}

// changedLines returns the lines of a that b lacks, behind -, and those of b that a
// lacks, behind +, in their order.
func changedLines(a, b string) []string {
	old, new := strings.SplitAfter(a, "\n"), strings.SplitAfter(b, "\n")
	// common[i][j] is how many lines old[i:] and new[j:] have in common.
	common := make([][]int, len(old)+1)
	for i := range common {
		common[i] = make([]int, len(new)+1)
	}
	for i := len(old) - 1; i >= 0; i-- {
		for j := len(new) - 1; j >= 0; j-- {
			if old[i] == new[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var changed []string
	add := func(sign, line string) {
		if line = strings.TrimRight(line, "\n"); line != "" {
			changed = append(changed, sign+" "+line)
		}
	}
	i, j := 0, 0
	for i < len(old) || j < len(new) {
		switch {
		case i < len(old) && j < len(new) && old[i] == new[j]:
			i, j = i+1, j+1
		case j == len(new) || i < len(old) && common[i+1][j] >= common[i][j+1]:
			add("-", old[i])
			i++
		default:
			add("+", new[j])
			j++
		}
	}
	return changed
}
