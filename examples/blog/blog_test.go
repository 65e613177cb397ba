package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/scoped-pgx/scoped/internal/pgtest"
)

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	equal, err := run(t.Context(), &out, false, policyText)
	if err != nil {
		t.Fatal(err)
	}
	if !equal {
		t.Errorf("the scenes are not all as they must be:\n%s", &out)
	}
	for line := range strings.Lines(out.String()) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > width {
			t.Errorf("wider than %d columns: %s", width, line)
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("colour was written to what is not a terminal")
	}
}

// TestProposedPolicy plays the demo under the policy that scoped init --root site
// --root account=user proposes for its database, as a test of scoped init has it.
func TestProposedPolicy(t *testing.T) {
	text, err := os.ReadFile("../../cmd/scoped/internal/draft/testdata/blog.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if equal, err := run(t.Context(), &out, false, text); err != nil || !equal {
		t.Errorf("the scenes are not all as they must be: %v\n%s", err, &out)
	}
	if _, err := run(t.Context(), &out, false, []byte("version: 1\ndimensions: {site: {type: bigint}}")); err == nil {
		t.Error("a policy without the dimension user passed")
	}
}

// TestEveryCheckCanFail gives each scene wrong expectations. A demo that accepts
// them shows nothing.
func TestEveryCheckCanFail(t *testing.T) {
	server, err := pgtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)

	for _, s := range scenes {
		t.Run(s.title, func(t *testing.T) {
			d, err := newDemo(t.Context(), server, policyText)
			if err != nil {
				t.Fatal(err)
			}
			defer d.close()

			// Another outcome is expected, and by hand other rows are read and
			// something else is written than the program writes.
			s.want = "1,000,000 rows"
			s.byHand = `UPDATE site SET name = 'changed' WHERE id = 200 RETURNING id, name`
			r, err := d.play(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			problems := strings.Join(r.problems, "\n")
			for _, want := range []string{
				"expected 1,000,000 rows",
				"the rows are not those of the superuser's query",
				"table site is not as it is by hand",
			} {
				if !strings.Contains(problems, want) {
					t.Errorf("reported %q, want %q", problems, want)
				}
			}
		})
	}
}

func TestMisprinted(t *testing.T) {
	before := statement{text: "SELECT 1"}
	after := statement{text: "SELECT 2"}
	for _, c := range []struct {
		name, shown string
		after       statement
		problem     string
	}{
		{"refused and not sent", "", before, ""},
		{"refused, and pgx asked whether the connection lives", "", statement{text: "-- ping"}, ""},
		{"refused but sent", "", after, "a refused statement was sent"},
		{"sent as shown", "SELECT 2", after, ""},
		{"sent and not shown so", "SELECT 3", after, "another text"},
		{"shown and not sent", "SELECT 2", before, "was not sent"},
	} {
		if got := misprinted(c.shown, before, c.after); !strings.Contains(got, c.problem) || (got == "") != (c.problem == "") {
			t.Errorf("%s: got %q, want %q", c.name, got, c.problem)
		}
	}
}
