// Package schemas manages the schemas of a dimension whose values choose one: it
// makes them from the template, lists, compares, renames, copies and drops them.
//
// It speaks to PostgreSQL directly, not through the driver, as the owner of the
// schemas or a superuser. A program uses it where a tenant signs up:
//
//	m, err := schemas.New(pool, policy.Dimension("tenant"))
//	…
//	err = m.Create(ctx, "acme")
package schemas

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/policy"
)

// A DB begins transactions: a *pgx.Conn, a *pgxpool.Pool, or a pgx.Tx, of which
// what is done is then part.
type DB interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// A Manager looks after the schemas of one dimension in one database. It may be
// used by several goroutines where its DB may.
type Manager struct {
	db        DB
	dimension *policy.Dimension
}

// New returns the Manager of a dimension whose values choose schemas.
func New(db DB, d *policy.Dimension) (*Manager, error) {
	switch {
	case d == nil:
		return nil, errors.New("schemas: there is no dimension")
	case d.Schemas == nil:
		return nil, fmt.Errorf("schemas: the values of dimension %q choose no schemas; write for example %[1]s: {schema: \"t_{value}\", template: t_template}", d.Name)
	}
	return &Manager{db: db, dimension: d}, nil
}

// Dimension returns the dimension.
func (m *Manager) Dimension() *policy.Dimension { return m.dimension }

// SchemaName returns the name of a value's schema. It refuses what is no value of
// the dimension, written as PostgreSQL writes it, and what policy.Schemas.Name does.
func (m *Manager) SchemaName(value string) (string, error) {
	if !canonical(value, m.dimension.Type) {
		return "", fmt.Errorf("%q is no %s, or not written as PostgreSQL does", value, m.dimension.Type)
	}
	return m.dimension.Schemas.Name(value)
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// canonical reports whether value is written as PostgreSQL writes one of the type,
// so that no two schemas are of the same value.
func canonical(value string, t policy.Type) bool {
	bits := map[policy.Type]int{"smallint": 16, "integer": 32, "bigint": 64}[t]
	switch {
	case bits > 0:
		n, err := strconv.ParseInt(value, 10, bits)
		return err == nil && strconv.FormatInt(n, 10) == value
	case t == "uuid":
		return uuid.MatchString(value)
	}
	return true
}

// A Schema is that of a value, which the database or the registry has.
type Schema struct {
	Value      string
	Name       string // empty where the value in the registry can have no schema
	Problem    string // why it can have none
	Exists     bool
	Registered bool // in the policy's registry
}

// transact runs f in a transaction, or in a part of the one that the Manager was
// given. Then the settings that it makes would outlive it and are put back.
func (m *Manager) transact(ctx context.Context, f func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, m.db, func(tx pgx.Tx) error {
		if _, part := m.db.(pgx.Tx); !part {
			return f(tx)
		}
		before, err := settings(ctx, tx)
		if err == nil {
			err = f(tx)
		}
		if err == nil {
			_, err = exec(ctx, tx, before)
		}
		return err
	})
}

// settings returns the statements that put back every setting that this package
// makes for a transaction.
func settings(ctx context.Context, tx pgx.Tx) (string, error) {
	var statements string
	err := tx.QueryRow(ctx, `SELECT pg_catalog.string_agg(pg_catalog.format('SELECT pg_catalog.set_config(%L, %L, true)', name, pg_catalog.current_setting(name)), ';')
		FROM pg_catalog.unnest($1::pg_catalog.text[]) name`, localSettings).Scan(&statements)
	return statements, err
}

// List returns the schemas of all values, of those that the registry lists and of
// those that exist, sorted by value.
func (m *Manager) List(ctx context.Context) (list []Schema, err error) {
	err = m.transact(ctx, func(tx pgx.Tx) error {
		list, err = m.list(ctx, tx)
		return err
	})
	return list, err
}

func (m *Manager) list(ctx context.Context, tx pgx.Tx) ([]Schema, error) {
	names, err := queryStrings(ctx, tx, "SELECT nspname FROM pg_catalog.pg_namespace ORDER BY 1")
	if err != nil {
		return nil, err
	}
	byValue := map[string]*Schema{}
	for _, name := range names {
		value, ok := m.dimension.Schemas.Value(name)
		if ok && canonical(value, m.dimension.Type) {
			byValue[value] = &Schema{Value: value, Name: name, Exists: true}
		}
	}
	registered, err := m.registered(ctx, tx)
	if err != nil {
		return nil, err
	}
	for _, value := range registered {
		s := byValue[value]
		if s == nil {
			s = &Schema{Value: value}
			if s.Name, err = m.SchemaName(value); err != nil {
				s.Problem = err.Error()
			}
			byValue[value] = s
		}
		s.Registered = true
	}
	list := make([]Schema, 0, len(byValue))
	for _, s := range byValue {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Schema) int { return compareValues(a.Value, b.Value) })
	return list, nil
}

// compareValues orders numbers by what they are, and other values by their bytes.
func compareValues(a, b string) int {
	x, errA := strconv.ParseInt(a, 10, 64)
	y, errB := strconv.ParseInt(b, 10, 64)
	if errA == nil && errB == nil {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}

// registered returns the values in the registry, none where the table is not there.
func (m *Manager) registered(ctx context.Context, tx pgx.Tx) ([]string, error) {
	r := m.dimension.Schemas.Registry
	if r == nil {
		return nil, nil
	}
	exists, err := m.registryExists(ctx, tx)
	if err != nil || !exists {
		return nil, err
	}
	column := quote(r.Column)
	return queryStrings(ctx, tx, fmt.Sprintf("SELECT %s::pg_catalog.text FROM %s WHERE %[1]s IS NOT NULL", column, quote(r.Schema, r.Table)))
}

func (m *Manager) registryExists(ctx context.Context, tx pgx.Tx) (exists bool, err error) {
	r := m.dimension.Schemas.Registry
	// to_regclass could remember that there was none.
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = $2)`, r.Schema, r.Table).Scan(&exists)
	return exists, err
}

// quote returns a name as SQL spells it.
func quote(parts ...string) string { return pgx.Identifier(parts).Sanitize() }

func queryStrings(ctx context.Context, tx pgx.Tx, sql string, args ...any) ([]string, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
