package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/scoped-pgx/scoped/internal/corpus"
	"github.com/scoped-pgx/scoped/rewrite"
)

// A coldResult is what the rewriting of statements that were not seen before
// costs, certificate included, beside the parsing of the same text.
type coldResult struct {
	Statements string  `json:"statements"` // which
	Count      int     `json:"count"`
	Parse      spread  `json:"parse_us"`
	Rewrite    spread  `json:"rewrite_us"`
	Ratio      spread  `json:"ratio"`
	Ratio95    float64 `json:"ratio_p95"`
	// Of the sums of all times, which are those of the large statements.
	RatioOfSums float64 `json:"ratio_of_sums"`
	Allocations float64 `json:"allocations"` // of a rewrite, in the mean
	Bytes       float64 `json:"bytes"`
}

// A coldSample is a statement of the corpora with its times, in µs, by round.
type coldSample struct {
	corpus.Sample
	parse, rewrite, ratio float64 // medians
	objects, bytes        float64
}

func (b *bench) cold(context.Context) error {
	dir, err := corpus.Dir()
	if err != nil {
		return err
	}
	texts, err := corpus.Read(dir)
	if err != nil {
		return err
	}
	if b.quick {
		texts = corpus.Every(texts, 10)
	}
	var samples []coldSample
	for _, scheme := range corpus.Schemes {
		of, err := corpus.Samples(texts, scheme)
		if err != nil {
			return err
		}
		for _, s := range of {
			samples = append(samples, coldSample{Sample: s})
		}
	}
	if err := timeCold(samples, b.roundsOr(5)); err != nil {
		return err
	}

	b.results.Cold = nil
	add := func(name string, match func(coldSample) bool) {
		if r := coldOf(name, samples, match); r.Count > 0 {
			b.results.Cold = append(b.results.Cold, r)
		}
	}
	add("all", func(coldSample) bool { return true })
	for _, scheme := range corpus.Schemes {
		add("scoped as in "+scheme.String(), func(s coldSample) bool { return s.Scheme == scheme })
	}
	for _, kind := range corpus.Kinds {
		add(kind.String(), func(s coldSample) bool { return s.Kind == kind })
	}
	b.reportCold()
	if b.verbose {
		b.reportSlowest(samples)
	}
	return nil
}

// timeCold fills in the times. In each round the statements come one after the
// other, so that none finds the processor's caches as its last run left them.
func timeCold(samples []coldSample, rounds int) error {
	parses, rewrites := make([][]float64, len(samples)), make([][]float64, len(samples))
	for round := range rounds {
		for i, s := range samples {
			// Whoever comes second finds the text in the caches.
			var parsed, rewritten time.Duration
			var parseErr, rewriteErr error
			if (round+i)%2 == 0 {
				parsed, parseErr = timed(func() error { return parse(s.SQL) })
				rewritten, rewriteErr = timed(s.rewriteIt)
			} else {
				rewritten, rewriteErr = timed(s.rewriteIt)
				parsed, parseErr = timed(func() error { return parse(s.SQL) })
			}
			if err := cmp.Or(parseErr, rewriteErr); err != nil {
				return fmt.Errorf("%s: %w", s.SQL, err)
			}
			parses[i] = append(parses[i], microseconds(parsed))
			rewrites[i] = append(rewrites[i], microseconds(rewritten))
		}
	}
	for i := range samples {
		s := &samples[i]
		s.parse, s.rewrite, s.ratio = median(parses[i]), median(rewrites[i]), median(ratios(rewrites[i], parses[i]))
		s.objects, s.bytes = allocations(s.rewriteIt)
	}
	return nil
}

func (s coldSample) rewriteIt() error {
	_, err := rewrite.New(s.SQL, s.Policy, s.Shape)
	return err
}

func coldOf(name string, samples []coldSample, match func(coldSample) bool) coldResult {
	var parses, rewrites, ratios []float64
	var r = coldResult{Statements: name}
	var parse, rewrite float64
	for _, s := range samples {
		if !match(s) {
			continue
		}
		r.Count++
		parses, rewrites, ratios = append(parses, s.parse), append(rewrites, s.rewrite), append(ratios, s.ratio)
		parse += s.parse
		rewrite += s.rewrite
		r.Allocations += s.objects
		r.Bytes += s.bytes
	}
	r.Parse, r.Rewrite, r.Ratio = spreadOf(parses), spreadOf(rewrites), spreadOf(ratios)
	slices.Sort(ratios)
	r.Ratio95, r.RatioOfSums = quantile(ratios, 0.95), rewrite/parse
	r.Allocations /= float64(r.Count)
	r.Bytes /= float64(r.Count)
	return r
}

func (b *bench) reportCold() {
	fmt.Fprintf(b.out, "\nCold: a statement of the corpora, rewritten and certified, beside the parser alone; µs, medians\n\n")
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "statements\tcount\tparse\trewrite\tratio\tquartiles\tp95\tof sums\tallocations\tKB\t")
	for _, r := range b.results.Cold {
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\t%.2f\t%.2f–%.2f\t%.2f\t%.2f\t%.0f\t%.1f\t\n", r.Statements, r.Count, r.Parse.Median,
			r.Rewrite.Median, r.Ratio.Median, r.Ratio.Q1, r.Ratio.Q3, r.Ratio95, r.RatioOfSums, r.Allocations, r.Bytes/1000)
	}
	w.Flush()
}

// reportSlowest prints the statements that cost most beside their parsing.
func (b *bench) reportSlowest(samples []coldSample) {
	slices.SortFunc(samples, func(a, b coldSample) int { return cmp.Compare(b.ratio, a.ratio) })
	for _, s := range samples[:min(20, len(samples))] {
		fmt.Fprintf(b.out, "%6.2f  %7.1f µs  %s  %.160s\n", s.ratio, s.rewrite, s.Scheme, strings.Join(strings.Fields(s.SQL), " "))
	}
}
