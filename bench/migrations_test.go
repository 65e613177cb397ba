package main

import (
	"io"
	"os"
	"runtime"
	"slices"
	"testing"
)

// The command and both ways with psql migrate the schemas of a server of its own.
func TestMigrations(t *testing.T) {
	b := &bench{out: io.Discard, results: new(results), most: 3}
	if err := b.migrations(t.Context()); err != nil {
		t.Fatal(err)
	}
	among := b.results.Migrations.Among
	if len(among) != 1 || among[0].Schemas != 3 || among[0].Relations < 3*100 {
		t.Fatalf("got %+v", among)
	}
	s := among[0]
	for name, paces := range map[string][]pace{"psql for each": s.Each, "one psql": s.Once, "migrate": s.Migrate, "create and diff": {s.Create, s.Diff}} {
		if len(paces) != 2 || paces[0].PerSecond <= 0 || paces[1].PerSecond <= 0 {
			t.Errorf("%s: got %+v", name, paces)
		}
	}
}

func TestSteps(t *testing.T) {
	for most, want := range map[int][]int{
		5:    {5},
		500:  {100, 500},
		6000: {100, 500, 1000, 2000, 4000, 6000},
	} {
		if got := steps(most); !slices.Equal(got, want) {
			t.Errorf("up to %d: got %v, want %v", most, got, want)
		}
	}
}

// The memory of a process is known on Linux.
func TestMemory(t *testing.T) {
	for _, line := range []string{"VmHWM", "RssAnon"} {
		if got := memory(os.Getpid(), line); (got > 1) != (runtime.GOOS == "linux") {
			t.Errorf("%s: %v MiB", line, got)
		}
	}
}
