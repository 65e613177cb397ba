//go:build !go1.27

package scoped

import "database/sql/driver"

// guard returns r with the interfaces that database/sql asks for.
func (r *rows) guard() driver.Rows { return r }
