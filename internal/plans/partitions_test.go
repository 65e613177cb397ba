package plans_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// Three tables with the site's column, all partitioned by it in one way, and one
// over a path. A template without a site is everybody's.
const partitionedSchema = `
CREATE TABLE event (site_id bigint NOT NULL, id bigint NOT NULL, kind text NOT NULL, PRIMARY KEY (site_id, id)) PARTITION BY %[1]s (site_id);
CREATE TABLE note (site_id bigint NOT NULL, id bigint NOT NULL, event_id bigint NOT NULL, body text NOT NULL) PARTITION BY %[1]s (site_id);
CREATE TABLE template (site_id bigint, id bigint NOT NULL, name text NOT NULL) PARTITION BY %[1]s (site_id);
CREATE TABLE tag (id bigint PRIMARY KEY, event_id bigint NOT NULL, tag text NOT NULL);
DO $$ BEGIN FOR n IN 0..7 LOOP
	EXECUTE format('CREATE TABLE event_%%s PARTITION OF event FOR VALUES %[2]s', n, n);
	EXECUTE format('CREATE TABLE note_%%s PARTITION OF note FOR VALUES %[2]s', n, n);
	EXECUTE format('CREATE TABLE template_%%s PARTITION OF template FOR VALUES %[2]s', n, n);
END LOOP; END $$;
%[3]s
INSERT INTO event SELECT g %% 8, g, 'kind ' || g %% 9 FROM generate_series(1, 8000) g;
INSERT INTO note SELECT g %% 8, g, g, 'note ' || g FROM generate_series(1, 8000) g;
INSERT INTO template SELECT nullif(g %% 8, 0), g, 'template ' || g FROM generate_series(1, 800) g;
INSERT INTO tag SELECT g, g, 'tag ' || g FROM generate_series(1, 8000) g;
ANALYZE;
`

const partitionedPolicy = `
version: 1
dimensions: {site: {type: bigint}}
tables:
  event:    {site: site_id}
  note:     {site: site_id, references: {event_id: event}}
  template: {site: {column: site_id, null: visible}}
  tag:      {site: event_id -> event}
`

var partitionings = []struct{ name, by, values, more string }{
	{"list", "LIST", "IN (%s)", "CREATE TABLE template_null PARTITION OF template FOR VALUES IN (NULL);"},
	{"hash", "HASH", "WITH (MODULUS 8, REMAINDER %s)", ""},
}

var overPartitions = []struct{ name, with, sql, scanned string }{
	{"a row", "11", "SELECT kind FROM event WHERE id = $1", "event"},
	{"all rows", "", "SELECT kind, count(*) FROM event GROUP BY kind", "event"},
	{"locked rows", "'kind 1'", "SELECT id FROM event WHERE kind = $1 LIMIT 1 FOR UPDATE SKIP LOCKED", "event"},
	{"a join", "11", "SELECT e.kind, n.body FROM event e JOIN note n ON n.event_id = e.id WHERE e.id = $1", "event note"},
	{"a join over the site", "", "SELECT e.kind, n.body FROM event e JOIN note n ON n.site_id = e.site_id AND n.event_id = e.id", "event note"},
	{"an outer join", "", "SELECT e.kind, n.body FROM event e LEFT JOIN note n ON n.event_id = e.id", "event note"},
	{"a full join", "", "SELECT e.kind, n.body FROM event e FULL JOIN note n ON n.event_id = e.id AND n.site_id = e.site_id", "event note"},
	{"a lateral join", "", "SELECT e.kind, l.body FROM event e, LATERAL (SELECT n.body FROM note n WHERE n.event_id = e.id LIMIT 1) l", "event note"},
	{"no such row", "", "SELECT e.kind FROM event e WHERE NOT EXISTS (SELECT FROM note n WHERE n.event_id = e.id)", "event note"},
	{"a set operation", "", "SELECT id FROM event EXCEPT SELECT event_id FROM note", "event note"},
	{"a WITH query", "", "WITH e AS MATERIALIZED (SELECT * FROM event) SELECT e.kind, n.body FROM e JOIN note n ON n.event_id = e.id", "event note"},
	{"a path", "11", "SELECT tag FROM tag WHERE event_id = $1", "event"},
	{"a path beside its parent", "", "SELECT e.kind, t.tag FROM event e JOIN tag t ON t.event_id = e.id", "event"},
	{"rows of nobody", "", "SELECT name FROM template", "template"},
	{"an insert", "8011", "INSERT INTO event (id, kind) VALUES ($1, 'new')", ""},
	{"an insert of a reference", "8011, 11", "INSERT INTO note (id, event_id, body) VALUES ($1, $2, 'new')", "event"},
	{"an insert over a path", "8011, 11", "INSERT INTO tag (id, event_id, tag) VALUES ($1, $2, 'new')", "event"},
	{"an insert from a query", "", "INSERT INTO note (id, event_id, body) SELECT id + 10000, id, kind FROM event", "event"},
	{"an upsert", "11", "INSERT INTO event (id, kind) VALUES ($1, 'new') ON CONFLICT (site_id, id) DO UPDATE SET kind = excluded.kind || event.kind RETURNING kind", ""},
	{"an update", "11", "UPDATE event SET kind = 'seen' WHERE id = $1", "event"},
	{"an update of all", "", "UPDATE event SET kind = 'seen' RETURNING id", "event"},
	{"an update from a join", "", "UPDATE event e SET kind = n.body FROM note n WHERE n.event_id = e.id", "event note"},
	{"an update of the site", "11, 3", "UPDATE event SET site_id = $2 WHERE id = $1", "event"},
	{"an update over a path", "11", "UPDATE tag SET tag = 'seen' WHERE event_id = $1", "event"},
	{"a deletion", "11", "DELETE FROM event WHERE id = $1", "event"},
	{"a deletion with a join", "", "DELETE FROM note n USING event e WHERE e.id = n.event_id AND e.kind = 'kind 1'", "event note"},
	{"a deletion over a path", "", "DELETE FROM tag", "event"},
	{"a queue", "'kind 1'", "UPDATE event SET kind = 'taken' WHERE id IN (SELECT q.id FROM event q WHERE q.kind = $1 ORDER BY q.id LIMIT 1 FOR UPDATE SKIP LOCKED)", "event"},
	{"a merge", "", "MERGE INTO event e USING note n ON e.id = n.event_id WHEN MATCHED THEN UPDATE SET kind = n.body WHEN NOT MATCHED THEN INSERT (id, kind) VALUES (n.id, n.body)", "event note"},
	{"a merge of values", "11", "MERGE INTO event e USING (VALUES ($1::bigint)) AS v (id) ON e.id = v.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id, kind) VALUES (v.id, 'new')", "event"},
}

