// Bench measures what scoped costs beside what it replaces, in one interleaved
// run: pgx with the filter that an expert writes by hand, and row-level security
// with a setting per transaction. It prints medians, their spread, and ratios.
// Only the ratios of one run mean anything: machines differ and are shared.
//
//	go run ./bench [-rounds n] [-statements n]
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

const schema = `
CREATE TABLE post (id bigint PRIMARY KEY, site_id bigint NOT NULL, title text NOT NULL);
CREATE TABLE comment (id bigint PRIMARY KEY, post_id bigint NOT NULL REFERENCES post, body text NOT NULL);
INSERT INTO post SELECT g, g % 100 + 1, 'post ' || g FROM generate_series(1, 20000) g;
INSERT INTO comment SELECT g, g % 20000 + 1, 'comment ' || g FROM generate_series(1, 100000) g;
CREATE INDEX ON post (site_id);
CREATE INDEX ON comment (post_id);
ANALYZE;
CREATE ROLE bench_reader;
GRANT SELECT ON post, comment TO bench_reader;
ALTER TABLE post ENABLE ROW LEVEL SECURITY;
ALTER TABLE comment ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON post USING (site_id = current_setting('bench.site')::bigint);
CREATE POLICY p ON comment USING (post_id IN (SELECT id FROM post));`

const rules = `
version: 1
dimensions: {site: {type: bigint}}
tables: {post: {site: site_id}, comment: {site: post_id -> post}}`

// A workload is one statement, as the program has it and with its filter.
type workload struct {
	name, sql, byHand string
	id                func(site, i int) int64
}

var workloads = []workload{
	{
		"point read", "SELECT title FROM post WHERE id = $1",
		"SELECT title FROM post WHERE id = $1 AND site_id = $2",
		postOf,
	},
	{
		"path read", "SELECT body FROM comment WHERE id = $1",
		"SELECT c.body FROM comment c JOIN post p ON p.id = c.post_id WHERE c.id = $1 AND p.site_id = $2",
		commentOf,
	},
	{
		"join read", "SELECT count(*), max(c.body) FROM post p JOIN comment c ON c.post_id = p.id WHERE p.id = $1",
		"SELECT count(*), max(c.body) FROM post p JOIN comment c ON c.post_id = p.id WHERE p.id = $1 AND p.site_id = $2",
		postOf,
	},
}

// postOf and commentOf return ids that site has.
func postOf(site, i int) int64    { return int64((i%199+1)*100 + site - 1) }
func commentOf(site, i int) int64 { return int64((i%900+1)*100 + (site+98)%100) }

func main() {
	log.SetFlags(0)
	rounds := flag.Int("rounds", 15, "rounds in which the arms take turns")
	statements := flag.Int("statements", 1000, "statements of each arm in a round")
	flag.Parse()
	if err := run(context.Background(), *rounds, *statements); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, rounds, statements int) error {
	server, err := pgtest.Start(ctx)
	if err != nil {
		return err
	}
	defer server.Stop()
	dsn, err := server.CreateDatabase(ctx, schema)
	if err != nil {
		return err
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return err
	}
	p, err := policy.Parse("bench.yaml", []byte(rules))
	if err != nil {
		return err
	}
	plain := sql.OpenDB(stdlib.GetConnector(*config))
	guarded := sql.OpenDB(scoped.NewConnector(stdlib.GetConnector(*config), p))
	asReader := config.Copy()
	asReader.RuntimeParams["role"] = "bench_reader"
	secured := sql.OpenDB(stdlib.GetConnector(*asReader))
	for _, db := range []*sql.DB{plain, guarded, secured} {
		defer db.Close()
		db.SetMaxOpenConns(1)
	}

	fmt.Printf("%d rounds of %d statements, one connection over a Unix socket; microseconds a statement\n\n", rounds, statements)
	fmt.Printf("%-12s %-28s %8s %8s %8s %8s\n", "workload", "arm", "min", "median", "max", "ratio")
	for _, w := range workloads {
		arms := []struct {
			name string
			run  func(site, i int) error
		}{
			{"pgx, filter by hand", func(site, i int) error { return read(ctx, plain, w.byHand, w.id(site, i), int64(site)) }},
			{"scoped", func(site, i int) error {
				return read(scoped.With(ctx, "site", site), guarded, w.sql, w.id(site, i))
			}},
			{"row-level security, SET LOCAL", func(site, i int) error { return readSecured(ctx, secured, w.sql, site, w.id(site, i)) }},
		}
		times := make([][]float64, len(arms))
		for round := -1; round < rounds; round++ { // the first warms up
			for a, arm := range arms {
				start := time.Now()
				for i := range statements {
					if err := arm.run(i%100+1, i); err != nil {
						return fmt.Errorf("%s, %s: %w", w.name, arm.name, err)
					}
				}
				if round >= 0 {
					times[a] = append(times[a], float64(time.Since(start).Microseconds())/float64(statements))
				}
			}
		}
		for a, arm := range arms {
			ratios := make([]float64, rounds)
			for i := range ratios {
				ratios[i] = times[a][i] / times[0][i]
			}
			fmt.Printf("%-12s %-28s %8.1f %8.1f %8.1f %8.2f\n", w.name, arm.name,
				slices.Min(times[a]), median(times[a]), slices.Max(times[a]), median(ratios))
		}
		fmt.Println()
	}
	return nil
}

// read demands one row, so that no arm is fast because it finds nothing.
func read(ctx context.Context, db *sql.DB, query string, args ...any) error {
	return scan(db.QueryContext(ctx, query, args...))
}

func readSecured(ctx context.Context, db *sql.DB, query string, site int, id int64) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "SELECT set_config('bench.site', $1, true)", fmt.Sprint(site)); err != nil {
		return err
	}
	if err := scan(tx.QueryContext(ctx, query, id)); err != nil {
		return err
	}
	return tx.Commit()
}

func scan(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(any)
	}
	found := 0
	for rows.Next() {
		if err := rows.Scan(values...); err != nil {
			return err
		}
		found++
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if found != 1 {
		return fmt.Errorf("%d rows instead of one", found)
	}
	return nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
