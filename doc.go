// Package scoped is a database/sql driver over pgx that keeps the rows of
// tenants apart. A policy says which table belongs to whom; a context says whose
// turn it is; the driver rewrites every statement accordingly, or refuses it.
//
// # Start
//
// Write a policy.yaml:
//
//	version: 1
//	dimensions: {site: {type: bigint}}
//	tables:
//	  site: shared
//	  post: {site: site_id}
//	  comment: {site: post_id -> post} # whoever sees the post sees the comment
//
// Change the driver's name and say where the policy is; give the context a scope:
//
//	db, err := sql.Open("scoped-pgx", "postgres://localhost/blog?scope_policy=policy.yaml")
//	ctx = scoped.With(ctx, "site", 42)
//	rows, err := db.QueryContext(ctx, "SELECT id, body FROM comment WHERE body LIKE $1", "%x%")
//
// Every query, ORM or hand-written SQL, now sees and changes rows of site 42
// only, and what it inserts belongs to site 42. Without a scope, the same query
// is an error.
//
// The data source name is pgx's, as a URL, as keyword=value, or a name from
// stdlib.RegisterConnConfig followed by "?scope_policy=…". The path of the
// policy is relative to the working directory, and the file is read once, when
// the database is opened. scope_catalog names the file of a catalogue of the
// tables, or is server to ask for it; scope_warm that of a file of statements, as
// [WithWarmFile]. Every other parameter that begins with
// scope_ is an error. NewConnector guards any connector, with a policy from [policy.Load].
//
// # Scopes
//
//	ctx = scoped.With(ctx, "site", 42)                  // one value
//	ctx = scoped.With(ctx, "site", scoped.AnyOf(1, 2))  // several, of which WriteTo names one that is written
//	ctx = scoped.With(ctx, "site", scoped.All)          // unrestricted, on this dimension
//	ctx = scoped.Disable(ctx, "nightly export")         // everything as it is; logged
//
// A scope belongs to a context, so it ends where the context does: nothing is
// set on the connection. Nested calls of With add dimensions and replace values,
// and With inside Disable enables scopes again. A statement whose own context
// has no scope has that of its transaction, the context of BeginTx. A prepared
// statement has the scope in which it runs, not that in which it was prepared.
//
// [WithAllowScope] lets the program say who may use which scope, and [LogHandler]
// adds the scope to the records of its log.
//
// # Errors
//
// What this package refuses is an [*Error], with a code, a place in the text and
// a hint. It is one of
//
//   - [ErrScopeRequired]: the scope lacks a dimension of a table;
//   - [ErrRefused]: the statement cannot be shown to stay inside the scope, or
//     the scope itself is wrong;
//   - [ErrViolation]: the server found a row that would have left the scope.
//
// The first two are found before anything is sent; after the third nothing was
// written. Errors of PostgreSQL itself stay *pgconn.PgError.
//
// # Guarantee
//
// Think of the database in which each scoped table holds the rows of the scope
// and no others. A statement that is accepted returns what it would return
// there; it changes only rows that are there; and every row it writes is there
// afterwards, or the statement fails. What cannot be shown to do so is refused:
// unknown tables, functions, statements and syntax too. Each rewrite is parsed
// again and compared with the original before it is used, so that a mistake in
// the rewriter costs a refusal and not a leak.
//
// The text of a statement may be hostile or careless. The policy, the schema of
// the database with its views, triggers and operators, and the Go code that sets
// the context are trusted. Not hidden are the existence of a key, which unique
// and foreign-key errors reveal, the volume that sequences reveal, and timing.
//
// # pgx
//
// Pool guards a pgxpool.Pool for programs that use pgx without database/sql. What
// pgx has and database/sql lacks is there on a *sql.Conn: CopyFrom, CopyTo,
// SendBatch and WaitForNotification.
//
// # Exec modes, named arguments
//
// Arguments in front of the statement's own work as in pgx: pgx.QueryExecMode,
// pgx.QueryResultFormats, pgx.NamedArgs and every other pgx.QueryRewriter, which
// runs before the statement is looked at. A statement takes exactly as many
// arguments as it has parameters. Under the simple protocol, where pgx writes
// the arguments into the text, a $ followed by a digit is refused where it is
// not a parameter, as in a string or a comment.
package scoped
