package isolation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Options say what a run does.
type Options struct {
	Selects, Writes int
	Seed            uint64
	Scope           Scope
	Workers         int
	Security        bool     // also ask row-level security
	Faults          bool     // generate also what meets a known fault
	Texts           []string // run these statements instead of generated ones
}

// Run generates statements and asks an oracle of each. What it finds depends on
// the seed and the numbers alone, not on the number of workers.
func Run(ctx context.Context, create CreateDatabase, o Options) (*Report, error) {
	total := newReport()
	var (
		next   atomic.Int64
		lock   sync.Mutex
		wait   sync.WaitGroup
		failed error
	)
	for range max(o.Workers, 1) {
		wait.Go(func() {
			report, err := work(ctx, create, o, &next)
			lock.Lock()
			defer lock.Unlock()
			failed = errors.Join(failed, err)
			if report != nil {
				total.merge(report)
			}
		})
	}
	wait.Wait()
	return total, failed
}

func work(ctx context.Context, create CreateDatabase, o Options, next *atomic.Int64) (*Report, error) {
	oracle, err := NewOracle(ctx, create, o.Scope, o.Security)
	if err != nil {
		return nil, err
	}
	defer oracle.Close()
	report := newReport()
	for {
		i := int(next.Add(1) - 1)
		if o.Texts != nil {
			if i >= len(o.Texts) {
				return report, nil
			}
			f := Finding{Name: fmt.Sprintf("text %d, scope %s", i, o.Scope.Name), Scope: o.Scope.Name, SQL: o.Texts[i], Plan: i % Plans}
			if err := ask(ctx, oracle, report, f); err != nil {
				return report, err
			}
			continue
		}
		write := i >= o.Selects
		f := Finding{Name: fmt.Sprintf("seed %d, scope %s, SELECT %d", o.Seed, o.Scope.Name, i), Scope: o.Scope.Name, Plan: i % Plans}
		n := i
		if write {
			n = i - o.Selects
			if n >= o.Writes {
				return report, nil
			}
			f.Name = fmt.Sprintf("seed %d, scope %s, write %d", o.Seed, o.Scope.Name, n)
			f.Plan = n % Plans
		}
		f.SQL = Generate(o.Seed, uint64(n), write, o.Faults)
		if err := ask(ctx, oracle, report, f); err != nil {
			return report, err
		}
	}
}

func ask(ctx context.Context, oracle *Oracle, report *Report, f Finding) error {
	result, err := oracle.Ask(ctx, f.SQL, f.Plan)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", f.Name, f.SQL, err)
	}
	report.add(f, result)
	return nil
}
