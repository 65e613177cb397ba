package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

// A schema for each site, in which its authors, posts and comments are as in
// schema.sql.
const (
	schemaRules = `version: 1
dimensions: {site: {type: bigint, schema: "s_{value}", template: s__template}}
tables: {site: shared, author: {site: schema}, post: {site: schema}, comment: {site: schema}}
`
	makeSchema = `DROP SCHEMA IF EXISTS s_%[1]d CASCADE;
CREATE SCHEMA s_%[1]d;
CREATE TABLE s_%[1]d.author (LIKE author INCLUDING ALL);
CREATE TABLE s_%[1]d.post (LIKE post INCLUDING ALL);
CREATE TABLE s_%[1]d.comment (LIKE comment INCLUDING ALL);
INSERT INTO s_%[1]d.author SELECT * FROM author WHERE site_id = %[1]d;
INSERT INTO s_%[1]d.post SELECT * FROM post WHERE site_id = %[1]d;
INSERT INTO s_%[1]d.comment SELECT c.* FROM comment c JOIN post p ON p.id = c.post_id WHERE p.site_id = %[1]d`
)

const (
	pathInTx      = "search_path in a transaction"
	pathInBatch   = "search_path in a transaction, at once"
	pathOfSession = "search_path of the session"
	schemaExec    = "scoped, exec"
	schemaDescr   = "scoped, cache_describe"
	schemaStmts   = "scoped, cache_statement"
	schemaDefault = "scoped, cache_statement of 512"

	// Of texts on a connection, where it is not pgx's default of 512.
	schemaCapacity = 4096

	poolerConnections = 4

	readsDirect = "reads"
	readsPooled = "reads through PgBouncer"
)

// schemaReads are the reads of the workloads, one after the other.
var schemaReads = &workload{name: "reads", operations: []*operation{pointRead, joinRead, pathRead}}

// schemas runs the reads in a schema for each site on 1, 4 and 16 connections,
// directly and through PgBouncer in transaction mode.
func (b *bench) schemas(ctx context.Context) error {
	db := &database{tenants: sites}
	defer db.close()
	if err := db.open(ctx, schema); err != nil {
		return err
	}
	if err := db.makeSchemas(ctx, sites); err != nil {
		return err
	}
	through, stop, err := pgtest.StartBouncer(ctx, db.dsn, poolerConnections)
	if err != nil {
		return err
	}
	defer stop()
	b.results.Schemas, b.results.Machine.PostgreSQL = nil, db.version()
	rounds, connections := b.roundsOr(50), []int{1, 4, maxConnections}
	db.warm = sites * len(schemaReads.operations)
	if b.quick {
		rounds, connections, db.warm = b.roundsOr(6), []int{1, maxConnections}, db.warm/maxConnections
	}
	fmt.Fprintf(b.out, "\nReads in %d schemas: medians, and ratios within a round with their quartiles\n", sites)
	for _, way := range []struct {
		name, dsn string
		pooled    bool
	}{{readsDirect, db.dsn, false}, {readsPooled, through, true}} {
		w := *schemaReads
		w.name = way.name
		for _, connections := range connections {
			c, err := db.readInSchemas(ctx, &w, way.dsn, way.pooled, connections, rounds)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			b.results.Schemas = append(b.results.Schemas, c)
			b.reportCell(c)
		}
	}
	return nil
}

