package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var updateGolden = flag.Bool("update", false, "write the golden files of testdata")

// What is written of results is that of testdata. The charts can be looked at there.
func TestReports(t *testing.T) {
	r, err := readResults("testdata/results.json")
	if err != nil {
		t.Fatal(err)
	}
	var terminal bytes.Buffer
	b := &bench{out: &terminal, results: r}
	for _, c := range r.Workloads {
		b.reportCell(c)
	}
	for _, c := range r.Schemas {
		b.reportCell(c)
	}
	for _, s := range r.Migrations.Among {
		b.reportMigrations(s)
	}
	b.reportLookups()
	b.reportCold()
	for _, c := range r.Scale {
		b.reportCurve(c)
	}
	b.reportTargets()
	golden := r.charts()
	golden["terminal.txt"], golden["report.md"], golden["summary.md"] = terminal.String(), r.markdown(), r.summary()
	for name, got := range golden {
		path := filepath.Join("testdata", filepath.Base(name))
		if *updateGolden {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs; go test . -update writes\n%s", path, got)
		}
	}
}

// A run writes below a root that has the documents, and changes nothing there
// but what is between the marks.
func TestPublish(t *testing.T) {
	r, err := readResults("testdata/results.json")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	documents := map[string]string{readmeFile: r.summary(), reportFile: r.markdown(), schemasFile: r.Migrations.markdown()}
	for name := range documents {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("before\n"+beginMark+"old\n"+endMark+"after\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time over the first, without what is run apart
		if err := r.publish(root); err != nil {
			t.Fatal(err)
		}
		r.Migrations = nil
	}
	for name, between := range documents {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if want := "before\n" + beginMark + between + endMark + "after\n"; string(got) != want {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
		}
	}
	read, err := readResults(filepath.Join(root, resultsFile))
	if err != nil || read.summary() != r.summary() {
		t.Errorf("what was written reads as\n%s\n%v", read.summary(), err)
	}
	r.Cold = nil
	if r.publish(root) == nil {
		t.Error("results without a section were written")
	}
}

// The documents have the marks that a run looks for.
func TestDocumentsHaveMarks(t *testing.T) {
	for _, name := range []string{readmeFile, reportFile, schemasFile} {
		data, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		begin, end := bytes.Index(data, []byte(beginMark)), bytes.Index(data, []byte(endMark))
		if begin < 0 || end < begin {
			t.Errorf("%s lacks the marks", name)
		}
	}
}

func TestQuantile(t *testing.T) {
	for _, c := range []struct{ q, want float64 }{{0, 1}, {0.25, 2}, {0.5, 3}, {0.95, 4.8}, {1, 5}} {
		if got := quantile([]float64{1, 2, 3, 4, 5}, c.q); got != c.want {
			t.Errorf("the quantile %v is %v, want %v", c.q, got, c.want)
		}
	}
	if s := spreadOf([]float64{4, 1, 2, 3}); s != (spread{2.5, 1.75, 3.25}) {
		t.Errorf("got %v", s)
	}
}
