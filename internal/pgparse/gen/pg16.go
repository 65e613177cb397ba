//go:build cgo && linux && !musl

package main

import pg_query "github.com/pganalyze/pg_query_go/v5"

const (
	version    = 16
	constraint = "cgo && linux && !musl"
	readsJSON  = true // that its parser prints
	module     = "github.com/pganalyze/pg_query_go/v5"
)

var file, scan = pg_query.File_pg_query_proto, pg_query.Scan
