package explain

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
)

// Print writes the report for people.
func (r *Report) Print(p *terminal.Printer) error {
	if e := r.Error; e != nil {
		p.Line(p.Styled(terminal.Red, "refused: "+e.Code) + e.at())
		p.Block("SQL", p.Pointed(r.SQL, e.place.Line, e.place.Column))
		p.Block("why", []string{p.Styled(terminal.Red, terminal.Visible(e.Message))})
		if e.Hint != "" {
			p.Block("hint", []string{terminal.Visible(e.Hint)})
		}
		return p.Flush()
	}
	p.Block("SQL", terminal.Lines(r.SQL))
	if r.Sent == r.SQL {
		p.Block("sent", []string{p.Styled(terminal.Faint, "the same")})
	} else {
		p.Block("sent", r.outcome.Sent(p, true))
	}
	p.Block("args", r.outcome.Arguments())
	for _, t := range r.Tables {
		r.printTable(p, t)
	}
	if r.Plan != nil {
		r.printPlans(p)
	}
	return p.Flush()
}

// at returns where a refusal points to.
func (e *Refusal) at() string {
	if e.Position == 0 {
		return ""
	}
	return fmt.Sprintf(", line %d, column %d", e.place.Line, e.place.Column)
}

func (r *Report) printTable(p *terminal.Printer, t Table) {
	p.Line("")
	p.Line(p.Styled(terminal.Bold, terminal.Visible(t.Name)) + "  " + t.Access)
	guard := p.Styled(terminal.Green, terminal.Visible(t.Guard))
	if t.Guard == "" {
		guard = p.Styled(terminal.Faint, "none")
		if t.Note != "" {
			guard += ": " + t.Note
		}
	}
	p.Block("guard", []string{guard})
	var lines []string
	for _, l := range t.Lines {
		lines = append(lines, p.Styled(terminal.Faint, fmt.Sprintf("%s:%d", r.Policy, l.Number))+"  "+terminal.Visible(l.Text))
	}
	p.Block("policy", lines)
	lines = nil
	for _, c := range t.Indexes {
		lines = append(lines, r.index(p, c))
	}
	p.Block("index", lines)
}

// index says which indexes serve the look-up by a column.
func (r *Report) index(p *terminal.Printer, c Indexed) string {
	place := terminal.Visible(fmt.Sprintf("%s (%s): ", c.Table, c.Column))
	if len(c.Indexes) == 0 {
		return place + p.Styled(terminal.Yellow, "none begins with it")
	}
	names := make([]string, len(c.Indexes))
	for i, name := range c.Indexes {
		names[i] = terminal.Visible(name)
		if r.uses(name) {
			names[i] += " (in the plan)"
		}
	}
	return place + strings.Join(names, ", ")
}

// uses reports whether the plan of what is sent names an index.
func (r *Report) uses(index string) bool {
	name := regexp.MustCompile(`Scan (?:Backward )?(?:using|on) ` + regexp.QuoteMeta(quoted(index)) + `(?: |$)`)
	return slices.ContainsFunc(r.Plan, func(l PlanLine) bool { return name.MatchString(l.Text) })
}

// printPlans shows the two plans, with a + before each line that guards are the
// reason for.
func (r *Report) printPlans(p *terminal.Printer) {
	p.Line("")
	p.Line(p.Styled(terminal.Bold, "plan"))
	for _, l := range r.Plan {
		text := "  " + terminal.Visible(l.Text)
		if l.Guard {
			text = p.Styled(terminal.Green, "+ "+terminal.Visible(l.Text))
		}
		p.Line(text)
	}
	if r.Sent == r.SQL {
		return
	}
	p.Line("")
	p.Line(p.Styled(terminal.Bold, "plan without guards"))
	for _, line := range r.PlanWithout {
		p.Line("  " + terminal.Visible(line))
	}
}
