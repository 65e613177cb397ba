package schemas

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

func TestRecord(t *testing.T) {
	p, err := policy.Parse("test.yaml", []byte(`version: 1
dimensions: {tenant: {schema: "t_{value}", template: blank, registry: admin.tenant}}
tables: {invoice: {tenant: schema}}
`))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, pgtest.DSN(t, `CREATE SCHEMA admin`))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	r := RecordOf(p.Dimension("tenant"))

	// Without the tables there is nothing to do.
	must(r.copied(ctx, conn, "blank", "t_a"))
	must(r.renamed(ctx, conn, "blank", "t_a"))
	must(r.dropped(ctx, conn, "t_a"))

	must(r.Create(ctx, conn))
	one, two := Migration{"1.sql", "aa"}, Migration{"2.sql", "bb"}
	must(r.Done(ctx, conn, "blank", one, two))
	must(r.Done(ctx, conn, "t_b", one))
	must(r.Failed(ctx, conn, "t_b", "no"))
	must(r.Done(ctx, conn, "t_c"))
	must(r.copied(ctx, conn, "blank", "t_a"))
	must(r.copied(ctx, conn, "blank", "t_gone"))
	must(r.copied(ctx, conn, "t_b", "t_gone"))
	must(r.Failed(ctx, conn, "t_gone", "no"))
	must(r.renamed(ctx, conn, "t_gone", "t_d"))
	must(r.copied(ctx, conn, "blank", "t_e"))
	must(r.dropped(ctx, conn, "t_e"))

	progress, err := r.Progress(ctx, conn, []Migration{one, two, {"3.sql", ""}})
	if want := map[string]int{"blank": 2, "t_a": 2, "t_b": 1, "t_d": 1}; err != nil || !maps.Equal(progress, want) {
		t.Errorf("got %v, %v, want %v", progress, err, want)
	}
	applied, err := r.Applied(ctx, conn, "t_a")
	if err != nil || !slices.Equal(applied, []Migration{one, two}) {
		t.Errorf("got %v, %v", applied, err)
	}
	changed, err := r.Changed(ctx, conn, []Migration{one, {"2.sql", "cc"}})
	if want := map[string]string{"2.sql": "blank"}; err != nil || !maps.Equal(changed, want) {
		t.Errorf("got %v, %v, want %v", changed, err, want)
	}
	states, err := r.States(ctx, conn)
	must(err)
	for schema, want := range map[string]string{"blank": "", "t_b": "no", "t_c": "", "t_d": "no"} {
		if s, ok := states[schema]; !ok || s.Error != want || s.UpdatedAt.IsZero() {
			t.Errorf("the state of %s is %+v, want the error %q", schema, s, want)
		}
	}
	if len(states) != 4 {
		t.Errorf("got %v", states)
	}
	must(r.Done(ctx, conn, "t_b", two))
	if states, err = r.States(ctx, conn); err != nil || states["t_b"].Error != "" {
		t.Errorf("got %v, %v", states, err)
	}
	if err := r.Done(ctx, conn, "t_b", two); err == nil {
		t.Error("a migration is recorded twice")
	}

	// Who may not create tables can use them.
	_, err = conn.Exec(ctx, `SET ROLE pg_read_all_data`)
	must(err)
	must(r.Create(ctx, conn))
}

// TestLock shows that who changes a schema waits for those who copy it, and they
// do not wait for one another.
func TestLock(t *testing.T) {
	ctx := t.Context()
	dsn := pgtest.DSN(t)
	var txs [3]pgx.Tx
	for i := range txs {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.WithoutCancel(ctx))
		if txs[i], err = conn.Begin(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for _, tx := range txs[:2] {
		if err := lockShared(ctx, tx, "t_a"); err != nil {
			t.Fatal(err)
		}
	}
	if err := Lock(ctx, txs[2], "t_b"); err != nil {
		t.Fatal(err)
	}
	var snapshots int
	if err := txs[2].QueryRow(ctx, `SELECT count(backend_xmin) FROM pg_stat_activity WHERE state = 'idle in transaction'`).Scan(&snapshots); err != nil || snapshots > 0 {
		t.Errorf("%d who hold a lock hold a snapshot too, %v", snapshots, err)
	}
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if err := Lock(short, txs[2], "t_a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
