package policy_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scoped-pgx/scoped/policy"
)

func load(t testing.TB, name string) *policy.Policy {
	t.Helper()
	p, err := policy.Load(policies + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// parse reads a policy whose tables are given, with the dimensions site and user.
func parse(t testing.TB, rest string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("test.yaml", []byte("version: 1\ndimensions: {site: {type: bigint}, user: {type: uuid}}\n"+rest))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// describe spells a table as the file would, in one line.
func describe(t *policy.Table) string {
	if t == nil {
		return "not listed"
	}
	s := t.Schema + "." + t.Name + ":"
	switch t.Access {
	case policy.Denied:
		s += " denied"
	case policy.SharedRead:
		s += " shared read"
	case policy.Shared:
		s += " shared"
	}
	for i := range t.Scopings {
		s += " " + describeScoping(&t.Scopings[i])
	}
	return s
}

func describeScoping(s *policy.Scoping) string {
	if s.Any != nil {
		ways := make([]string, len(s.Any))
		for i := range s.Any {
			ways[i] = describeScoping(&s.Any[i])
		}
		return s.Dimension.Name + "=" + s.Column + "[" + strings.Join(ways, " ") + "]"
	}
	text := s.Dimension.Name + "=" + s.Column
	if p := s.Path; p != nil {
		text += fmt.Sprintf("->%s.%s(%s via %s)", p.Target.Schema, p.Target.Name, p.Key, describeScoping(p.Via))
	}
	return text
}

// TestLines shows that what a guard is made of says where it stands in the file.
func TestLines(t *testing.T) {
	p := parse(t, `tables:
  post: {site: site_id, where: deleted_at IS NULL}
  comment:
    user:
      - author_id
      - post_id -> note
    site:
      column: site_id
      null: visible
    references:
      post_id: post
    where:
      condition: deleted_at IS NULL
      check: false
  note: {user: id}
`)
	post, comment := p.Table("", "post"), p.Table("", "comment")
	site, user := comment.Scopings[0], comment.Scopings[1]
	got := []int{
		post.Line, post.Scopings[0].Line, post.Where.Line,
		comment.Line, user.Line, user.Any[0].Line, user.Any[1].Line, user.Any[1].Path.Via.Line,
		site.Line, comment.References[0].Line, comment.Where.Line,
	}
	if want := []int{4, 4, 4, 5, 6, 7, 8, 17, 9, 13, 14}; !slices.Equal(got, want) {
		t.Errorf("lines %d, want %d", got, want)
	}
}

func TestTable(t *testing.T) {
	p := load(t, "full.yaml")
	for _, c := range []struct{ schema, name, want string }{
		{"", "site", "public.site: shared"},
		{"public", "site", "public.site: shared"},
		{"app", "site", `app.site: site=post_id->public.post(id via site=site_id)`},
		{"other", "site", "not listed"},
		{"", "Site", `app.Site: site=post_id->public.post(id via site=site_id)`},
		{"public", "Site", "not listed"},
		{"", "country", "public.country: shared read"},
		{"", "secret", "public.secret: denied"},
		{"", "comment", "public.comment: site=post_id->public.post(id via site=site_id)"},
		{"", "reaction", "public.reaction: site=comment_id->public.comment(uuid via site=post_id->public.post(id via site=site_id))"},
		{"", "bookmark", "public.bookmark: site=post_id->public.post(id via site=site_id) user=user_id"},
		{"", "Mixed", "public.Mixed: region=Region Code"},
		{"", "My.Table", `public.My.Table: site=Site ID->app.Odd "Name"(Key via site=site_id)`},
		{"", "Entry", "app.Entry: small=s plain=p"},
		{"app", `Odd "Name"`, `app.Odd "Name": site=site_id`},
		{"", "t", "app.t: site=post_id->public.post(id via site=site_id)"},
		{"Odd Schema", "t", "Odd Schema.t: shared"},
		{"", "message", "public.message: site=[site=reaction_id->public.reaction(Key via site=comment_id->public.comment(uuid via site=post_id->public.post(id via site=site_id)))" +
			" site=post_id->public.post(id via site=site_id) site=site_id] user=[user=sender_id user=recipient_id]"},
		{"", "log_2024", "public.log_2024: site=site_id"},
		{"public", "log_", "public.log_: site=site_id"},
		{"", "log_2024_archive", "public.log_2024_archive: denied"},
		{"pg_catalog", "log_2024", "not listed"},
	} {
		if got := describe(p.Table(c.schema, c.name)); got != c.want {
			t.Errorf("Table(%q, %q) is %s, want %s", c.schema, c.name, got, c.want)
		}
	}
	if got := p.Table("", "log_2024"); got.Line != 25 || got.Column != 3 {
		t.Errorf("log_2024 comes from %d:%d, want 25:3", got.Line, got.Column)
	}
	envelope := p.Table("", "envelope").Scopings[0].Any
	if len(envelope) != 2 || envelope[0].Path.Via != &p.Table("", "message").Scopings[0] {
		t.Error("the path of envelope does not point to the list of message")
	}
	for _, name := range []string{"comment", "bookmark", "reaction"} {
		s := &p.Table("", name).Scopings[0]
		if target := p.Table(s.Path.Target.Schema, s.Path.Target.Name); target != s.Path.Target || s.Path.Via != &target.Scopings[0] {
			t.Errorf("the path of %s does not point into its target", name)
		}
	}
}

func TestPatterns(t *testing.T) {
	p := parse(t, `
search_path: [public, app]
tables:
  "*": shared
  "a*": {site: a}
  "*b": {site: b}
  "a*c*e": {site: ace}
  "a*ce": {site: ac}
  "ée*": {site: accent}
  axb: denied
  '"st*r"': {site: star}
  app.x: denied
`)
	for name, want := range map[string]string{
		"zzz":   "public.zzz: shared",
		"a":     "public.a: site=a",
		"b":     "public.b: site=b",
		"ab":    "public.ab: denied", // a* and *b are equally literal
		"axb":   "public.axb: denied",
		"acde":  "public.acde: site=ace",
		"axce":  "public.axce: denied", // a*c*e and a*ce
		"ace":   "public.ace: denied",
		"acdef": "public.acdef: site=a",
		"a*":    "public.a*: site=a",
		"ée":    "public.ée: site=accent",
		"éb":    "public.éb: site=b",
		"éeb":   "public.éeb: site=accent", // two characters, not three bytes, against one
		"st*r":  "public.st*r: site=star",
		"stxr":  "public.stxr: shared",
		"x":     "public.x: shared",
	} {
		if got := describe(p.Table("", name)); got != want {
			t.Errorf("Table(%q) is %s, want %s", name, got, want)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"aba*aba", "aba", false},
		{"aba*aba", "abaaba", true},
		{"a*b*c", "abbc", true},
		{"a*b*c", "acb", false},
		{"*b*", "abc", true},
		{"*b*", "ac", false},
		{"a*bc*bc", "abcbc", true},
		{"a*bc*bc", "abc", false},
		{"x*", "X", false},
	} {
		p := parse(t, fmt.Sprintf("tables: {%q: shared}", c.pattern))
		if got := p.Table("", c.name) != nil; got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.name, got)
		}
	}
}

func TestFunctionAllowed(t *testing.T) {
	p := parse(t, `
search_path: [public, app]
functions:
  allow: [slugify, app.render, other.render, "stats.*", "query_*", "pg_*", "other.x_*", current_setting, pg_catalog.now, '"Odd.Name"', '"st*r"']
`)
	for _, c := range []struct {
		schema, name string
		want         bool
	}{
		{"", "slugify", true},
		{"public", "slugify", true},
		{"app", "slugify", true},
		{"other", "slugify", false},
		{"", "Slugify", false},
		{"app", "render", true},
		{"other", "render", true},
		{"", "render", false},
		{"public", "render", false},
		{"stats", "anything", true},
		{"", "anything", false},
		{"", "query_mine", true},
		{"app", "query_mine", true},
		{"other", "query_mine", false},
		{"pg_catalog", "query_to_xml", false},
		{"", "pg_read_file", false},
		{"pg_catalog", "pg_read_file", false},
		{"public", "pg_mine", true},
		{"other", "x_1", true},
		{"", "x_1", false},
		{"", "current_setting", true},
		{"pg_catalog", "current_setting", true},
		{"pg_catalog", "now", true},
		{"", "now", false},
		{"public", "now", false},
		{"", "Odd.Name", true},
		{"", "st*r", true},
		{"", "star", false},
		{"", "", false},
	} {
		if got := p.FunctionAllowed(c.schema, c.name); got != c.want {
			t.Errorf("FunctionAllowed(%q, %q) is %v", c.schema, c.name, got)
		}
	}
}

func TestDimensions(t *testing.T) {
	p := load(t, "full.yaml")
	want := []policy.Dimension{
		{Name: "site", Type: "bigint"}, {Name: "user", Type: "uuid", Index: 1}, {Name: "region", Type: "text", Index: 2},
		{Name: "small", Type: "smallint", Index: 3}, {Name: "plain", Type: "integer", Index: 4},
	}
	dimensions := p.Dimensions()
	if len(dimensions) != len(want) {
		t.Fatalf("%d dimensions, want %d", len(dimensions), len(want))
	}
	for i, d := range dimensions {
		if *d != want[i] {
			t.Errorf("dimension %d is %+v, want %+v", i, *d, want[i])
		}
		if p.Dimension(d.Name) != d {
			t.Errorf("Dimension(%q) is another", d.Name)
		}
	}
	if p.Dimension("nothing") != nil {
		t.Error("an unknown dimension is not nil")
	}
	if got := fmt.Sprintf("%q", p.SearchPath()); got != `["public" "app" "Odd Schema"]` {
		t.Errorf("the search path is %s", got)
	}
	p.SearchPath()[0], p.Dimensions()[0] = "changed", nil
	if p.SearchPath()[0] != "public" || p.Dimensions()[0] == nil {
		t.Error("a caller can change the policy")
	}
	if got := fmt.Sprint(load(t, "minimal.yaml").SearchPath()); got != "[public]" {
		t.Errorf("the default search path is %s", got)
	}
}

func TestErrors(t *testing.T) {
	_, err := policy.Parse("some.yaml", []byte("version: 3\ndimensions: {site: {type: bigint}}\nx: 1\n"))
	errs, ok := errors.AsType[policy.Errors](err)
	if !ok || len(errs) != 2 {
		t.Fatalf("got %v", err)
	}
	want := policy.Error{
		File: "some.yaml", Line: 1, Column: 10,
		Message: "version 3 is not supported", Hint: "this version of the library reads version: 1",
	}
	if *errs[0] != want {
		t.Errorf("got %+v, want %+v", *errs[0], want)
	}
	if first, ok := errors.AsType[*policy.Error](err); !ok || first != errs[0] {
		t.Errorf("errors.As finds %v", first)
	}
	if !errors.Is(err, errs[1]) {
		t.Error("errors.Is does not find the second")
	}
	if _, err := policy.Load("no such file"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestHostile(t *testing.T) {
	const head = "version: 1\ndimensions: {site: {type: bigint}}\n"
	for name, c := range map[string]struct{ data, want string }{
		"size":       {strings.Repeat("#", 4<<20+1), "h:1:1: the file is 4194305 bytes long, the most is 4194304"},
		"utf8":       {"version: \xff", "h:1:1: the file is not UTF-8"},
		"flow depth": {strings.Repeat("{a: ", 100_000), "h:1:125: nested more than 32 deep"},
		"list depth": {strings.Repeat("- ", 100_000), "h:1:65: nested more than 32 deep"},
		"bom":        {"\ufeffversion: 2\ndimensions: {site: {type: bigint}}", "h:1:10: version 2 is not supported; this version of the library reads version: 1"},
		"crlf":       {"version: 1\r\ndimensions:\r\n  site: {type: x}\r\n", `h:3:16: "x" is not a dimension's type; the types are smallint, integer, bigint, uuid, text`},
		"characters": {head + "tables: {été: {site: x}, ü: {é: x}}", `h:3:30: unknown dimension "é"; list it under dimensions`},
		"unclosed":   {head + "tables: {a: {site: x}", "h:3:9: this { is never closed"},
		"quote":      {head + "tables: {a: 'x}", "h:3:13: could not find end character of single-quoted text"},
	} {
		_, err := policy.Parse("h", []byte(c.data))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	// A block mapping of many entries must neither recurse nor take quadratic time.
	many := head + "tables:\n" + strings.Repeat("  a:\n", 100_000)
	_, err := policy.Parse("h", []byte(many))
	if errs, _ := errors.AsType[policy.Errors](err); len(errs) != 199_999 {
		t.Errorf("%d errors", len(errs))
	}
}

// TestManyCircles: n tables, each with paths to the next and to the first, have
// n circles that share paths, and lists of paths multiply the ways.
func TestManyCircles(t *testing.T) {
	const n = 20_000
	var circles, ways strings.Builder
	circles.WriteString("version: 1\ndimensions: {site: {type: bigint}}\ntables:\n")
	ways.WriteString(circles.String())
	for i := range n {
		fmt.Fprintf(&circles, "  t%d: {site: [a -> t%d, b -> t0]}\n", i, (i+1)%n)
		fmt.Fprintf(&ways, "  t%d: {site: [a -> t%d, b -> t%d]}\n", i, i+1, i+1)
	}
	fmt.Fprintf(&ways, "  t%d: {site: [a, b]}\n", n)
	for _, c := range []struct {
		data string
		want int
	}{
		{circles.String(), 2}, // t0 to itself, and one of the others
		{ways.String(), 1},
	} {
		_, err := policy.Parse("h", []byte(c.data))
		if errs, _ := errors.AsType[policy.Errors](err); len(errs) != c.want {
			t.Errorf("%d errors, want %d", len(errs), c.want)
		}
	}
}

// big returns a policy of n tables, every second of which has a path.
func big(n int) []byte {
	var b strings.Builder
	b.WriteString("version: 1\ndimensions: {site: {type: bigint}}\ntables:\n")
	for i := range n {
		if i%2 == 0 {
			fmt.Fprintf(&b, "  table_%d: {site: site_id}\n", i)
		} else {
			fmt.Fprintf(&b, "  table_%d: {site: parent_id -> table_%d}\n", i, i-1)
		}
	}
	return []byte(b.String())
}

func TestLargePolicy(t *testing.T) {
	p, err := policy.Parse("big.yaml", big(10_000))
	if err != nil {
		t.Fatal(err)
	}
	if got := describe(p.Table("", "table_9999")); got != "public.table_9999: site=parent_id->public.table_9998(id via site=site_id)" {
		t.Error(got)
	}
}

func TestLongPath(t *testing.T) {
	var b strings.Builder
	b.WriteString("tables:\n  t0: {site: site_id}\n")
	for i := 1; i <= 2000; i++ {
		fmt.Fprintf(&b, "  t%d: {site: parent_id -> t%d}\n", i, i-1)
	}
	steps := 0
	for s := &parse(t, b.String()).Table("", "t2000").Scopings[0]; s.Path != nil; s = s.Path.Via {
		steps++
	}
	if steps != 2000 {
		t.Errorf("%d steps", steps)
	}
}

func TestTableAllocations(t *testing.T) {
	p := load(t, "full.yaml")
	for _, schema := range []string{"", "public"} {
		if n := testing.AllocsPerRun(100, func() { p.Table(schema, "post") }); n != 0 {
			t.Errorf("Table(%q, post) allocates %v times", schema, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { p.FunctionAllowed("", "slugify") }); n != 0 {
		t.Errorf("FunctionAllowed allocates %v times", n)
	}
}

func TestConcurrentUse(t *testing.T) {
	p := load(t, "full.yaml")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				name := fmt.Sprintf("log_%d_%d", i, j)
				if got := p.Table("", name); got.Name != name || got.Scopings[0].Dimension != p.Dimension("site") {
					t.Errorf("%s is %s", name, describe(got))
				}
				p.Table("", "comment")
				p.FunctionAllowed("stats", name)
				p.SearchPath()
			}
		})
	}
	wg.Wait()
}

func BenchmarkParse(b *testing.B) {
	data := big(10_000)
	for b.Loop() {
		if _, err := policy.Parse("big.yaml", data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTable(b *testing.B) {
	p := load(b, "full.yaml")
	for _, name := range []string{"comment", "log_2024"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				p.Table("", name)
			}
		})
	}
}
