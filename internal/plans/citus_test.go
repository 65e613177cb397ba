package plans_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

var (
	createTable = regexp.MustCompile(`(?m)^CREATE TABLE (\w+) \((.*)\)(.*);$`)
	addKeys     = regexp.MustCompile(`(?m)^ALTER TABLE (\w+) ADD (PRIMARY KEY .*);$`)
	indirect    = regexp.MustCompile(`\{site: (\w+ -> \w+|\[.*?\]|\{.*?\})`)
	taskCount   = regexp.MustCompile(`"Task Count": (\d+)`)
)

// citusPolicy is the policy of the comparisons with the site's column in every
// table that is scoped on the site: on Citus that column distributes a table.
func citusPolicy(t *testing.T) *policy.Policy {
	t.Helper()
	data, err := os.ReadFile("testdata/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := indirect.ReplaceAllString(string(data), "{site: site_id") + "search_path: [scoped_plans]\n"
	p, err := policy.Parse("policy.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// distribute makes the tables of the comparisons, distributed by the site or, if
// they are not scoped on it, on every node.
func (db database) distribute(t *testing.T, p *policy.Policy) {
	t.Helper()
	schema, err := os.ReadFile("testdata/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	db.exec(t, "DROP SCHEMA IF EXISTS scoped_plans CASCADE; CREATE SCHEMA scoped_plans; SET search_path = scoped_plans")
	bySite := func(table string) bool {
		return slices.ContainsFunc(p.Table("", table).Scopings, func(s policy.Scoping) bool { return s.Dimension.Name == "site" })
	}
	for _, found := range createTable.FindAllStringSubmatch(string(schema), -1) {
		table, columns, partitioned := found[1], found[2], found[3]
		distribute := "create_reference_table('%s')"
		if bySite(table) {
			distribute = "create_distributed_table('%s', 'site_id')"
			if !strings.Contains(columns, " site_id ") {
				columns += ", site_id bigint NOT NULL"
			}
		}
		db.exec(t, fmt.Sprintf("CREATE TABLE %s (%s)%s", table, columns, partitioned))
		db.exec(t, fmt.Sprintf("SELECT "+distribute, table))
	}
	for _, found := range addKeys.FindAllStringSubmatch(string(schema), -1) {
		table, keys := found[1], found[2]
		if bySite(table) && !strings.HasPrefix(keys, "PRIMARY KEY (site_id") {
			keys = strings.Replace(keys, "(", "(site_id, ", 1)
		}
		for _, key := range strings.Split(keys, ", ADD ") { // Citus takes one at a time
			db.exec(t, "ALTER TABLE "+table+" ADD "+key)
		}
	}
}

// Every statement of one site is one task, of one node, also in its seventh
// execution: after five PostgreSQL may choose a generic plan.
func TestCitus(t *testing.T) {
	dsn := os.Getenv("SCOPED_CITUS_DSN")
	if dsn == "" {
		t.Skip("SCOPED_CITUS_DSN is not set, the URL of a database with Citus, where the schema scoped_plans is made anew")
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	db, p := database{Conn: conn}, citusPolicy(t)
	db.distribute(t, p)
	files, err := filepath.Glob("testdata/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, c := range readComparisons(t, file) {
			if !slices.Contains(strings.Split(c.scope, ", "), "site") {
				continue // of several sites, or of a user's rows on any
			}
			t.Run(filepath.Base(file)+"/"+c.name, func(t *testing.T) {
				r, err := rewrite.New(c.blocks[0], p, shape(t, p, c.scope))
				if err != nil {
					t.Fatal(err)
				}
				var dimensions []string
				for _, a := range r.Args {
					dimensions = append(dimensions, a.Name)
				}
				e := c.bind(r.SQL, modes[1], r.Params, dimensions)
				db.exec(t, "PREPARE statement AS "+e.sql)
				defer db.exec(t, "DEALLOCATE statement")
				explain := "EXPLAIN (FORMAT JSON) EXECUTE statement" + e.values
				if c.name == "An insert from a query" { // Citus 13.2 executes it with parameters, but cannot explain that, by hand either
					explain = "EXPLAIN (FORMAT JSON) " + strings.ReplaceAll(e.sql, "$1", modes[1].values["site"])
				}
				for range 7 {
					plan := db.exec(t, explain)[0].Rows[0][0]
					if tasks := taskCount.FindAllSubmatch(plan, -1); len(tasks) != 1 || string(tasks[0][1]) != "1" {
						t.Fatalf("%s\n%s", e.sql, plan)
					}
				}
			})
		}
	}
}
