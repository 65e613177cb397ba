package scoped

import (
	"database/sql/driver"
	"errors"
	"io"
	"reflect"
)

var (
	_ driver.Rows                           = (*rows)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ driver.RowsColumnTypeLength           = (*rows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*rows)(nil)
	_ driver.RowsColumnTypeScanType         = (*rows)(nil)
)

// rows returns the base's rows as the user shall see them: without a check, and
// with their errors mapped.
func (c *call) rows(base driver.Rows) (driver.Rows, error) {
	switch {
	case c.entry == nil:
		return base, nil
	case !c.entry.rewrite.Check:
		return (&rows{base: base, call: *c}).guard(), nil
	}
	columns := base.Columns()
	if len(columns) == 0 {
		_ = base.Close() // there is a more important error
		return nil, &Error{Code: CodeCertificate, Message: "the server returned no check column",
			Hint: "this is a bug of scoped; please report it"}
	}
	if !c.entry.rewrite.Returning {
		return noRows{}, c.drain(base, len(columns))
	}
	check := &checkColumn{columns: columns[:len(columns)-1], buffer: make([]driver.Value, len(columns))}
	return (&rows{base: base, call: *c, check: check}).guard(), nil
}

// drain reads rows that are not the user's for the sake of their errors.
func (c *call) drain(base driver.Rows, columns int) error {
	dest := make([]driver.Value, columns)
	var err error
	for err == nil {
		err = base.Next(dest)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if closeErr := base.Close(); err == nil {
		err = closeErr
	}
	return c.mapError(err)
}

// noRows is the result of a statement that returns no rows.
type noRows struct{}

func (noRows) Columns() []string         { return nil }
func (noRows) Close() error              { return nil }
func (noRows) Next([]driver.Value) error { return io.EOF }

// rows are the base's without a check, and with errors mapped.
type rows struct {
	base  driver.Rows
	call  call
	check *checkColumn // nil where there is none
}

// A checkColumn is the last of the base's, which is not shown.
type checkColumn struct {
	columns []string       // the others
	buffer  []driver.Value // a row with it
}

func (r *rows) Columns() []string {
	if r.check == nil {
		return r.base.Columns()
	}
	return r.check.columns
}

func (r *rows) Next(dest []driver.Value) error {
	if r.check == nil {
		return r.mapError(r.base.Next(dest))
	}
	if err := r.base.Next(r.check.buffer); err != nil {
		return r.mapError(err)
	}
	copy(dest, r.check.buffer[:len(r.check.columns)])
	return nil
}

func (r *rows) Close() error { return r.mapError(r.base.Close()) }

// mapError leaves io.EOF as it is: database/sql compares it with ==.
func (r *rows) mapError(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return r.call.mapError(err)
}

// What follows are the answers of the base, or those that database/sql gives
// where a driver has none.

func (r *rows) ColumnTypeDatabaseTypeName(index int) string {
	if b, ok := r.base.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return b.ColumnTypeDatabaseTypeName(index)
	}
	return ""
}

func (r *rows) ColumnTypeLength(index int) (length int64, ok bool) {
	if b, ok := r.base.(driver.RowsColumnTypeLength); ok {
		return b.ColumnTypeLength(index)
	}
	return 0, false
}

func (r *rows) ColumnTypePrecisionScale(index int) (precision, scale int64, ok bool) {
	if b, ok := r.base.(driver.RowsColumnTypePrecisionScale); ok {
		return b.ColumnTypePrecisionScale(index)
	}
	return 0, 0, false
}

func (r *rows) ColumnTypeScanType(index int) reflect.Type {
	if b, ok := r.base.(driver.RowsColumnTypeScanType); ok {
		return b.ColumnTypeScanType(index)
	}
	return reflect.TypeFor[any]()
}
