package draft

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
)

// A function is one of the application's that statements could call.
type function struct {
	schema, name string
	arguments    string
	language     string
	volatility   string
	definer      bool   // it runs with its owner's rights
	text         string // in its language
	reads        []*catalog.Table
	calls        []string
}

// readFunctions reads the functions outside the system's schemas and extensions.
// Procedures and trigger functions cannot be called by a query.
func (db *Database) readFunctions(ctx context.Context, tx pgx.Tx) error {
	var f function
	var volatility string
	var reads [][]string
	return each(ctx, tx, `
SELECT n.nspname, p.proname, pg_get_function_identity_arguments(p.oid),
  CASE p.prokind WHEN 'a' THEN 'aggregate' ELSE l.lanname END, p.provolatile::text, p.prosecdef,
  CASE WHEN p.prokind = 'f' THEN p.prosrc ELSE '' END,
  ARRAY(SELECT DISTINCT ARRAY[rn.nspname::text, c.relname::text]
    FROM pg_depend d JOIN pg_class c ON c.oid = d.refobjid JOIN pg_namespace rn ON rn.oid = c.relnamespace
    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_class'::regclass),
  ARRAY(SELECT DISTINCT f.proname::text
    FROM pg_depend d JOIN pg_proc f ON f.oid = d.refobjid JOIN pg_namespace fn ON fn.oid = f.pronamespace
    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_proc'::regclass
      AND fn.nspname !~ '^pg_' AND f.oid <> p.oid)
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT (`+db.ofValue+`) AND p.prokind <> 'p'
  AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)`,
		[]any{&f.schema, &f.name, &f.arguments, &f.language, &volatility, &f.definer, &f.text, &reads, &f.calls}, func() {
			g := f
			g.volatility = map[string]string{"i": "immutable", "s": "stable", "v": "volatile"}[volatility]
			g.reads, g.calls = nil, slices.Clone(f.calls)
			for _, n := range reads {
				if t := db.table(tableName{n[0], n[1]}); t != nil {
					g.reads = append(g.reads, t)
				}
			}
			db.functions = append(db.functions, &g)
		})
}

var identifier = regexp.MustCompile(`"(?:[^"]|"")+"|[\pL_][\pL\pN_$]*`)

// scan adds to what functions read and call the tables and functions that their
// texts name, in whatever place: rather too many than too few.
func (db *Database) scan() {
	tables, functions := map[string][]*catalog.Table{}, map[string]bool{}
	for _, t := range db.catalog.Tables() {
		if t.Kind != catalog.Type {
			tables[t.Name] = append(tables[t.Name], t)
		}
	}
	for _, f := range db.functions {
		functions[f.name] = true
	}
	for _, f := range db.functions {
		for _, word := range identifier.FindAllString(f.text, -1) {
			name := strings.ToLower(word)
			if strings.HasPrefix(word, `"`) {
				name = unquoted(word)
			}
			for _, t := range tables[name] {
				f.reads = appendNew(f.reads, t)
			}
			if functions[name] && name != f.name {
				f.calls = appendNew(f.calls, name)
			}
		}
		slices.SortFunc(f.reads, func(a, b *catalog.Table) int {
			return strings.Compare(a.Schema+"\x00"+a.Name, b.Schema+"\x00"+b.Name)
		})
		slices.Sort(f.calls)
	}
}

var dynamic = regexp.MustCompile(`(?i)\bexecute\b`)

// about says what a function is and reads.
func (p *proposer) about(f *function) string {
	what := []string{f.language, f.volatility}
	if f.definer {
		what = append(what, "with its owner's rights")
	}
	var names []string
	for _, t := range f.reads {
		name := p.shown(t)
		if s := p.spec(t); s == nil || s.access == policy.Denied {
			name += " (denied)"
		} else if s.access != policy.Scoped {
			name += " (shared)"
		}
		names = append(names, name)
	}
	var does []string
	switch {
	case len(names) > 0:
		does = append(does, "names "+strings.Join(names, ", "))
	case f.language == "c" || f.language == "internal":
		does = append(does, "what it reads is not known")
	default:
		does = append(does, "names no table")
	}
	if len(f.calls) > 0 {
		does = append(does, "calls "+strings.Join(f.calls, ", "))
	}
	if f.language == "plpgsql" && dynamic.MatchString(f.text) {
		does = append(does, "runs SQL that it puts together")
	}
	return fmt.Sprintf("(%s): %s; %s", f.arguments, strings.Join(what, ", "), strings.Join(does, "; "))
}
