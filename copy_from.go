package scoped

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// copyFrom copies rows into a table by pgx. What is to be done to them is what
// would be done to an INSERT of the same columns: nothing, fills, or checks.
// Columns that hold the scope's own values can be checked here. All else, such as
// a reference, only the server can check, and so the rows are inserted.
func (s *session) copyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	b, err := s.enter(ctx, "COPY "+table.Sanitize()+" FROM STDIN")
	switch {
	case err != nil:
		return 0, err
	case b == nil:
		return s.pgx.CopyFrom(ctx, table, columns, rows)
	}
	into, err := newInsertion(table, columns)
	if err != nil {
		return 0, err
	}
	e := b.rules.cache.get(into.text(1), b)
	if e.rewrite == nil {
		err := e.error()
		if refusal := (*Error)(nil); errors.As(err, &refusal) {
			refusal.Position = rewrite.Position{} // the user has no such text
		}
		return 0, err
	}
	schema, name := "", table[0]
	if len(table) == 2 {
		schema, name = table[0], table[1]
	}
	t := b.rules.policy.Table(schema, name)
	if t.View || e.rewrite.Check && !checkedByValue(t, b) {
		return s.insertRows(ctx, b, into, rows)
	}
	source := &copySource{CopyFromSource: rows, columns: columns}
	for _, scoping := range t.Scopings {
		values := written(b, scoping.Dimension)
		if values == nil {
			continue
		}
		at := slices.Index(columns, scoping.Column)
		if at < 0 {
			columns = append(slices.Clone(columns), scoping.Column)
			source.fills = append(source.fills, values[0])
			continue
		}
		source.checks = append(source.checks, copyCheck{at: at, table: t.Schema + "." + t.Name, scoping: scoping, values: values})
	}
	n, err := s.pgx.CopyFrom(ctx, pgx.Identifier{b.schemaOf(t), t.Name}, columns, source)
	if source.err != nil {
		return 0, source.err // what pgx returns is the server's, which was told of it
	}
	return n, (&call{entry: e, rewrite: e.rewrite, binding: b, interpolated: true}).mapError(err)
}

// written returns the values of a dimension that may be written, nil where that
// is any.
func written(b *binding, d *policy.Dimension) []driver.Value {
	arg := rewrite.Arg{Dimension: d}
	switch b.shape.Presence(d) {
	case rewrite.WriteOne:
		arg.Write = true
	case rewrite.One, rewrite.Many:
	default:
		return nil
	}
	return each(boundTo(arg, b.values))
}

// checkedByValue reports whether the columns of a row tell if it may be written:
// each that matters holds a value of the scope.
func checkedByValue(t *policy.Table, b *binding) bool {
	if t.Where != nil || len(t.References) > 0 {
		return false
	}
	return !slices.ContainsFunc(t.Scopings, func(s policy.Scoping) bool {
		return (s.Path != nil || s.Any != nil || s.Generated) && written(b, s.Dimension) != nil
	})
}

// A copySource gives pgx the user's rows, filled and checked.
type copySource struct {
	pgx.CopyFromSource
	columns []string // the user's
	fills   []driver.Value
	checks  []copyCheck
	read    int // rows
	row     []any
	err     error // ours, and not the user's source's
}

// A copyCheck is a column of the user's that must hold one of some values.
type copyCheck struct {
	at      int
	table   string
	scoping policy.Scoping
	values  []driver.Value
}

func (s *copySource) Values() ([]any, error) {
	row, err := s.CopyFromSource.Values()
	if err != nil {
		return nil, err
	}
	s.read++
	if s.err = checkRow(s.read, row, s.columns); s.err != nil {
		return nil, s.err
	}
	s.row = append(s.row[:0], row...)
	for _, c := range s.checks {
		if s.row[c.at], s.err = c.value(s.row[c.at]); s.err != nil {
			return nil, s.err
		}
	}
	for _, v := range s.fills {
		s.row = append(s.row, v)
	}
	return s.row, nil
}

// value returns the value that is sent, which is the one that was checked.
func (c *copyCheck) value(v any) (value driver.Value, err error) {
	d := c.scoping.Dimension
	value, fault := readValue(v, d.Type)
	switch {
	case fault != "":
		return nil, argumentsError(fmt.Sprintf("a value of %s, of dimension %q, cannot be checked: %s", c.scoping.Column, d.Name, fault),
			"pass an integer, a string or a uuid, as the type of the dimension is")
	case value == nil && c.scoping.Null == policy.NullVisible, slices.Contains(c.values, value):
		return value, nil
	}
	return nil, violation(c.table, nil)
}

// readValue reads a value for a column that holds a dimension's, nil for NULL, or
// says what is wrong with it.
func readValue(v any, t policy.Type) (value driver.Value, fault string) {
	for {
		r := reflect.ValueOf(v)
		if !r.IsValid() || r.Kind() == reflect.Pointer && r.IsNil() {
			return nil, ""
		}
		if valuer, ok := v.(driver.Valuer); ok {
			inner, err := valuer.Value()
			if err == nil && inner == nil {
				return nil, ""
			}
			break // newElement asks again, and knows more about it
		}
		if r.Kind() != reflect.Pointer {
			break
		}
		v = r.Elem().Interface()
	}
	e, fault := newElement(v)
	if fault == "" {
		_, value, fault = bindElements([]element{e}, t)
	}
	return value, fault
}

