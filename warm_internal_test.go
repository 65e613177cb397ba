package scoped

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

func warmFile(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "warm.jsonl")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWarmFile(t *testing.T) {
	p := cachePolicy(t)
	path := warmFile(t,
		`{"sql": "SELECT id FROM post /* a */", "scopes": [{"site": "one"}, {"site": "many"}, {"site": "many, writes one"}]}`,
		"",
		`{"sql": "SELECT id FROM nosuch", "scopes": [{"site": "all"}, {}]}`)
	e := newEngine(p, []Option{WithWarmFile(path)})
	holds := func(p *policy.Policy) {
		t.Helper()
		if err := e.check(); err != nil {
			t.Fatal(err)
		}
		d := p.Dimension("site")
		for shape, text := range map[rewrite.Shape]string{
			rewrite.Shape(0).With(d, rewrite.One):      "SELECT id FROM post ",
			rewrite.Shape(0).With(d, rewrite.Many):     "SELECT id FROM post ",
			rewrite.Shape(0).With(d, rewrite.WriteOne): "SELECT id FROM post ",
			rewrite.Shape(0).With(d, rewrite.All):      "SELECT id FROM nosuch",
			0:                                          "SELECT id FROM nosuch",
		} {
			if _, ok := e.rules.Load().cache.entries.GetIfPresent(cacheKey{text: text, shape: shape}); !ok {
				t.Errorf("%s is not cached under %b", text, shape)
			}
		}
	}
	holds(p)
	other, err := policy.Parse("other.yaml", []byte("version: 1\ndimensions: {user: {type: text}, site: {type: text}}\ntables: {post: {site: site_id}}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.SetPolicy(other); err != nil {
		t.Fatal(err)
	}
	holds(other)
	without, err := policy.Parse("without.yaml", []byte("version: 1\ndimensions: {user: {type: text}}\ntables: {post: shared}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.SetPolicy(without); err != nil {
		t.Error(err)
	}
	if err := newEngine(p, []Option{WithWarmFile(path), WithCacheSize(0)}).check(); err != nil {
		t.Error(err)
	}
}

func TestWarmFileFaults(t *testing.T) {
	const good = `{"sql": "SELECT 1", "scopes": [{}]}`
	for line, want := range map[string]string{
		"SELECT 1":            "line 2: invalid character",
		`{"sql": "SELECT 1"}`: `line 2: it lacks "sql" or "scopes"`,
		`{"scopes": [{}]}`:    `line 2: it lacks "sql" or "scopes"`,
		`{"sql": "SELECT 1", "scopes": [{"site": 1}]}`:     "line 2: json: cannot unmarshal number",
		`{"sql": "SELECT 1", "scopes": [{"site": "two"}]}`: `line 2: site is "two" instead of one`,
		`{"sql": "SELECT 1", "scopes": [{"no": "one"}]}`:   `line 2: the policy has no dimension "no"`,
		`{"sql": "SELECT 1", "scopes": [{}], "more": 1}`:   `line 2: json: unknown field "more"`,
		good + good: "line 2: there is more than one value",
	} {
		path := warmFile(t, good, line, good)
		err := newEngine(cachePolicy(t), []Option{WithWarmFile(path)}).check()
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeConfig || !strings.Contains(e.Message, want) || !strings.Contains(e.Message, path) {
			t.Errorf("%s: got %v, want %s", line, err, want)
		}
	}
	err := newEngine(cachePolicy(t), []Option{WithWarmFile("nosuch")}).check()
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := OpenConnector("scope_policy=examples/blog/policy.yaml scope_warm=nosuch"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := OpenConnector("scope_policy=p scope_warm="); err == nil || !strings.Contains(err.Error(), "scope_warm is empty") {
		t.Errorf("got %v", err)
	}
}
