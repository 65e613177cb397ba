package builtin_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/rewrite/builtin"
)

func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(ctx) })
	return conn
}

func column(t *testing.T, conn *pgx.Conn, sql string, args ...any) []string {
	t.Helper()
	rows, err := conn.Query(context.Background(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if len(values) == 0 {
		t.Fatalf("no rows: %s", sql)
	}
	return values
}

// isNewer reports whether the server's release came after the one of its major
// version that the lists were made from.
func isNewer(t *testing.T, conn *pgx.Conn) bool {
	t.Helper()
	text, err := os.ReadFile("functions.txt")
	if err != nil {
		t.Fatal(err)
	}
	server, _ := strconv.Atoi(column(t, conn, "SELECT current_setting('server_version_num')")[0])
	for _, version := range regexp.MustCompile(`(\d+)\.(\d+)[,.]`).FindAllStringSubmatch(strings.SplitN(string(text), "\n", 3)[1], -1) {
		major, _ := strconv.Atoi(version[1])
		minor, _ := strconv.Atoi(version[2])
		if major == server/10000 {
			return server%10000 > minor
		}
	}
	t.Fatalf("the lists know nothing of version %d", server)
	return false
}

// TestEverythingIsDecided fails on a server that has a function, relation or
// setting nobody has reviewed. On a release that is newer than the lists it says
// what they lack, which is refused until someone decides it.
func TestEverythingIsDecided(t *testing.T) {
	conn := connect(t)
	report := t.Errorf
	if isNewer(t, conn) {
		report = t.Logf
	}
	for _, c := range []struct {
		files []string
		sql   string
	}{
		{
			[]string{"functions.txt", "functions_denied.txt"},
			`SELECT DISTINCT proname::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind <> 'p'`,
		}, {
			[]string{"relations.txt", "relations_denied.txt"},
			`SELECT CASE n.nspname WHEN 'pg_catalog' THEN '' ELSE n.nspname || '.' END || c.relname
			FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
			WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind NOT IN ('i', 'I', 't', 'c')`,
		}, {
			[]string{"settings.txt", "settings_shown.txt", "settings_denied.txt"},
			`SELECT lower(name) FROM pg_settings WHERE name NOT LIKE '%.%'`,
		},
	} {
		decided := map[string]bool{}
		for _, file := range c.files {
			for _, name := range read(t, file).names {
				decided[name] = true
			}
		}
		for _, name := range column(t, conn, c.sql) {
			if !decided[name] {
				report("%s is in none of %s", name, strings.Join(c.files, ", "))
			}
		}
	}
}

// TestOperatorsAndCasts: operators and casts are accepted without a look at the
// functions behind them, so none of these may be denied for what it does.
func TestOperatorsAndCasts(t *testing.T) {
	denied := read(t, "functions_denied.txt")
	for _, name := range column(t, connect(t), `
		SELECT proname::text FROM pg_proc AS p WHERE pronamespace = 'pg_catalog'::regnamespace
		AND (p.oid IN (SELECT oprcode FROM pg_operator) OR p.oid IN (SELECT castfunc FROM pg_cast))`) {
		switch reason := denied.reasons[name]; {
		case builtin.Function(name),
			strings.HasPrefix(reason, "implements an operator"),
			strings.HasPrefix(reason, "serves an index"),
			strings.HasPrefix(reason, "privileges as values"),
			strings.HasPrefix(reason, "internal or obsolete"):
		default:
			t.Errorf("an operator or a cast runs %s, denied because: %s", name, reason)
		}
	}
}

// samples are values at the edges of the types that total functions take.
var samples = map[string][]string{
	"text":                        {"''", "'a'", "' ẞß\U0001F600 '", "repeat('İ', 100000)"},
	"character":                   {"''", "' a '"},
	"bytea":                       {`''`, `'\xff00'`},
	"bit":                         {"''", "B'101'"},
	"smallint":                    {"-32768", "0", "32767"},
	"integer":                     {"-2147483648", "-1", "0", "1", "2147483647"},
	"bigint":                      {"-9223372036854775808", "0", "9223372036854775807"},
	"numeric":                     {"'NaN'", "'Infinity'", "'-Infinity'", "0.000", "1e131071", "1e-16383"},
	"double precision":            {"'NaN'", "'-Infinity'", "0", "1.7976931348623157e308", "5e-324"},
	"date":                        {"'infinity'", "'-infinity'", "'4714-11-24 BC'", "'5874897-12-31'"},
	"interval":                    {"'0'", "'-178000000 years'", "'178000000 years'"},
	"timestamp without time zone": {"'infinity'", "'4714-11-24 00:00:00 BC'", "'294276-12-31 23:59:59'"},
	"timestamp with time zone":    {"'-infinity'", "'294276-12-31 23:59:59Z'"},
	"inet":                        {"'0.0.0.0/0'", "'255.255.255.255'", "'::/0'", "'ffff::1/128'"},
	"jsonb":                       {"'null'", "'1'", `'"a"'`, "'[]'", "'{}'", "'true'"},
	"uuid":                        {"'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"},
	"anyarray":                    {"'{}'::int[]", "'{1,NULL}'::int[]", "'{{1},{2}}'::int[]", "'[-5:-4]={1,2}'::int[]"},
	"anyrange":                    {"'empty'::int4range", "'(,)'::int4range", "'[1,2)'::int4range"},
	"anymultirange":               {"'{}'::int4multirange", "'{(,)}'::int4multirange", "'{[1,2),[5,6)}'::int4multirange"},
	"\"any\"":                     {"1", "'a'::text", "ROW(1, NULL)", "'{}'::int[]", "'[]'::json"},
	"anyelement":                  {"1", "true"},
}

// TestTotal calls every overload of every total function with values at the
// edges of its types, and expects no error.
func TestTotal(t *testing.T) {
	conn := connect(t)
	ctx := context.Background()
	names := read(t, "functions_total.txt").names
	rows, err := conn.Query(ctx, `
		SELECT p.oid::regprocedure::text, p.proname::text,
			ARRAY(SELECT format_type(a, NULL) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS t(a, n) ORDER BY n)
		FROM pg_proc AS p
		WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY($1) AND prokind = 'f'`, names)
	if err != nil {
		t.Fatal(err)
	}
	type overload struct {
		Signature, Name string
		Types           []string
	}
	overloads, err := pgx.CollectRows(rows, pgx.RowToStructByPos[overload])
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, o := range overloads {
		arguments := []string{""}
		for _, typ := range o.Types {
			values := samples[typ]
			if values == nil {
				t.Errorf("%s: no samples of %s", o.Signature, typ)
			}
			var next []string
			for _, head := range arguments {
				if head != "" {
					head += ", "
				}
				for _, value := range values {
					if !strings.HasPrefix(strings.Trim(typ, `"`), "any") {
						value = fmt.Sprintf("(%s)::%s", value, typ)
					}
					next = append(next, head+value)
				}
			}
			arguments = next
		}
		for _, argument := range arguments {
			calls++
			sql := fmt.Sprintf("SELECT count(pg_catalog.%s(%s))", o.Name, argument)
			if _, err := conn.Exec(ctx, sql); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
	if len(overloads) < len(names)/2 || !slices.ContainsFunc(overloads, func(o overload) bool { return o.Name == "lower" }) {
		t.Errorf("%d overloads of %d names", len(overloads), len(names))
	}
	t.Logf("%d overloads, %d calls", len(overloads), calls)
}

func TestTypesOfServer(t *testing.T) {
	conn := connect(t)
	for _, name := range column(t, conn, `SELECT typname::text FROM pg_type t
		WHERE typnamespace = 'pg_catalog'::regnamespace
		AND (typtype <> 'c' OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind IN ('r', 'v')))`) {
		if !builtin.IsType(name) && !isNewer(t, conn) {
			t.Errorf("the type %s is not listed", name)
		}
	}
	for _, name := range []string{"post", "invoice_status", "types"} {
		if builtin.IsType(name) {
			t.Errorf("%s is listed", name)
		}
	}
}
