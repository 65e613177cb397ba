package shell

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// maxCandidates is how many rows are listed where a look-up finds another number
// than one.
const maxCandidates = 10

// dataException is the class of the errors about values.
const dataException = "22"

// A lookup is a look-up of a dimension's value by an attribute of its root
// table, such as site.slug=acme, or site.owner.email=eva@example.org.
type lookup struct {
	dimension *policy.Dimension
	root      *catalog.Table
	key       string // the root's, which holds the dimension's value
	joins     string
	column    string // that is looked at, as SQL spells it
	kind      string // its type
	path      string // to it, as it was written
	value     string
	text      string // the look-up as it was written
}

// newLookup reads a look-up.
func (s *shell) newLookup(text string) (*lookup, error) {
	left, value, ok := strings.Cut(text, "=")
	path := strings.Split(left, ".")
	if !ok || len(path) < 2 || slices.Contains(path, "") {
		return nil, errors.New("write DIMENSION.COLUMN=VALUE, such as site.slug=acme, or DIMENSION.REFERENCE.COLUMN=VALUE")
	}
	l := &lookup{dimension: s.policy.Dimension(path[0]), path: strings.Join(path[1:], "."), value: value, text: text}
	if l.dimension == nil {
		var names []string
		for _, d := range s.policy.Dimensions() {
			names = append(names, fmt.Sprintf("%q", d.Name))
		}
		return nil, fmt.Errorf("the policy has no dimension %q; it has %s", path[0], strings.Join(names, ", "))
	}
	if err := s.findRoot(l); err != nil {
		return nil, err
	}
	at, alias := l.root, "r"
	for i, step := range path[1 : len(path)-1] {
		key, err := reference(at, step)
		if err != nil {
			return nil, err
		}
		next := fmt.Sprintf("t%d", i+1)
		l.joins += fmt.Sprintf(" JOIN %s AS %s ON %s.%s = %s.%s", s.qualified(key.Schema, key.Table), next,
			next, pgparse.QuoteIdentifier(key.Keys[0]), alias, pgparse.QuoteIdentifier(key.Columns[0]))
		if at = s.catalog.Table(key.Schema, key.Table); at == nil {
			return nil, fmt.Errorf("the catalogue does not know the table %s.%s", key.Schema, key.Table)
		}
		alias = next
	}
	name := path[len(path)-1]
	column := at.Column(name)
	if column == nil {
		return nil, fmt.Errorf("table %s.%s has no column %q; it has %s", at.Schema, at.Name, name, columnNames(at))
	}
	l.column, l.kind = alias+"."+pgparse.QuoteIdentifier(name), column.Type
	return l, nil
}

func columnNames(t *catalog.Table) string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// findRoot finds the table whose rows are the values of the dimension: its registry,
// or the one that is scoped on it by its own key or, where the policy has none, the
// one that the columns of the others refer to.
func (s *shell) findRoot(l *lookup) error {
	if schemas := l.dimension.Schemas; schemas != nil && schemas.Registry != nil {
		r := schemas.Registry
		l.root, l.key = s.catalog.Table(r.Schema, r.Table), r.Column
		if l.root == nil || l.root.Column(l.key) == nil {
			return fmt.Errorf("the registry %s.%s of %q does not exist, or has no column %s", r.Schema, r.Table, l.dimension.Name, l.key)
		}
		return nil
	}
	type root struct {
		table *catalog.Table
		key   string
	}
	var own, referred []root
	for _, t := range s.tables {
		for _, scoping := range t.policy.Scopings {
			if scoping.Dimension != l.dimension || scoping.Path != nil || scoping.Any != nil {
				continue
			}
			refers := false
			for _, f := range t.ForeignKeys {
				if len(f.Columns) != 1 || f.Columns[0] != scoping.Column {
					continue
				}
				refers = true
				found := root{s.catalog.Table(f.Schema, f.Table), f.Keys[0]}
				if found.table != nil && found.table != t.Table && !slices.Contains(referred, found) {
					referred = append(referred, found)
				}
			}
			if !refers && t.IsUnique(scoping.Column) {
				own = append(own, root{t.Table, scoping.Column})
			}
		}
	}
	if len(own) == 0 {
		own = referred
	}
	switch len(own) {
	case 0:
		return fmt.Errorf("the policy scopes no table on %q by its own key, so there is none to look in; use --scope", l.dimension.Name)
	case 1:
		l.root, l.key = own[0].table, own[0].key
		return nil
	}
	var names []string
	for _, r := range own {
		names = append(names, r.table.Schema+"."+r.table.Name)
	}
	return fmt.Errorf("several tables may hold the values of %q: %s; use --scope", l.dimension.Name, strings.Join(names, ", "))
}

