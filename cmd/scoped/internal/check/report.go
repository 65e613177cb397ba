package check

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
	"github.com/scoped-pgx/scoped/policy"
)

// Formats are the names of the forms in which a report is written.
var Formats = []string{"text", "json", "github"}

// Write writes the report in one of the Formats.
func (r *Report) Write(w io.Writer, format string) error {
	switch format {
	case "json":
		return r.json(w)
	case "github":
		return r.github(w)
	}
	return r.text(w)
}

// mend returns what mends a finding and what that is.
func (f *Finding) mend() (label, text string) {
	switch {
	case f.SQL != "":
		return "SQL", f.SQL
	case f.YAML != "":
		return "policy", f.YAML
	}
	return "mend", f.Advice
}

var styles = map[Severity]terminal.Style{Error: terminal.Red, Warning: terminal.Yellow, Note: terminal.Plain}

// text writes for people, table by table.
func (r *Report) text(w io.Writer) error {
	p := terminal.NewPrinter(w)
	for i, f := range r.Findings {
		if i == 0 || f.Object != r.Findings[i-1].Object || f.Line != r.Findings[i-1].Line {
			if i > 0 {
				p.Line("")
			}
			place := r.File
			if f.Line > 0 {
				place = fmt.Sprintf("%s:%d:%d", r.File, f.Line, f.Column)
			}
			p.Line(p.Styled(terminal.Bold, terminal.Visible(f.Object)) + "  " + p.Styled(terminal.Faint, place))
		}
		severity := f.Rule.Severity.String()
		p.Line(fmt.Sprintf("  %s%*s%s", p.Styled(styles[f.Rule.Severity], severity), 8-len(severity), "", p.Styled(terminal.Bold, f.Rule.Code)))
		p.Block("", terminal.Lines(f.Message))
		p.Block("why", []string{f.Rule.Why})
		label, text := f.mend()
		p.Block(label, terminal.Lines(text))
	}
	if len(r.Findings) > 0 {
		p.Line("")
	}
	p.Line(p.Styled(terminal.Bold, r.summary()))
	for _, i := range r.Unused {
		p.Line("There is nothing to ignore for --ignore " + i.String() + ".")
	}
	if len(r.Roles) == 0 {
		p.Line("The role with which the program connects is not known; give it with --role, to check its rights.")
	}
	return p.Flush()
}

func (r *Report) summary() string {
	hidden := ""
	if r.Below > 0 {
		hidden = fmt.Sprintf(", %d less grave", r.Below)
	}
	if r.Ignored > 0 {
		hidden += fmt.Sprintf(", %d ignored", r.Ignored)
	}
	if len(r.Findings) == 0 {
		return fmt.Sprintf("%s, %s: nothing found%s", number(r.Tables, "table"), number(len(ruleTable), "rule"), hidden)
	}
	return fmt.Sprintf("%s, %s: %s, %s, %s%s", number(r.Tables, "table"), number(len(ruleTable), "rule"),
		number(r.Count(Error), "error"), number(r.Count(Warning), "warning"), number(r.Count(Note), "note"), hidden)
}

func number(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// jsonReport is the form of JSON, which is stable.
type jsonReport struct {
	Policy   string        `json:"policy"`
	Tables   int           `json:"tables"`
	Roles    []string      `json:"roles"`
	Errors   int           `json:"errors"`
	Warnings int           `json:"warnings"`
	Notes    int           `json:"notes"`
	Ignored  int           `json:"ignored"`
	Below    int           `json:"below"`
	Unused   []string      `json:"unused"`
	Findings []jsonFinding `json:"findings"`
}

type jsonFinding struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	Object   string `json:"object"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Message  string `json:"message"`
	Why      string `json:"why"`
	SQL      string `json:"sql"`
	YAML     string `json:"yaml"`
	Advice   string `json:"advice"`
}

func (r *Report) json(w io.Writer) error {
	report := jsonReport{
		Policy: r.File, Tables: r.Tables, Roles: append([]string{}, r.Roles...),
		Errors: r.Count(Error), Warnings: r.Count(Warning), Notes: r.Count(Note), Ignored: r.Ignored, Below: r.Below, Unused: []string{}, Findings: []jsonFinding{},
	}
	for _, i := range r.Unused {
		report.Unused = append(report.Unused, i.String())
	}
	for _, f := range r.Findings {
		report.Findings = append(report.Findings, jsonFinding{f.Rule.Code, f.Rule.Severity.String(), f.Object, f.Line, f.Column,
			f.Message, f.Rule.Why, f.SQL, f.YAML, f.Advice})
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}

// GitHub's workflow commands, which its runner shows beside the lines of the file:
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
var (
	commands       = map[Severity]string{Error: "error", Warning: "warning", Note: "notice"}
	escapeData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	escapeProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// WriteMistakes writes the mistakes of a policy that cannot be loaded in the form
// of GitHub.
func WriteMistakes(w io.Writer, mistakes policy.Errors) error {
	for _, m := range mistakes {
		text := m.Message
		if m.Hint != "" {
			text += "\n" + m.Hint
		}
		if _, err := fmt.Fprintf(w, "::error file=%s,line=%d,col=%d::%s\n", escapeProperty.Replace(m.File), m.Line, m.Column, escapeData.Replace(text)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Report) github(w io.Writer) error {
	for _, f := range r.Findings {
		place := "file=" + escapeProperty.Replace(r.File)
		if f.Line > 0 {
			place += fmt.Sprintf(",line=%d,col=%d", f.Line, f.Column)
		}
		_, mend := f.mend()
		if _, err := fmt.Fprintf(w, "::%s %s,title=%s::%s\n", commands[f.Rule.Severity], place, escapeProperty.Replace(f.Rule.Code),
			escapeData.Replace(f.Object+": "+f.Message+"\n"+f.Rule.Why+"\n"+mend)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, r.summary())
	return err
}
