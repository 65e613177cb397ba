package rewrite_test

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// An analyser has the server analyse statements, and reads which functions they
// call from the trees that debug_print_parse shows.
type analyser struct {
	*pgx.Conn
	tree  string          // of the last statement
	names map[call]string // and the volatility
}

func newAnalyser(t *testing.T, dsn string) *analyser {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	a := &analyser{names: map[call]string{}}
	maps.Copy(config.RuntimeParams, map[string]string{
		"client_min_messages": "log", "log_min_messages": "panic", "debug_print_parse": "on", "debug_pretty_print": "off",
	})
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if n.Message == "parse tree:" {
			a.tree = n.Detail
		}
	}
	if a.Conn, err = pgx.ConnectConfig(context.Background(), config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(context.Background()) })
	return a
}

// calls returns what a statement calls, and how often.
func (a *analyser) calls(t *testing.T, sql string) map[call]int {
	t.Helper()
	if _, err := a.Prepare(context.Background(), "", sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	found := map[call]int{}
	parser := treeParser{tokens: token.FindAllString(a.tree, -1)}
	parser.value().calls(found)
	return found
}

// A call is of an operator, a function, or the output or input function of a type,
// by OID; or it is a node of the tree, by name.
type call struct{ kind, of string }

// callees are queries for the function behind each kind of call, and its volatility.
var callees = map[string]string{
	"operator": "SELECT concat_ws(' ', p.proname, p.provolatile) FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode WHERE o.oid = $1",
	"function": "SELECT concat_ws(' ', proname, provolatile) FROM pg_proc WHERE oid = $1",
	"output":   "SELECT concat_ws(' ', p.proname, p.provolatile) FROM pg_type t JOIN pg_proc p ON p.oid = t.typoutput WHERE t.oid = $1",
	"input":    "SELECT concat_ws(' ', p.proname, p.provolatile) FROM pg_type t JOIN pg_proc p ON p.oid = t.typinput WHERE t.oid = $1",
}

// A tree is a node of the server's tree, a list, or a word.
type tree struct {
	kind   string // of a node, or the word
	fields map[string][]tree
	items  []tree // of a list
}

var token = regexp.MustCompile(`(?:\\.|[^\\ \n{}()])+|[{}()]`)

type treeParser struct{ tokens []string }

func (p *treeParser) next() string {
	word := p.tokens[0]
	p.tokens = p.tokens[1:]
	return word
}

func (p *treeParser) value() (n tree) {
	switch word := p.next(); word {
	case "{":
		n.kind, n.fields = p.next(), map[string][]tree{}
		for name := ""; p.tokens[0] != "}"; {
			if strings.HasPrefix(p.tokens[0], ":") {
				name = p.next()[1:]
			} else {
				n.fields[name] = append(n.fields[name], p.value())
			}
		}
		p.next()
	case "(":
		for p.tokens[0] != ")" {
			n.items = append(n.items, p.value())
		}
		p.next()
	default:
		n.kind = word
	}
	return n
}

func (n tree) field(name string) tree {
	if values := n.fields[name]; len(values) > 0 {
		return values[0]
	}
	return tree{}
}

// resultType returns the OID of an expression's type, empty where it is not known.
func (n tree) resultType() string {
	if n.kind == "SUBLINK" {
		return n.field("subselect").field("targetList").items[0].field("expr").resultType()
	}
	for _, name := range []string{"vartype", "consttype", "paramtype", "opresulttype", "funcresulttype", "resulttype", "coalescetype", "casetype"} {
		if oid := n.field(name).kind; oid != "" {
			return oid
		}
	}
	return ""
}

func (n tree) calls(found map[call]int) {
	for name, kind := range map[string]string{"opno": "operator", "eqop": "operator", "sortop": "operator", "funcid": "function", "aggfnoid": "function", "winfnoid": "function"} {
		if oid := n.field(name).kind; oid != "" && oid != "0" {
			found[call{kind, oid}]++
		}
	}
	if n.kind == "COERCEVIAIO" {
		found[call{"output", n.field("arg").resultType()}]++
		found[call{"input", n.field("resulttype").kind}]++
	}
	if n.fields != nil {
		found[call{"node", n.kind}]++
	}
	for _, values := range n.fields {
		for _, v := range values {
			v.calls(found)
		}
	}
	for _, item := range n.items {
		item.calls(found)
	}
}

// harmlessNodes call nothing but what calls finds of them.
var harmlessNodes = strings.Fields(`OPEXPR SCALARARRAYOPEXPR FUNCEXPR COERCEVIAIO RELABELTYPE ARRAYCOERCEEXPR CASETESTEXPR
	VAR CONST PARAM BOOLEXPR NULLTEST CASE CASEEXPR WHEN CASEWHEN COALESCE COALESCEEXPR ARRAYEXPR ARRAY SUBLINK
	QUERY TARGETENTRY FROMEXPR JOINEXPR RANGETBLREF RTE RANGETBLENTRY ALIAS RTEPERMISSIONINFO ROWMARKCLAUSE SORTGROUPCLAUSE`)

// inserted returns what a rewrite calls and the user's own statement does not, as
// names with their volatility, and the nodes that may call what is not known here.
func (a *analyser) inserted(t *testing.T, original, rewritten string) (names []string) {
	t.Helper()
	own := a.calls(t, original)
	for c, n := range a.calls(t, rewritten) {
		switch {
		case n <= own[c] || c.kind == "node" && slices.Contains(harmlessNodes, c.of):
		case c.kind == "node":
			names = append(names, "node "+c.of)
		default:
			names = append(names, a.name(t, c))
		}
	}
	return names
}

// name returns the name of the function behind a call, and its volatility.
func (a *analyser) name(t *testing.T, c call) string {
	t.Helper()
	name, ok := a.names[c]
	if !ok {
		if err := a.QueryRow(context.Background(), callees[c.kind], pgx.QueryExecModeSimpleProtocol, c.of).Scan(&name); err != nil {
			t.Fatalf("%v: %v", c, err)
		}
		a.names[c] = name
	}
	return name
}

// wantImmutable fails the test unless all that a rewrite inserts is immutable.
func (a *analyser) wantImmutable(t *testing.T, original, rewritten string) (names []string) {
	t.Helper()
	names = a.inserted(t, original, rewritten)
	for _, name := range names {
		if !strings.HasSuffix(name, " i") {
			t.Errorf("%s calls %s", rewritten, name)
		}
	}
	return names
}

// Guards, fills, checks, gates and fences call only what is immutable: the server
// prunes partitions by nothing else as it plans, and sends nothing else to another
// server, and Citus refuses the rest. So are the casts with which a check fails,
// though only a row outside the scope comes to them.
func TestInsertionsAreImmutable(t *testing.T) {
	p := goldenPolicy(t)
	a := newAnalyser(t, pgtest.DSN(t, script(t, "schema.sql")))
	seen := map[string]bool{}
	for _, file := range goldenFiles(t) {
		cases, _ := readGoldens(t, file)
		for _, g := range cases {
			if !g.runsOn(a.Conn) {
				continue
			}
			shape, _ := shapeOf(t, p, g.scope)
			r, err := g.rewriter(t, p).Rewrite(g.sql, shape)
			if err != nil || r.Literal {
				continue
			}
			t.Run(g.file+"/"+g.name, func(t *testing.T) {
				for _, name := range a.wantImmutable(t, g.sql, r.SQL) {
					seen[name] = true
				}
			})
		}
	}
	for _, name := range []string{"int8eq i", "textcat i", "tidout i", "int4in i", "boolin i"} {
		if !seen[name] {
			t.Errorf("nothing calls %s", name)
		}
	}

	// What is not immutable is found.
	for sql, want := range map[string]string{
		"SELECT 'x' || ctid FROM post":      "textanycat s",
		"SELECT random() FROM post":         "random v",
		"SELECT current_user FROM post":     "node SQLVALUEFUNCTION",
		"SELECT created_at::text FROM post": "timestamptz_out s",
	} {
		if got := a.inserted(t, "SELECT id FROM post", sql); !slices.Contains(got, want) {
			t.Errorf("%s: got %q, want %s among them", sql, got, want)
		}
	}
}

// The column of a dimension may have any type that is compared with its own.
func TestInsertionsOfEveryTypeAreImmutable(t *testing.T) {
	a := newAnalyser(t, pgtest.DSN(t))
	for i, types := range []struct{ dimension, column string }{
		{"smallint", "smallint"}, {"smallint", "bigint"}, {"integer", "smallint"}, {"integer", "integer"}, {"integer", "bigint"},
		{"bigint", "integer"}, {"bigint", "bigint"}, {"bigint", "numeric"}, {"uuid", "uuid"},
		{"text", "text"}, {"text", "varchar(9)"}, {"text", "char(9)"}, {"text", "name"},
	} {
		t.Run(types.dimension+" "+types.column, func(t *testing.T) {
			p, err := policy.Parse("types.yaml", []byte(fmt.Sprintf(`{version: 1, dimensions: {tenant: {type: %s}}, search_path: [schema_%d],
				tables: {parent: {tenant: tenant}, child: {tenant: parent_id -> parent}, shown: {tenant: tenant, view: true}}}`, types.dimension, i)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.PgConn().Exec(t.Context(), fmt.Sprintf(`CREATE SCHEMA schema_%d; SET search_path = schema_%[1]d;
				CREATE TABLE parent (id bigint PRIMARY KEY, tenant %s);
				CREATE TABLE child (id bigint PRIMARY KEY, parent_id bigint); CREATE VIEW shown AS SELECT * FROM parent`, i, types.column)).ReadAll(); err != nil {
				t.Fatal(err)
			}
			one := rewrite.Shape(0).With(p.Dimension("tenant"), rewrite.One)
			many := rewrite.Shape(0).With(p.Dimension("tenant"), rewrite.Many)
			for sql, shape := range map[string]rewrite.Shape{
				"SELECT id FROM parent":                            one,
				"SELECT id FROM child":                             many,
				"DELETE FROM parent":                               many,
				"INSERT INTO parent (id) VALUES (1)":               one,
				"INSERT INTO parent (id, tenant) VALUES (1, NULL)": many,
				"UPDATE parent SET tenant = NULL":                  one,
				"UPDATE child SET parent_id = 1":                   one,
				"UPDATE shown SET id = 1":                          one,
				"WITH w AS (UPDATE parent SET tenant = NULL RETURNING id) SELECT id FROM w": one,
			} {
				r, err := rewrite.New(sql, p, shape)
				if err != nil {
					t.Fatal(err)
				}
				a.wantImmutable(t, sql, r.SQL)
			}
		})
	}
}