// reference returns the foreign key that a step of a path names: by its column,
// with or without _id, or by the table it refers to.
func reference(t *catalog.Table, step string) (catalog.ForeignKey, error) {
	var byTable, all []catalog.ForeignKey
	var names []string
	for _, f := range t.ForeignKeys {
		if len(f.Columns) != 1 {
			continue
		}
		if f.Columns[0] == step || f.Columns[0] == step+"_id" {
			return f, nil
		}
		if f.Table == step {
			byTable = append(byTable, f)
		}
		all = append(all, f)
		names = append(names, strings.TrimSuffix(f.Columns[0], "_id"))
	}
	switch {
	case len(byTable) == 1:
		return byTable[0], nil
	case len(byTable) > 1:
		return catalog.ForeignKey{}, fmt.Errorf("several columns of %s.%s refer to %s; name one of them: %s", t.Schema, t.Name, step, strings.Join(names, ", "))
	case len(all) == 0:
		return catalog.ForeignKey{}, fmt.Errorf("table %s.%s refers to no other table", t.Schema, t.Name)
	}
	return catalog.ForeignKey{}, fmt.Errorf("table %s.%s has no reference %q; it has %s", t.Schema, t.Name, step, strings.Join(names, ", "))
}

// query returns the SQL of a look-up: the key, the column that is looked at, and
// what else tells people which row it is.
func (s *shell) query(l *lookup, condition string) string {
	columns := []string{"r." + pgparse.QuoteIdentifier(l.key)}
	switch {
	case l.joins != "": // by another name than the root's own
		columns = append(columns, l.column+" AS "+pgparse.QuoteIdentifier(l.path))
	case l.column != columns[0]:
		columns = append(columns, l.column)
	}
	for _, c := range l.root.Columns {
		name := "r." + pgparse.QuoteIdentifier(c.Name)
		isText := c.Type == "text" || strings.HasPrefix(c.Type, "character") || c.Type == "citext"
		if isText && len(columns) < 5 && !slices.Contains(columns, name) {
			columns = append(columns, name)
		}
	}
	return fmt.Sprintf("SELECT %s FROM %s AS r%s%s ORDER BY 1 LIMIT %d",
		strings.Join(columns, ", "), s.qualified(l.root.Schema, l.root.Name), l.joins, condition, maxCandidates+1)
}

// A notOneError says that a look-up did not find one row, and what there is.
type notOneError struct {
	lookup     *lookup
	found      int
	candidates *table
}

func (e *notOneError) Error() string {
	name := e.lookup.root.Schema + "." + e.lookup.root.Name
	if e.found == 0 {
		return fmt.Sprintf("%s matches no row of %s", e.lookup.text, name)
	}
	if e.found > maxCandidates {
		return fmt.Sprintf("%s matches more than %d rows of %s, not one", e.lookup.text, maxCandidates, name)
	}
	return fmt.Sprintf("%s matches %d rows of %s, not one", e.lookup.text, e.found, name)
}

// lookUp returns the scope with the dimension that a look-up names. It runs
// through the driver as every statement does, unrestricted on all dimensions but
// such as choose a schema.
func (s *shell) lookUp(ctx context.Context, text string) (scopeState, error) {
	l, err := s.newLookup(text)
	if err != nil {
		return s.scope, err
	}
	key, found, err := s.search(ctx, l, " WHERE "+l.column+" = $1", l.value)
	s.audit.InfoContext(s.scope.context(ctx), "a scope is looked up", "lookup", text, "matches", len(found.rows))
	var fault *pgconn.PgError
	if errors.As(err, &fault) && strings.HasPrefix(fault.Code, dataException) {
		err = fmt.Errorf("%q is not of type %s", l.value, l.kind)
	}
	if err != nil {
		return s.scope, err
	}
	if len(found.rows) != 1 {
		mistake := &notOneError{lookup: l, found: len(found.rows), candidates: found}
		if mistake.found == 0 {
			pattern := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(l.value) + "%"
			if _, mistake.candidates, err = s.search(ctx, l, " WHERE "+l.column+"::text ILIKE $1", pattern); err == nil && len(mistake.candidates.rows) == 0 {
				_, mistake.candidates, err = s.search(ctx, l, "")
			}
			if err != nil {
				mistake.candidates = nil // the mistake is worth more than this
			}
		}
		return s.scope, mistake
	}
	var value any = key
	if l.dimension.Type != "text" && l.dimension.Type != "uuid" {
		if value, err = strconv.ParseInt(key, 10, 64); err != nil {
			return s.scope, err
		}
	}
	if schemas := l.dimension.Schemas; schemas != nil {
		if _, err := schemas.Name(key); err != nil {
			return s.scope, err
		}
	}
	return s.scope.set(l.dimension.Name, value), nil
}

// search runs the query of a look-up and returns the first key, and the rows for
// people.
func (s *shell) search(ctx context.Context, l *lookup, condition string, args ...any) (key string, found *table, err error) {
	found = &table{footer: false, width: 80}
	err = s.session.query(s.scope.forLookup(l.dimension).context(ctx), func(rows pgx.Rows) error {
		_ = found.begin(columnsOf(rows.FieldDescriptions()))
		for rows.Next() {
			if found.rows == nil {
				key = string(rows.RawValues()[0])
			}
			_ = found.row(rows.RawValues())
		}
		return rows.Err()
	}, s.query(l, condition), args...)
	return key, found, err
}