// An insertion is an INSERT of rows of parameters.
type insertion struct {
	table   pgx.Identifier
	columns []string
	head    string
}

func newInsertion(table pgx.Identifier, columns []string) (*insertion, error) {
	if len(table) == 0 || len(table) > 2 || len(columns) == 0 {
		return nil, argumentsError("CopyFrom was given no table, one of another database, or no columns",
			"pass pgx.Identifier{table} or pgx.Identifier{schema, table}, and the columns of the rows")
	}
	for _, name := range slices.Concat(table, columns) {
		if strings.IndexByte(name, 0) >= 0 || !utf8.ValidString(name) {
			return nil, argumentsError(fmt.Sprintf("%q cannot be the name of a table or column", name), "pass names that PostgreSQL can hold")
		}
	}
	quoted := func(names []string) []string {
		names = slices.Clone(names)
		for i := range names {
			names[i] = pgparse.QuoteIdentifier(names[i])
		}
		return names
	}
	return &insertion{table: table, columns: columns, head: "INSERT INTO " + strings.Join(quoted(table), ".") +
		" (" + strings.Join(quoted(columns), ", ") + ") OVERRIDING SYSTEM VALUE VALUES "}, nil
}

// text returns the statement for so many rows. COPY gives an identity column the
// value that the row has, and so does this.
func (i *insertion) text(rows int) string {
	var b strings.Builder
	b.WriteString(i.head)
	for n := range rows * len(i.columns) {
		switch {
		case n == 0:
			b.WriteByte('(')
		case n%len(i.columns) == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n + 1))
	}
	b.WriteByte(')')
	return b.String()
}

// insertedRows is how many rows an INSERT has at most, a power of two as every
// number of rows is, so that there are few different statements.
const insertedRows = 1024

// insertRows inserts rows by statements of many rows each, all of them or none.
func (s *session) insertRows(ctx context.Context, b *binding, into *insertion, rows pgx.CopyFromSource) (n int64, err error) {
	most := insertedRows
	for most > 1 && most*len(into.columns) > math.MaxInt16 {
		most /= 2
	}
	full := into.text(most)
	var args []any
	send := func(rows int) error {
		text := full
		if rows < most {
			text = into.text(rows)
		}
		values := rows * len(into.columns)
		inserted, err := s.insert(ctx, b, text, args[:values])
		n += inserted
		args = append(args[:0], args[values:]...)
		return err
	}
	err = s.atomically(ctx, func() error {
		for read := 1; rows.Next(); read++ {
			row, err := rows.Values()
			if err != nil {
				return err
			}
			if err := checkRow(read, row, into.columns); err != nil {
				return err
			}
			if args = append(args, row...); len(args) == most*len(into.columns) {
				if err := send(most); err != nil {
					return err
				}
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		for size := most; size > 0; size /= 2 {
			if len(args) >= size*len(into.columns) {
				if err := send(size); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

func checkRow(read int, row []any, columns []string) error {
	if len(row) == len(columns) {
		return nil
	}
	return argumentsError(fmt.Sprintf("row %d has %d values for %d columns", read, len(row), len(columns)),
		"give each row a value for each column")
}

func (s *session) insert(ctx context.Context, b *binding, text string, args []any) (int64, error) {
	if isOption(args[0]) {
		return 0, argumentsError(fmt.Sprintf("the first value of a row is a %T, which pgx takes for an instruction", args[0]),
			"pass it as another type, or another column first")
	}
	c, err := s.plan(b, text, len(args), forExec, s.simple)
	if err != nil {
		return 0, err
	}
	c.interpolated = true // the user has no such text
	args = slices.Clone(args)
	for _, a := range c.rewrite.Args {
		v := s.value(b, a)
		if v == nil {
			return 0, missingValue(a)
		}
		args = append(args, v)
	}
	tag, err := s.pgx.Exec(ctx, c.sql, args...)
	return tag.RowsAffected(), c.mapError(err)
}

// atomically runs f in a transaction, or below a savepoint where there is one.
func (s *session) atomically(ctx context.Context, f func() error) (err error) {
	const savepoint = " savepoint scoped_copy_from"
	begin, commit, rollback := "begin", "commit", "rollback"
	if s.pgx.PgConn().TxStatus() != 'I' {
		begin, commit, rollback = savepoint, "release"+savepoint, "rollback to"+savepoint+"; release"+savepoint
	}
	if _, err := s.pgx.Exec(ctx, begin); err != nil {
		return err
	}
	done := false
	defer func() {
		if done {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, failed := s.pgx.Exec(ctx, rollback); failed != nil {
			s.close() // rather than leave half of the rows to be committed
		}
	}()
	if err := f(); err != nil {
		return err
	}
	done = true
	_, err = s.pgx.Exec(ctx, commit)
	return err
}