// readInSchemas lets the arms take turns, each with connections of its own.
func (db *database) readInSchemas(ctx context.Context, w *workload, dsn string, pooled bool, connections, rounds int) (c cell, err error) {
	in := *db
	if in.arms, err = newSchemaArms(dsn, pooled); err != nil {
		return c, err
	}
	defer in.arms.close()
	if err := in.arms.compare(ctx, in.admin, w); err != nil {
		return c, err
	}
	if c, err = in.takeTurns(ctx, w, connections, rounds, 25*time.Millisecond); err != nil || connections > 1 || pooled {
		return c, err
	}
	for i, arm := range in.arms.list {
		const used = "SELECT sum(total_bytes) / (1024.0 * 1024) FROM pg_backend_memory_contexts"
		err := arm.db.QueryRowContext(scoped.Disable(ctx, "what the reads have left there"), used).Scan(&c.Arms[i].ServerMiB)
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// makeSchemas makes the schemas of so many sites.
func (db *database) makeSchemas(ctx context.Context, sites int) error {
	for site := 1; site <= sites; site++ {
		if _, err := db.admin.Exec(ctx, fmt.Sprintf(makeSchema, site)); err != nil {
			return err
		}
	}
	_, err := db.admin.Exec(ctx, "VACUUM ANALYZE")
	return err
}

// newSchemaArms opens the arms. Through a pooler there are neither sessions nor,
// before PgBouncer 1.21, prepared statements.
func newSchemaArms(dsn string, pooled bool) (*arms, error) {
	p, err := policy.Parse("policy.yaml", []byte(schemaRules))
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	a := new(arms)
	connector := func(mode pgx.QueryExecMode, capacity int) driver.Connector {
		c := config.Copy()
		c.DefaultQueryExecMode, c.StatementCacheCapacity, c.DescriptionCacheCapacity = mode, capacity, capacity
		return stdlib.GetConnector(*c)
	}
	add := func(name string, c driver.Connector, run func(*sql.DB) runner) {
		db := a.open(sql.OpenDB(c))
		one := &arm{name: name, db: db, run: run(db)}
		if name != pathInTx {
			one.reference = pathInTx
		}
		a.list = append(a.list, one)
	}
	withPath := pgx.QueryExecModeCacheStatement
	if pooled {
		withPath = pgx.QueryExecModeExec
	}
	guarded := func(name string, mode pgx.QueryExecMode, capacity int) {
		c := scoped.NewConnector(connector(mode, capacity), p, scoped.WithLogger(slog.New(slog.DiscardHandler)))
		anew := func(ctx context.Context, site int) context.Context { return scoped.With(ctx, "site", site) }
		add(name, c, func(db *sql.DB) runner { return runScoped(db, anew, same) })
	}
	add(pathInTx, connector(withPath, schemaCapacity), runWithPath)
	// What is sent at once cannot be prepared before the path is set.
	add(pathInBatch, connector(pgx.QueryExecModeExec, 0), runBatchWithPath)
	guarded(schemaExec, pgx.QueryExecModeExec, 0)
	guarded(schemaDescr, pgx.QueryExecModeCacheDescribe, schemaCapacity)
	if !pooled {
		add(pathOfSession, connector(withPath, schemaCapacity), runWithPathOfSession)
		guarded(schemaStmts, pgx.QueryExecModeCacheStatement, schemaCapacity)
		guarded(schemaDefault, pgx.QueryExecModeCacheStatement, config.StatementCacheCapacity)
	}
	return a, nil
}

// toSchema returns what makes the tables of a site those that unqualified names mean.
func toSchema(set string, site int) string {
	return fmt.Sprintf("%s search_path = s_%d, public", set, site)
}

func runWithPath(db *sql.DB) runner {
	return func(ctx context.Context, o *operation, site int, args []any) (rows, error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return nil, err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, toSchema("SET LOCAL", site)); err != nil {
			return nil, err
		}
		r, err := o.run(ctx, tx, o.program, args)
		if err != nil {
			return nil, err
		}
		return r, tx.Commit()
	}
}

func runWithPathOfSession(db *sql.DB) runner {
	return func(ctx context.Context, o *operation, site int, args []any) (rows, error) {
		conn, err := db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		if _, err := conn.ExecContext(ctx, toSchema("SET", site)); err != nil {
			return nil, err
		}
		return o.run(ctx, conn, o.program, args)
	}
}

// runBatchWithPath is what an expert can make of one statement.
func runBatchWithPath(db *sql.DB) runner {
	return func(ctx context.Context, o *operation, site int, args []any) (all rows, err error) {
		conn, err := db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		batch := new(pgx.Batch)
		batch.Queue("BEGIN")
		batch.Queue("SELECT set_config('search_path', $1, true)", fmt.Sprintf("s_%d, public", site))
		batch.Queue(o.program, args...).Query(func(from pgx.Rows) (err error) {
			all, err = pgx.CollectRows(from, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
			return err
		})
		batch.Queue("COMMIT")
		err = conn.Raw(func(c any) error { return c.(*stdlib.Conn).Conn().SendBatch(ctx, batch).Close() })
		return all, err
	}
}
