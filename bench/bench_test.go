package main

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scoped-pgx/scoped/internal/pgtest"
)

// Every arm returns the same rows and writes the same.
func TestArmsAgree(t *testing.T) {
	db := testDatabase(t)
	for _, w := range workloads {
		t.Run(w.name, func(t *testing.T) {
			if err := db.arms.compare(t.Context(), db.admin, w); err != nil {
				t.Error(err)
			}
		})
	}
}

// So do those that read in schemas, directly and through a pooler.
func TestSchemaArmsAgree(t *testing.T) {
	db := testDatabase(t)
	if err := db.makeSchemas(t.Context(), tenants+1); err != nil {
		t.Fatal(err)
	}
	for _, way := range []struct {
		dsn    string
		pooled bool
	}{{db.dsn, false}, {pgtest.Bouncer(t, db.dsn, poolerConnections), true}} {
		c, err := db.readInSchemas(t.Context(), schemaReads, way.dsn, way.pooled, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range c.Arms {
			if a.Throughput.Median <= 0 || (a.ServerMiB > 0) == way.pooled || (a.LatencyRatio == nil) != (a.Arm == pathInTx) {
				t.Errorf("got %+v", a)
			}
		}
	}
}

// The comparison sees an arm that forgets the filter, and one that returns less.
func TestCompare(t *testing.T) {
	db := testDatabase(t)
	for name, broken := range map[string]struct {
		byHand, says string
	}{
		"forgotten filter": {"SELECT title AS v0 FROM post WHERE id = $1 AND $2 > 0", "rows of another site"},
		"nothing":          {"SELECT title AS v0 FROM post WHERE id = $1 AND $2 < 0", "finds no rows"},
		"something else":   {"SELECT title || '!' AS v0 FROM post WHERE id = $1 AND site_id = $2", "returns and writes"},
	} {
		o := *pointRead
		o.byHand = broken.byHand
		err := db.arms.compare(t.Context(), db.admin, &workload{name: "broken", operations: []*operation{&o}})
		if err == nil || !strings.Contains(err.Error(), broken.says) {
			t.Errorf("%s: got %v, want %q", name, err, broken.says)
		}
	}
}

// Each arm has its turn in each round, with every number of connections.
func TestTakeTurns(t *testing.T) {
	db := testDatabase(t)
	for _, connections := range []int{1, maxConnections} {
		c, err := db.takeTurns(t.Context(), workloads[0], connections, 2, time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Arms) != len(db.arms.list) {
			t.Errorf("%d of %d arms", len(c.Arms), len(db.arms.list))
		}
		for _, a := range c.Arms {
			if a.Latency.Median <= 0 || a.Throughput.Median <= 0 || (a.LatencyRatio == nil) != (a.Arm == byHand) {
				t.Errorf("got %+v", a)
			}
		}
	}
}

// The tests share a database, which ends with the process.
var shared = sync.OnceValues(func() (*database, error) { return openDatabase(context.Background()) })

func testDatabase(t *testing.T) *database {
	t.Helper()
	db, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return db
}
