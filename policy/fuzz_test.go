package policy_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// FuzzPolicy checks that no file makes the parser panic, that it reports
// mistakes in order and with a place inside the file, and that what it accepts
// has paths that end.
func FuzzPolicy(f *testing.F) {
	good, bad := examples(f)
	for _, path := range append(good, bad...) {
		f.Add(read(f, path))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := policy.Parse("fuzz.yaml", data)
		if err != nil {
			errs, ok := errors.AsType[policy.Errors](err)
			if !ok || len(errs) == 0 || p != nil {
				t.Fatalf("%v, %v", p, err)
			}
			lines := 1 + strings.Count(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data)), "\n")
			for _, e := range errs {
				if e.Line < 1 || e.Line > lines || e.Column < 1 || e.Message == "" {
					t.Errorf("%v is outside a file of %d lines", e, lines)
				}
			}
			if !slices.IsSortedFunc(errs, func(a, b *policy.Error) int {
				return (a.Line-b.Line)*1_000_000 + a.Column - b.Column
			}) {
				t.Errorf("out of order: %v", err)
			}
			return
		}
		if len(p.Dimensions()) == 0 || len(p.SearchPath()) == 0 {
			t.Error("no dimensions or no search path")
		}
		for _, name := range []string{"post", "comment", "reaction", "log_1", "a", "b"} {
			table := p.Table("", name)
			if table == nil {
				continue
			}
			if (table.Access == policy.Scoped) != (len(table.Scopings) > 0 || table.In != nil) {
				t.Errorf("%s: access %d with %d scopings", name, table.Access, len(table.Scopings))
			}
			if c := table.Where; c != nil {
				if stmts, err := pgparse.Parse("SELECT 1 WHERE " + c.For("t")); err != nil || len(stmts) != 1 || len(c.Columns) == 0 {
					t.Errorf("%s: the condition %q: %v", name, c.For("t"), err)
				}
			}
			ways := 0
			for i := range table.Scopings {
				follow(t, &table.Scopings[i], 0, len(data), &ways)
			}
		}
	})
}

// follow checks all that a scoping leads to.
func follow(t *testing.T, s *policy.Scoping, steps, most int, ways *int) {
	if steps > most {
		t.Fatal("a path without an end")
	}
	if s.Any == nil {
		if s.Column == "" {
			t.Fatal("a scoping without a column")
		}
		if s.Path == nil {
			if *ways++; *ways > 100*policy.MaxDimensions {
				t.Fatal("too many ways")
			}
		} else if s.Path.Via.Dimension != s.Dimension {
			t.Fatal("a path on two dimensions")
		} else {
			follow(t, s.Path.Via, steps+1, most, ways)
		}
		return
	}
	if len(s.Any) < 2 || s.Column != "" || s.Path != nil {
		t.Fatalf("a list of %d, column %q", len(s.Any), s.Column)
	}
	for i := range s.Any {
		if s.Any[i].Any != nil || s.Any[i].Dimension != s.Dimension {
			t.Fatal("an alternative is a list, or on another dimension")
		}
		follow(t, &s.Any[i], steps, most, ways)
	}
}
