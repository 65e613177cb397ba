package main

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"
)

// A spread is a median with the quartiles around it.
type spread struct {
	Median float64 `json:"median"`
	Q1     float64 `json:"q1"`
	Q3     float64 `json:"q3"`
}

// String returns the median and the quartiles as two cells of a table.
func (s *spread) String() string {
	if s == nil {
		return "\t"
	}
	return fmt.Sprintf("%.3f\t%.3f–%.3f", s.Median, s.Q1, s.Q3)
}

func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	return spread{quantile(sorted, 0.5), quantile(sorted, 0.25), quantile(sorted, 0.75)}
}

func median(values []float64) float64 { return spreadOf(values).Median }

// quantile returns the value below which the share q of sorted values lies,
// between two of them in proportion. Of no values it is NaN.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

// ratios divides what was measured in the same round.
func ratios(of, to []float64) []float64 {
	r := make([]float64, len(of))
	for i := range of {
		r[i] = of[i] / to[i]
	}
	return r
}

// allocated returns what Go's heap has given out so far.
func allocated() (objects, bytes uint64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs, m.TotalAlloc
}

// allocations returns what one run of f allocates.
func allocations(f func() error) (objects, bytes float64) {
	o, b := allocated()
	_ = f() // whose error was seen in another run
	objectsAfter, bytesAfter := allocated()
	return float64(objectsAfter - o), float64(bytesAfter - b)
}

func timed(f func() error) (time.Duration, error) {
	start := time.Now()
	err := f()
	return time.Since(start), err
}

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
