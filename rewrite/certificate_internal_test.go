package rewrite

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// A seededBug changes one edit of a correct plan as a bug of the editor might.
// It returns what stands in the edit's place, or nil where it does not apply.
type seededBug struct {
	name string
	seed func(p *plan, i int) []edits
}

// A plan is a correct rewrite before its edits are made.
type plan struct {
	source *source
	edits  edits
}

func (p *plan) with(i int, changed ...edit) edits {
	return append(append(append(edits{}, p.edits[:i]...), changed...), p.edits[i+1:]...)
}

// texts seeds a bug that changes the text of an edit.
func texts(change func(text string) []string) func(*plan, int) []edits {
	return func(p *plan, i int) (seeded []edits) {
		for _, text := range change(p.edits[i].text) {
			if text != p.edits[i].text {
				x := p.edits[i]
				x.text = text
				seeded = append(seeded, p.with(i, x))
			}
		}
		return seeded
	}
}

func replaced(pattern string, by ...string) func(*plan, int) []edits {
	re := regexp.MustCompile(pattern)
	return texts(func(text string) (changed []string) {
		for _, b := range by {
			changed = append(changed, re.ReplaceAllString(text, b))
			if loc := re.FindStringIndex(text); loc != nil { // and the first alone
				changed = append(changed, text[:loc[0]]+re.ReplaceAllString(text[loc[0]:loc[1]], b)+text[loc[1]:])
			}
		}
		return changed
	})
}

func onlyIn(part string, seed func(*plan, int) []edits) func(*plan, int) []edits {
	return func(p *plan, i int) []edits {
		if !strings.Contains(p.edits[i].text, part) {
			return nil
		}
		return seed(p, i)
	}
}

