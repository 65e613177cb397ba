module github.com/scoped-pgx/scoped

go 1.26

require (
	github.com/DATA-DOG/go-sqlmock v1.5.2
	github.com/goccy/go-yaml v1.19.2
	github.com/jackc/pgx/v5 v5.12.0
	github.com/maypok86/otter/v2 v2.4.0
	github.com/pganalyze/pg_query_go/v5 v5.1.0
)