var partitionOf = regexp.MustCompile(`^(event|note|template)_`)

// Every reference to a partitioned table scans the scope's partition and no
// other, whatever way the table is partitioned in and the statement is planned.
// With a generic plan the others are removed as the execution starts.
func TestPartitions(t *testing.T) {
	p, err := policy.Parse("partitions.yaml", []byte(partitionedPolicy))
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range partitionings {
		db := open(t)
		db.exec(t, fmt.Sprintf(partitionedSchema, by.by, by.values, by.more))
		var own []string
		for _, row := range db.exec(t, `SELECT tableoid::regclass FROM event WHERE site_id = 3 UNION SELECT tableoid::regclass FROM note WHERE site_id = 3
			UNION SELECT tableoid::regclass FROM template WHERE site_id = 3 OR site_id IS NULL`)[0].Rows {
			own = append(own, string(row[0]))
		}
		for _, planCache := range []string{"force_generic_plan", "force_custom_plan"} {
			db.exec(t, "SET plan_cache_mode = "+planCache)
			for _, s := range overPartitions {
				if db.version < 15 && strings.HasPrefix(s.sql, "MERGE") {
					continue
				}
				t.Run(by.name+"/"+planCache+"/"+s.name, func(t *testing.T) {
					r, err := rewrite.New(s.sql, p, shape(t, p, "site"))
					if err != nil {
						t.Fatal(err)
					}
					values := "(3)"
					if s.with != "" {
						values = "(" + s.with + ", 3)"
					}
					var scanned []string
					removed := false
					db.explain(t, execution{sql: r.SQL, values: values}).each(func(p *plan) {
						if n := p.property("Subplans Removed"); n != "" && n != "0" {
							removed = true
						}
						partition := p.property("Relation Name")
						of := partitionOf.FindStringSubmatch(partition)
						if of == nil || p.property("Operation") != "" {
							return
						}
						if !slices.Contains(own, partition) {
							t.Errorf("%s is scanned by %s", partition, r.SQL)
						}
						scanned = append(scanned, of[1])
					})
					slices.Sort(scanned)
					if got := strings.Join(slices.Compact(scanned), " "); got != s.scanned {
						t.Errorf("scanned are %q by %s", got, r.SQL)
					}
					if generic := planCache == "force_generic_plan"; removed != (generic && s.scanned != "") {
						t.Errorf("subplans are removed at the start of the execution: %v", removed)
					}
				})
			}
		}
	}
}
