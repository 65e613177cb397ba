package isolation

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// A Finding is a statement of which a report gives an example.
type Finding struct {
	Name   string // seed 1, SELECT 17
	SQL    string
	Plan   int    // under which planner settings
	Scope  string // under which scope
	Detail string
	Count  int
}

// A Report counts what became of the statements of a run.
type Report struct {
	Selects, Writes tally
	Refused         map[string]*Finding // by reason
	Rejected        map[string]*Finding
	Undetermined    map[string]*Finding
	Differences     []Finding
	Order           []Finding // evaluated on a row of others, and failed
	Security        map[string]*Finding
}

type tally struct {
	Run, Empty, Failed int
	Verdicts           map[Verdict]int
}

func newReport() *Report {
	return &Report{
		Selects:      tally{Verdicts: map[Verdict]int{}},
		Writes:       tally{Verdicts: map[Verdict]int{}},
		Refused:      map[string]*Finding{},
		Rejected:     map[string]*Finding{},
		Undetermined: map[string]*Finding{},
		Security:     map[string]*Finding{},
	}
}

// accepted counts the statements that the server and the rewriter accept.
func (t tally) accepted() int {
	return t.Run - t.Verdicts[Rejected] - t.Verdicts[Refused]
}

func (r *Report) add(f Finding, result Result) {
	t := &r.Selects
	if result.Writes {
		t = &r.Writes
	}
	t.Run++
	t.Verdicts[result.Verdict]++
	if result.Failed {
		t.Failed++
	} else if result.Verdict == Same && result.Rows == 0 {
		t.Empty++
	}
	f.Detail = result.Detail
	switch result.Verdict {
	case Refused:
		count(r.Refused, result.Detail, f)
	case Rejected:
		count(r.Rejected, result.Detail, f)
	case Undetermined:
		count(r.Undetermined, result.Detail, f)
	case Leak, Different:
		r.Differences = append(r.Differences, f)
	case Order:
		r.Order = append(r.Order, f)
	}
	if result.Security != "" {
		key, _, _ := strings.Cut(result.Security, " ")
		if key == "SQLSTATE" {
			key = result.Security
		}
		f.Detail = result.Security
		count(r.Security, key, f)
	}
}

func count(findings map[string]*Finding, key string, f Finding) {
	if findings[key] == nil {
		f.Count = 0
		findings[key] = &f
	}
	// The shortest is the best example.
	if e := findings[key]; len(f.SQL) < len(e.SQL) {
		f.Count = e.Count
		findings[key] = &f
	}
	findings[key].Count++
}

// merge adds another report's figures.
func (r *Report) merge(o *Report) {
	for _, pair := range [][2]*tally{{&r.Selects, &o.Selects}, {&r.Writes, &o.Writes}} {
		pair[0].Run += pair[1].Run
		pair[0].Empty += pair[1].Empty
		pair[0].Failed += pair[1].Failed
		for v, n := range pair[1].Verdicts {
			pair[0].Verdicts[v] += n
		}
	}
	for _, pair := range [][2]map[string]*Finding{{r.Refused, o.Refused}, {r.Rejected, o.Rejected}, {r.Undetermined, o.Undetermined}, {r.Security, o.Security}} {
		for key, f := range pair[1] {
			n := f.Count
			count(pair[0], key, *f)
			pair[0][key].Count += n - 1
		}
	}
	r.Differences = append(r.Differences, o.Differences...)
	r.Order = append(r.Order, o.Order...)
}

// Write prints the report, with the most frequent reasons first.
func (r *Report) Write(w io.Writer, examples bool) {
	for _, t := range []struct {
		name string
		tally
	}{{"SELECT", r.Selects}, {"writes", r.Writes}} {
		if t.Run == 0 {
			continue
		}
		v := t.Verdicts
		fmt.Fprintf(w, "%s: %d run, %d rejected by the server, %d refused by the rewriter, %d accepted: %d same (%d failed alike, %d empty), %d violations, %d side channel, %d undetermined, %d timeouts, %d evaluation order, %d differences\n",
			t.name, t.Run, v[Rejected], v[Refused], t.accepted(), v[Same], t.Failed, t.Empty, v[Violation], v[SideChannel], v[Undetermined], v[Timeout], v[Order], v[Leak]+v[Different])
	}
	for _, list := range []struct {
		title    string
		findings map[string]*Finding
	}{{"refused", r.Refused}, {"rejected by the server", r.Rejected}, {"undetermined", r.Undetermined}, {"row-level security differs", r.Security}} {
		keys := slices.SortedFunc(maps.Keys(list.findings), func(a, b string) int {
			return cmp.Or(cmp.Compare(list.findings[b].Count, list.findings[a].Count), cmp.Compare(a, b))
		})
		for i, key := range keys {
			if i == 12 {
				fmt.Fprintf(w, "… and %d more\n", len(keys)-i)
				break
			}
			f := list.findings[key]
			fmt.Fprintf(w, "%s %d×: %s\n", list.title, f.Count, key)
			if examples {
				fmt.Fprintf(w, "    %s: %s\n", f.Name, f.SQL)
			}
		}
	}
	for i, f := range r.Order {
		if i == 3 {
			break
		}
		fmt.Fprintf(w, "evaluation order, %s, plan %d: %s\n    %s\n", f.Name, f.Plan, f.Detail, f.SQL)
	}
	for _, f := range Varied(r.Differences, 5) {
		fmt.Fprintf(w, "DIFFERENCE, %s, plan %d: %s\n    %s\n", f.Name, f.Plan, f.Detail, f.SQL)
	}
}
