module github.com/scoped-pgx/scoped/bench

go 1.26

require (
	github.com/pganalyze/pg_query_go/v5 v5.1.0
	github.com/scoped-pgx/scoped v0.0.0
	github.com/sqlc-dev/oliphant v0.2.0
)

require (
	github.com/goccy/go-yaml v1.19.2 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace github.com/scoped-pgx/scoped => ../
