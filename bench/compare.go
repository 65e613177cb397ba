package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// compare runs the operations of a workload under each of its arms. All must
// return and write the same, and nothing of another site.
func (a *arms) compare(ctx context.Context, admin *pgx.Conn, w *workload) error {
	for _, o := range w.operations {
		for i := range 4 {
			site, other := 1+i*13%tenants, 2+i*13%tenants
			var want string
			for _, arm := range a.of(w) {
				got, n, err := o.outcome(ctx, admin, arm, site, o.args(site, i*37))
				switch {
				case err != nil:
					return fmt.Errorf("%s: %s: %w", w.name, arm.name, err)
				case n == 0:
					return fmt.Errorf("%s: %s finds no rows", w.name, arm.name)
				case want == "":
					want = got
				case got != want:
					return fmt.Errorf("%s: %s returns and writes\n%.2000s\nand others\n%.2000s", w.name, arm.name, got, want)
				}
				if !o.byKey {
					continue
				}
				if got, n, err := o.outcome(ctx, admin, arm, site, o.args(other, i*37)); err != nil || n != 0 {
					return fmt.Errorf("%s: %s returns or writes rows of another site: %.2000s %w", w.name, arm.name, got, err)
				}
			}
		}
	}
	return nil
}

// outcome returns what an operation returned and wrote, and how many rows.
func (o *operation) outcome(ctx context.Context, admin *pgx.Conn, a *arm, site int, args []any) (string, int64, error) {
	returned, err := a.run(ctx, o, site, args)
	if err != nil || !o.writes {
		return fmt.Sprint(returned), int64(len(returned)), err
	}
	n := returned[0][0].(int64)
	written, err := admin.Query(ctx, o.state)
	if err != nil {
		return "", 0, err
	}
	state, err := pgx.CollectRows(written, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
	if err != nil {
		return "", 0, err
	}
	if int64(len(state)) != n {
		return "", 0, fmt.Errorf("%d rows were written, and it is said that %d were", len(state), n)
	}
	_, err = admin.Exec(ctx, o.reset)
	return fmt.Sprint(state), n, err
}
