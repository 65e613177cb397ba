package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// A cell is a workload on a number of connections.
type cell struct {
	Workload    string      `json:"workload"`
	Connections int         `json:"connections"`
	Arms        []armResult `json:"arms"`
}

// An armResult is what an arm made of a cell: the latency over all operations, the
// throughput over the rounds, and their ratios to the arm that is its reference,
// each between the medians of one round.
type armResult struct {
	Arm             string  `json:"arm"`
	Reference       string  `json:"reference,omitempty"`
	Latency         spread  `json:"latency_us"`
	Throughput      spread  `json:"per_second"`
	LatencyRatio    *spread `json:"latency_ratio,omitempty"`
	ThroughputRatio *spread `json:"throughput_ratio,omitempty"`
	Allocations     float64 `json:"allocations"` // of the program, for an operation
	// ServerMiB is the memory of the server's process, of one connection that has
	// been used for all tenants.
	ServerMiB float64 `json:"server_mib,omitempty"`
}

// workloads runs every workload on 1, 4 and 16 connections.
func (b *bench) workloads(ctx context.Context) error {
	db, err := openDatabase(ctx)
	if err != nil {
		return err
	}
	defer db.close()
	b.results.Workloads, b.results.Machine.PostgreSQL = nil, db.version()
	rounds, connections := b.roundsOr(50), []int{1, 4, maxConnections}
	if b.quick {
		rounds, connections = b.roundsOr(6), []int{1, maxConnections}
	}
	fmt.Fprintf(b.out, "\nWorkloads: medians, and ratios within a round with their quartiles\n")
	for _, w := range workloads {
		if b.workload != "" && b.workload != w.name {
			continue
		}
		if err := db.arms.compare(ctx, db.admin, w); err != nil {
			return err
		}
		for _, connections := range connections {
			rounds, slice := rounds, 25*time.Millisecond
			if w.slow {
				rounds = (rounds + 1) / 2
			}
			if connections == 1 {
				// The shorter the turns the more what else runs on the machine strikes
				// all alike.
				rounds, slice = 5*rounds, slice/5
			}
			c, err := db.takeTurns(ctx, w, connections, rounds, slice)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			b.results.Workloads = append(b.results.Workloads, c)
			b.reportCell(c)
		}
	}
	return nil
}

// takeTurns lets the arms take turns, in each round in another order.
func (db *database) takeTurns(ctx context.Context, w *workload, connections, rounds int, slice time.Duration) (cell, error) {
	arms := db.arms.of(w)
	operations, latencies, throughputs := make([][]float64, len(arms)), make([][]float64, len(arms)), make([][]float64, len(arms))
	order := rand.New(rand.NewPCG(1, uint64(connections)))
	for round := range rounds {
		// What was written is taken back now and then. The server makes its plans
		// anew for that, so each connection is warmed up, at first until its plans
		// are generic, which they are with the sixth execution.
		if round%max(rounds/5, 1) == 0 {
			if err := db.reset(ctx, w); err != nil {
				return cell{}, err
			}
			for _, arm := range arms {
				t := turn{arm: arm, workload: w, tenants: db.tenants, connections: connections, least: 1}
				if round == 0 {
					t.least = max(6, db.warm)
				}
				if arm.perTenant {
					t.least *= db.tenants / connections
				}
				if _, _, err := t.run(ctx); err != nil {
					return cell{}, fmt.Errorf("%s: %w", arm.name, err)
				}
			}
		}
		for _, a := range order.Perm(len(arms)) {
			t := turn{arm: arms[a], workload: w, tenants: db.tenants, connections: connections, first: (round + 1) * 1000, slice: slice, least: 1}
			each, throughput, err := t.run(ctx)
			if err != nil {
				return cell{}, fmt.Errorf("%s: %w", arms[a].name, err)
			}
			operations[a] = append(operations[a], each...)
			latencies[a], throughputs[a] = append(latencies[a], median(each)), append(throughputs[a], throughput)
		}
	}
	c := cell{Workload: w.name, Connections: connections}
	for a, each := range arms {
		r := armResult{Arm: each.name, Reference: each.reference, Latency: spreadOf(operations[a]), Throughput: spreadOf(throughputs[a])}
		to := slices.IndexFunc(arms, func(other *arm) bool { return other.name == each.reference })
		if to >= 0 {
			latency, throughput := spreadOf(ratios(latencies[a], latencies[to])), spreadOf(ratios(throughputs[a], throughputs[to]))
			r.LatencyRatio, r.ThroughputRatio = &latency, &throughput
		}
		t := turn{arm: each, workload: w, tenants: db.tenants, connections: connections, least: 60 / connections}
		before, _ := allocated()
		if _, _, err := t.run(ctx); err != nil {
			return cell{}, fmt.Errorf("%s: %w", each.name, err)
		}
		after, _ := allocated()
		r.Allocations = math.Round(float64(after-before) / float64(t.least*connections))
		c.Arms = append(c.Arms, r)
	}
	return c, db.reset(ctx, w)
}

