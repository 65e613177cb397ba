//go:build go1.27

package scoped

import "database/sql/driver"

var _ driver.RowsColumnScanner = scanningRows{}

// guard returns r with the interfaces that database/sql asks for. From Go 1.27
// pgx scans columns itself, slices and all, so rows with a check must too.
func (r *rows) guard() driver.Rows {
	if scanner, ok := r.base.(driver.RowsColumnScanner); ok {
		return scanningRows{r, scanner}
	}
	return r
}

// scanningRows are rows over a base that scans columns itself. The check column
// is the last one, so the others keep their places.
type scanningRows struct {
	*rows
	scanner driver.RowsColumnScanner
}

func (r scanningRows) NextRow() error { return r.mapError(r.scanner.NextRow()) }

func (r scanningRows) ScanColumn(scan driver.ScanContext, index int, dest any) error {
	return r.scanner.ScanColumn(scan, index, dest)
}
