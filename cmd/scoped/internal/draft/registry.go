package draft

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// A registry is a column that lists the values of a dimension, and their type as
// the policy has it.
type registry struct {
	table  tableName
	column string
	typ    string
}

// findRegistry finds the table that lists the values of a, with the naming to which
// it belongs, and, where no schema is named as templates are, the one that holds no
// rows and that it does not list. It is in none of the schemas that are like these.
func (f *finder) findRegistry(a *alike, namings []naming, like []string) error {
	empty, err := f.empty(a)
	if err != nil {
		return err
	}
	var columns []registry
	var r registry
	err = each(f.ctx, f.tx, `
SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, NULL)
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] AND a.attnotnull
WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = 1
  AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname <> ALL ($1)
  AND has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')
  AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conkey = ARRAY[a.attnum])
ORDER BY i.indisprimary DESC, n.nspname, c.relname, a.attname`,
		[]any{&r.table.schema, &r.table.name, &r.column, &r.typ}, func() {
			if r.typ = dimensionType(r.typ); r.typ != "" && !slices.Contains(columns, r) {
				columns = append(columns, r)
			}
		}, like)
	if err != nil {
		return err
	}
	// Numbers come last: schemas that end with them may be listed by name, in another
	// order than the rows are numbered.
	for _, numbers := range []bool{false, true} {
		some := slices.DeleteFunc(slices.Clone(columns), func(r registry) bool { return isInteger(r.typ) != numbers })
		for _, n := range namings {
			if err := f.findRegistryFor(a, n, some, empty); err != nil || a.registries != nil {
				return err
			}
		}
	}
	a.naming = namings[0]
	if len(empty) == 1 && len(a.schemas) > 1 {
		a.take(empty[0])
	}
	return nil
}

// empty returns the schemas that hold no rows, none where the template is known.
func (f *finder) empty(a *alike) (names []string, err error) {
	if a.template != "" {
		return nil, nil
	}
	err = f.tx.QueryRow(f.ctx, `
SELECT ARRAY(
  SELECT n.nspname::text FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'
  WHERE n.nspname = ANY ($1) GROUP BY 1 HAVING NOT bool_or(c.relpages > 0 OR pg_relation_size(c.oid) > 0))`, a.schemas).Scan(&names)
	return names, err
}

// take makes the schema of a value the template.
func (a *alike) take(schema string) {
	a.template, a.guessed = schema, true
	a.schemas = slices.DeleteFunc(slices.Clone(a.schemas), func(s string) bool { return s == schema })
}

// findRegistryFor finds the columns that list the values of one naming, those that
// do it best.
func (f *finder) findRegistryFor(a *alike, n naming, columns []registry, empty []string) error {
	values := n.values(a.schemas)
	best, unlisted := 0, ""
	for _, r := range columns {
		held, others, err := f.lookUp(r, values)
		if err != nil {
			return err
		}
		var lacks []string
		for i, value := range values {
			if !slices.Contains(held, value) {
				lacks = append(lacks, a.schemas[i])
			}
		}
		template := ""
		if len(lacks) == 1 && len(values) > 1 && slices.Contains(empty, lacks[0]) {
			template, lacks = lacks[0], nil
		}
		switch rank := r.rank(others); {
		case len(lacks) > 0 || rank == 0 || rank < best:
		case rank > best || template == "" && unlisted != "":
			best, unlisted, a.registries = rank, template, []registry{r}
		case template == unlisted:
			a.registries = append(a.registries, r)
		}
	}
	if a.registries != nil {
		a.naming = n
	}
	if unlisted != "" {
		a.take(unlisted)
	}
	return nil
}

// rank says how well a column with the values, and others or not, would be their
// registry; with 0, not at all. That it holds no others says most, but of numbers:
// tables of whatever have 1, 2, 3.
func (r registry) rank(others bool) int {
	exact, isTenants := 1, 0
	if others {
		exact = 0
	}
	if named(r.table.name, tenants) {
		isTenants = 1
	}
	if isInteger(r.typ) {
		return exact + 2*isTenants
	}
	return 1 + 2*exact + isTenants
}

// lookUp returns which of the values a column holds, and whether it holds others.
// What may not be read holds none.
func (f *finder) lookUp(r registry, values []string) (held []string, others bool, err error) {
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return !canonical(v, r.typ) })
	if len(values) == 0 {
		return nil, false, nil
	}
	column := pgx.Identifier{r.column}.Sanitize()
	array := "$1::text[]::" + r.typ + "[]"
	err = pgx.BeginFunc(f.ctx, f.tx, func(part pgx.Tx) error {
		return part.QueryRow(f.ctx, fmt.Sprintf("SELECT ARRAY(SELECT %[1]s::text FROM %[2]s WHERE %[1]s = ANY (%[3]s)), EXISTS (SELECT FROM %[2]s WHERE %[1]s <> ALL (%[3]s))",
			column, pgx.Identifier{r.table.schema, r.table.name}.Sanitize(), array), values).Scan(&held, &others)
	})
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) {
		return nil, false, nil
	}
	return held, others, err
}

// canonical reports whether a value is one of a type, written as PostgreSQL does.
func canonical(value, typ string) bool {
	switch bits := map[string]int{"smallint": 16, "integer": 32, "bigint": 64}[typ]; {
	case bits > 0:
		n, err := strconv.ParseInt(value, 10, bits)
		return err == nil && strconv.FormatInt(n, 10) == value
	case typ == "uuid":
		var u pgtype.UUID
		return u.Scan(value) == nil && u.String() == value
	}
	return true
}