// reset takes back what the operations of a workload wrote.
func (db *database) reset(ctx context.Context, w *workload) error {
	for _, o := range w.operations {
		if o.reset == "" {
			continue
		}
		if _, err := db.admin.Exec(ctx, o.reset); err != nil {
			return err
		}
	}
	return nil
}

// A turn is one arm's in one round.
type turn struct {
	arm         *arm
	workload    *workload
	tenants     int
	connections int
	first       int           // the number of the first operation
	slice       time.Duration // for which the workers go on
	least       int           // operations of each worker, whatever the time
}

// run returns the latency of each operation in µs, and the operations per second.
func (t turn) run(ctx context.Context) (latencies []float64, throughput float64, err error) {
	type outcome struct {
		latencies []float64
		rate      float64
		err       error
	}
	outcomes := make([]outcome, t.connections)
	var workers sync.WaitGroup
	start := time.Now()
	for worker := range t.connections {
		workers.Go(func() {
			o := &outcomes[worker]
			o.latencies, o.err = t.work(ctx, worker, start)
			o.rate = float64(len(o.latencies)) / time.Since(start).Seconds()
		})
	}
	workers.Wait()
	for _, o := range outcomes {
		if o.err != nil {
			return nil, 0, o.err
		}
		latencies = append(latencies, o.latencies...)
		throughput += o.rate
	}
	return latencies, throughput, nil
}

// work runs operations for one worker, whose tenants are no other's.
func (t turn) work(ctx context.Context, worker int, start time.Time) (latencies []float64, err error) {
	own := t.tenants / t.connections
	for i := 0; i < t.least || time.Since(start) < t.slice; i++ {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		n := t.first + i
		site := 1 + worker + t.connections*(n%own)
		o := t.workload.operation(n)
		args := o.args(site, n)
		began := time.Now()
		r, err := t.arm.run(ctx, o, site, args)
		latencies = append(latencies, microseconds(time.Since(began)))
		if err != nil {
			return nil, err
		}
		// No arm shall be fast because it finds nothing.
		if len(r) == 0 || o.writes && r[0][0] == int64(0) {
			return nil, fmt.Errorf("%s of site %d: no rows", t.workload.name, site)
		}
	}
	return latencies, nil
}

func (b *bench) reportCell(c cell) {
	fmt.Fprintf(b.out, "\n%s, connections: %d\n\n", c.Workload, c.Connections)
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "arm\tµs\tratio\tquartiles\tper second\tratio\tquartiles\tallocations\t")
	for _, a := range c.Arms {
		fmt.Fprintf(w, "%s\t%.1f\t%s\t%.0f\t%s\t%.0f\t\n", a.Arm, a.Latency.Median, a.LatencyRatio, a.Throughput.Median, a.ThroughputRatio, a.Allocations)
	}
	w.Flush()
}
