//go:build cgo && linux && !musl

package main

import pg_query "github.com/pganalyze/pg_query_go/v5"

// parse is the parser alone, of which scoped's own cost is a multiple.
func parse(text string) error {
	_, err := pg_query.Parse(text)
	return err
}