var seededBugs = []seededBug{
	{"an insertion is forgotten", func(p *plan, i int) []edits { return []edits{p.with(i)} }},
	{"an insertion is made twice", func(p *plan, i int) []edits { return []edits{p.with(i, p.edits[i], p.edits[i])} }},
	{"an insertion stands elsewhere", func(p *plan, i int) (seeded []edits) {
		for _, t := range p.source.tokens {
			for _, offset := range []int32{t.Start, t.End} {
				x := p.edits[i]
				x.offset = int(offset)
				if x.offset != p.edits[i].offset && x.deleted == 0 {
					seeded = append(seeded, append(p.with(i), x).sorted(p.source.text))
				}
			}
		}
		return seeded
	}},
	{"two insertions are exchanged", func(p *plan, i int) (seeded []edits) {
		for j := range p.edits[:i] {
			changed := slices.Clone(p.edits)
			changed[i].text, changed[j].text = changed[j].text, changed[i].text
			seeded = append(seeded, changed)
		}
		return seeded
	}},
	{"a byte of the user's is overwritten", func(p *plan, i int) (seeded []edits) {
		for offset := range p.source.text {
			seeded = append(seeded, append(slices.Clone(p.edits), edit{offset: offset, deleted: 1, text: " "}).sorted(p.source.text))
		}
		return seeded
	}},
	{"the guard is left out with its join", func(p *plan, i int) (seeded []edits) {
		for j := i - 1; j >= 0 && joinedGuard.MatchString(p.edits[i].text); j-- {
			if p.edits[j].text == "(" {
				seeded = append(seeded, append(append(slices.Clone(p.edits[:j]), p.edits[j+1:i]...), p.edits[i+1:]...))
			}
		}
		return seeded
	}},
	{"the guard is true", replaced(` ON .*\)$`, " ON true)")},
	{"the guard is on another alias", replaced(`\b\w+(\.(site_id|post_id|user_id|comment_id|sender_id|recipient_id|from_post|to_comment|id) (=|IN))`, "other$1", "p$1", "post$1", "excluded$1")},
	{"the guard is on another column", replaced(`\.(site_id|post_id|user_id|comment_id|sender_id|recipient_id|from_post|to_comment) (=|IN)`, ".id $2", ".views $2", ".sender_id $2")},
	{"the guard compares otherwise", replaced(` = (\$|ANY)`, " <> $1", " >= $1", " IS NOT DISTINCT FROM $1")},
	{"an alternative is lost", replaced(`( OR |\()((\w+\.\w+ = (\$\d+::bigint|ANY\(\$\d+::bigint\[\]\))|EXISTS \(SELECT FROM [^()]*\)) OR )`, "$1", "${1}false OR ")},
	{"the last alternative is lost", replaced(` OR (\w+\.\w+ = (\$\d+::bigint|ANY\(\$\d+::bigint\[\]\))|EXISTS \(SELECT FROM [^()]*\))\)`, ")", " OR false)")},
	{"alternatives are joined by AND", replaced(` OR (\w+\.\w+ (=|IN))`, " AND $1", " = $1", " OR NOT $1")},
	{"an alternative is too many", replaced(` OR (\w+\.)(\w+)`, " OR true OR $1$2", " OR ${1}id = $$1::bigint OR $1$2", " OR $1$2 IS NULL OR $1$2")},
	{"an alternative is another's twice", replaced(`(\w+\.\w+)( = (?:\$\d+::bigint|ANY\(\$\d+::bigint\[\]\))) OR \w+\.\w+`, "$1$2 OR $1", "$1$2 OR $1$2 OR $1")},
	{"the alternatives have no parenthesis", replaced(`\((\w+\.\w+ = (?:\$\d+::bigint|ANY\(\$\d+::bigint\[\]\)) OR (?:[^()]|\([^()]*\))*)\)`, "$1")},
	{"the guard is one of two", replaced(` AND (b\.|bookmark\.)\w+ (=|IN).*?(::bigint\)?)`, "")},
	{"guards are joined by OR", replaced(` AND (\w+\.)`, " OR $1")},
	{"the parameter is the user's", replaced(`\$\d+`, "$$1", "$$0")},
	{"the parameter is another's", replaced(`\$\d+`, "$$2", "$$3", "$$9", "$$65536")},
	{"the value is a literal", replaced(`\$\d+::bigint`, "1", "2", "NULL", "'1'", "site_id")},
	{"the cast is to another type", replaced(`::bigint`, "::int", "::text", "")},
	{"the path of a check has no condition", replaced(` AND scoped\d*_\d+\.site_id (=|IN)[^)]*\)?\)`, ")")},
	{"the path of a check leads elsewhere", replaced(`WHERE (scoped\d*_\d+)\.id = \w+\.`, "WHERE $1.site_id = post.", "WHERE $1.id = $1.", "WHERE true OR $1.id = comment.")},
	{"the path of a check is turned round", replaced(`EXISTS \(SELECT`, "NOT EXISTS (SELECT", "EXISTS (SELECT 1 UNION SELECT")},
	{"the path has no condition", replaced(` WHERE scoped\w*\.\w+ (=|IN) .*`, ")")},
	{"the path reads another table", replaced(`FROM public\.\w+ AS`, "FROM public.site AS", "FROM public.comment AS", "FROM post AS", "FROM other.post AS")},
	{"the path yields another column", replaced(`\(SELECT (scoped\w+)\.id`, "(SELECT $1.site_id", "(SELECT $1.post_id", "(SELECT 1")},
	{"the path is turned round", replaced(` IN \(SELECT`, " NOT IN (SELECT", " = ANY (SELECT 1 UNION SELECT")},
	{"the path is unbounded", replaced(` WHERE (scoped\w+\.)`, " WHERE true OR $1")},
	{"the path takes the user's alias", replaced(`scoped\w*?_\d+\.`, "p.", "post.")},
	{"the join keeps all rows", replaced(` JOIN \(SELECT\)`, " LEFT JOIN (SELECT)", " FULL JOIN (SELECT)", " NATURAL JOIN (SELECT)")},
	{"the joined row has columns", replaced(`JOIN \(SELECT\)`, "JOIN (SELECT 1 AS id)", "JOIN (SELECT FROM public.site)", "JOIN (SELECT LIMIT 0)")},
	{"the joined row has the user's alias", replaced(`\(SELECT\) AS \w+`, "(SELECT) AS p", "(SELECT) AS post", "(SELECT)")},
	{"the schema is another", replaced(`public\.`, "other.", "pg_temp.", "")},
	{"the condition is joined by OR", replaced(`\) AND \($`, ") OR (", ") OR true AND (", ") AND NOT (", ") AND true OR (")},
	{"the condition has no parenthesis", func(p *plan, i int) (seeded []edits) {
		for j := range p.edits {
			if strings.HasSuffix(p.edits[i].text, ") AND (") && p.edits[j].text == ")" {
				changed := slices.Clone(p.edits)
				changed[i].text = strings.TrimSuffix(changed[i].text, "(")
				changed[j].text = ""
				seeded = append(seeded, changed)
			}
		}
		return seeded
	}},
	{"the check passes what it should not", onlyIn("CASE WHEN", replaced(`THEN NULL ELSE`, "THEN NULL WHEN true THEN NULL ELSE"))},
	{"the check has its arms exchanged", replaced(`THEN NULL ELSE (.*) END`, "THEN $1 ELSE NULL END")},
	{"the check does not fail", replaced(`\)::(int|bool) END`, ")::text END", ") END")},
	{"the check is on no row", replaced(`\|\| (\w+)\.ctid::text`, "|| 'x'", "|| other.ctid::text", "|| excluded.ctid::text")},
	{"the check is on another predicate", onlyIn("CASE WHEN", replaced(`CASE WHEN \S+ (=|IN)`, "CASE WHEN true OR post.id $1", "CASE WHEN 1 $1"))},
	{"the conflict's condition is lost", onlyIn("::bool END", replaced(`.*`, ""))},
	{"the conflict's other row passes", replaced(`ELSE \('scoped.*\)::bool END`, "ELSE true END", "ELSE false END", "END")},
	{"a column is filled that is another", replaced(`^, site_id$`, ", id", ", title", ", site_id, site_id")},
	{"MERGE has no guard", replaced(`^\(.*\) AND \($`, "(", "(true) AND (", "(true OR ")},
	{"MERGE checks another value", replaced(`CASE WHEN \(+[^()]+\)`, "CASE WHEN (1)", "CASE WHEN ((s.id)", "CASE WHEN (site_id)", "CASE WHEN (p.site_id)")},
	{"MERGE checks nothing", replaced(`CASE WHEN [^C]+ THEN true ELSE \(SELECT`, "CASE WHEN true THEN true ELSE (SELECT", "CASE WHEN NULL THEN true WHEN true THEN true ELSE (SELECT")},
	{"MERGE checks and passes", replaced(`\(SELECT 'scoped[^']*'\)::bool`, "true", "false", "NULL", "(SELECT 'true')::bool", "'scoped'::bool")},
	{"MERGE names another table", replaced(`scoped-pgx:\w+\.\w+`, "scoped-pgx:public.other", "scoped-pgx:")},
	{"MERGE compares in another type", replaced(`\)::(bigint|text)\b`, ")", ")::float8", ")::int")},
	{"MERGE compares no text", replaced(`\(\((.*?)\), \(.*?\)::text\) IN \(SELECT (\w+\.\w+), \w+\.\w+::text`, "($1) IN (SELECT $2")},
	{"MERGE checks one of two", replaced(`(CASE WHEN .*\)) AND \(.* THEN true`, "$1 THEN true")},
	{"MERGE checks or does as the condition says", func(p *plan, i int) (seeded []edits) {
		for j := range p.edits[i:] {
			before, behind := p.edits[i].text, p.edits[i+j].text
			if strings.TrimSpace(before) == "CASE WHEN (" && strings.HasPrefix(behind, ") THEN CASE") {
				changed := slices.Clone(p.edits)
				check := strings.TrimSuffix(strings.TrimPrefix(behind, ") THEN "), " END")
				changed[i].text, changed[i+j].text = " (", ") OR "+check
				seeded = append(seeded, slices.Clone(changed))
				changed[i].text, changed[i+j].text = " CASE WHEN (", ") THEN true ELSE "+check+" END"
				seeded = append(seeded, slices.Clone(changed))
				changed[i].text, changed[i+j].text = " (", ")"
				seeded = append(seeded, changed)
				break
			}
		}
		return seeded
	}},
	{"MERGE checks another value than it writes", replaced(`\((scoped_\d+)\.(column1|scoped_\d+)\)::`, "($1.other)::", "(1)::", "(p.$2)::")},
	{"MERGE writes another value than it checks", replaced(`SELECT (scoped_\d+)\.(column1|\*) FROM`, "SELECT 2 FROM", "SELECT p.id FROM", "SELECT $1.$2, 1 FROM")},
	{"MERGE writes NULL where there is no row", replaced(`LEFT JOIN`, "JOIN", "RIGHT JOIN", "CROSS JOIN")},
	{"MERGE checks where there is no row", replaced(`\) AS (scoped_\d+) WHERE CASE`, ") AS $1 WHERE false AND CASE", ") AS $1 WHERE true OR CASE", ") AS $1 LIMIT 0 WHERE CASE")},
	{"MERGE checks one row of several", replaced(`\(VALUES \(`, "(VALUES (1), (", "(SELECT (")},
	{"MERGE exchanges columns", replaced(`\((scoped_\d+), (scoped_\d+)\)`, "($2, $1)", "($1, $1)", "($2)")},
	{"MERGE writes to other columns", replaced(`^ \(id, (site_id|post_id)`, " ($1, id", " (id, id", " (id")},
	{"MERGE does not fill a column", func(p *plan, i int) (seeded []edits) {
		for j := range p.edits[:i] {
			if !strings.Contains(p.source.text, "MERGE") { // elsewhere a check can stand in for it
				break
			}
			if strings.HasPrefix(p.edits[i].text, ", $") && strings.HasPrefix(p.edits[j].text, ", ") {
				seeded = append(seeded, append(append(slices.Clone(p.edits[:j]), p.edits[j+1:i]...), p.edits[i+1:]...))
			}
		}
		return seeded
	}},
	{"a star loses a column", replaced(`, (\w+|"[^"]+")\.(\w+|"[^"]+")(,|$)`, "$3")},
	{"a star has its columns in another order", replaced(`, (\w+\.\w+), (\w+\.\w+)`, ", $2, $1")},
	{"a star has a column twice", replaced(`, (\w+\.\w+),`, ", $1, $1,")},
	{"a star has another table's column", replaced(`, \w+\.(\w+)(,|$)`, ", p.$1$2", ", s.$1$2", ", excluded.$1$2", ", other.$1$2")},
	{"a star has another column", replaced(`, (\w+)\.\w+(,|$)`, ", $1.ctid$2", ", $1.id$2", ", $1.*$2", ", NULL$2")},
	{"a star renames a column", replaced(`END AS \w+,`, "END AS x,", "END,")},
	{"a star lacks another table's", replaced(`, \w+\.\*`, "", ", *")},
	{"a leading column is lost or another", replaced(`^ \(id, `, " (", " (title, ", " (id, title, ", " (site_id, ")},
	{"a second statement follows", func(p *plan, i int) []edits {
		return []edits{append(slices.Clone(p.edits), edit{offset: len(p.source.text), text: "; DELETE FROM public.post"})}
	}},
	{"a semicolon divides the statement", texts(func(text string) []string { return []string{text + ";", ";" + text, text + "; SELECT "} })},
	{"a comment swallows the rest", texts(func(text string) []string { return []string{text + " --", text + "/*", "-- " + text} })},
	{"a union follows", func(p *plan, i int) []edits {
		return []edits{append(slices.Clone(p.edits), edit{offset: len(p.source.text), text: " UNION ALL SELECT * FROM public.post"})}
	}},
}

