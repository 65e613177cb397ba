//go:build !cgo || !linux || musl

package main

import pg_query "github.com/sqlc-dev/oliphant"

const (
	version    = 18
	constraint = "!cgo || !linux || musl"
	readsJSON  = false // that its parser prints
	module     = "github.com/sqlc-dev/oliphant"
)

var file, scan = pg_query.File_pg_query_proto, pg_query.Scan