var (
	thorough = flag.Bool("thorough", false, "seed every bug at every place")
	anyAlias = regexp.MustCompile(`scoped\d*_\d+`)

	joinedGuard = regexp.MustCompile(`(?s)^ JOIN \(SELECT\) AS \w+ ON .*\)$`)
)

// TestCertificateRefusesSeededBugs makes each bug in the plan of each golden case
// to which it applies, and demands that the certificate refuses what comes of it.
// A change that the parser does not see, such as one inside white space, is none.
func TestCertificateRefusesSeededBugs(t *testing.T) {
	p, err := policy.Load("../testdata/rewrite/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	both := Shape(0).With(p.Dimension("site"), One).With(p.Dimension("user"), One)
	many := Shape(0).With(p.Dimension("site"), Many).With(p.Dimension("user"), Many)
	applied := make(map[string]int)
	n := [2]map[string]int{{}, {}}
	known, err := catalog.Load("../testdata/rewrite/catalog.json")
	if err != nil {
		t.Fatal(err)
	}
	type run struct {
		shape   Shape
		catalog Catalog
	}
	for _, sql := range goldenStatements(t) {
		without := make(map[Shape]string)
		for _, run := range []run{{both, nil}, {many, nil}, {both, known}, {many, known}} {
			shape := run.shape
			correct, err := Rewriter{Policy: p, Catalog: run.catalog}.Rewrite(sql, shape)
			if err != nil || len(correct.edits) == 0 || without[shape] == correct.SQL {
				continue
			}
			without[shape] = correct.SQL
			want, err := pgparse.Parse(withoutFences(correct.SQL))
			if err != nil {
				t.Fatal(err)
			}
			s, _, _ := parse(sql)
			plan := &plan{source: s, edits: correct.edits}
			for _, bug := range seededBugs {
				for i := range plan.edits {
					if plan.edits[i].orders {
						continue // the certificate proves that it changes no row, not that it stands where it must
					}
					if strings.HasPrefix(bug.name, "a byte") && i > 0 {
						break
					}
					for _, seeded := range bug.seed(plan, i) {
						if overlap(seeded) {
							continue
						}
						wrong := *correct
						wrong.SQL, wrong.edits = seeded.apply(sql), seeded
						if anyAlias.ReplaceAllString(wrong.SQL, "") == anyAlias.ReplaceAllString(correct.SQL, "") {
							continue // only the numbers of aliases are exchanged
						}
						counter := &n[min(1, len(want)-1)] // of one statement, or of several
						if (*counter)[bug.name]++; !*thorough && (*counter)[bug.name] > 100 && (*counter)[bug.name]%40 != 0 {
							continue
						}
						got, err := pgparse.Parse(withoutFences(wrong.SQL))
						if err == nil && sameStatements(got, want) {
							continue
						}
						applied[bug.name]++
						s, original, err := parse(sql)
						if err != nil {
							t.Fatal(err)
						}
						if err := certify(&wrong, s, original, p, run.catalog, shape); err == nil {
							t.Errorf("%s\n%s\nis certified as\n%s", bug.name, sql, wrong.SQL)
						}
					}
				}
			}
		}
	}
	total := 0
	for _, bug := range seededBugs {
		if applied[bug.name] == 0 {
			t.Errorf("no golden case shows the bug %q", bug.name)
		}
		total += applied[bug.name]
	}
	t.Logf("%d kinds of bugs, %d of them in several statements, %d seeded", len(seededBugs), len(n[1]), total)
	if len(n[1]) < 40 {
		t.Errorf("only %d kinds of bugs apply to several statements in one string", len(n[1]))
	}
}

func sameStatements(a, b []*pgparse.RawStmt) bool {
	return slices.EqualFunc(a, b, func(a, b *pgparse.RawStmt) bool { return pgparse.Equal(a.Stmt, b.Stmt) })
}

// withoutFences returns sql without what only orders its evaluation.
func withoutFences(sql string) string { return strings.ReplaceAll(sql, " OFFSET 0", "") }

// overlap reports whether edits cannot be made because one lies in what another
// deletes.
func overlap(e edits) bool {
	if len(e) == 0 {
		return false
	}
	for i := range e[:len(e)-1] {
		if e[i].offset+e[i].deleted > e[i+1].offset {
			return true
		}
	}
	return false
}

// goldenStatements returns the user's SQL of every golden case.
func goldenStatements(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../testdata/rewrite/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	var statements []string
	block := regexp.MustCompile("(?s)## [^\n]*\n.*?```sql\n(.*?)\n```")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range block.FindAllStringSubmatch(string(data), -1) {
			statements = append(statements, m[1])
		}
	}
	return statements
}
