package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/policy"
)

// TestWarmFile shows that the driver reads what --warm prints.
func TestWarmFile(t *testing.T) {
	p, err := policy.Load(testPolicy)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"--scope", "site=1,2", "--scope", "user=7", "--scope", "tenant=*", "testdata/blog.sql", "testdata/refused.sql"},
		{"--format", "json", "--scope", "site=1", "testdata/queries.jsonl"},
		{"--format", "json", "testdata/queries.jsonl"},
	} {
		var stdout, stderr bytes.Buffer
		if status := run(append([]string{"rewrite", "--policy", testPolicy, "--warm"}, args...), nil, &stdout, &stderr); status != exitNotWell {
			t.Fatal(status, stderr.String())
		}
		file := filepath.Join(t.TempDir(), "warm.jsonl")
		if err := os.WriteFile(file, stdout.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := scoped.NewConnector(&recorder{}, p, scoped.WithWarmFile(file)).Connect(context.Background()); err != nil {
			t.Errorf("%v: %v\n%s", args, err, stdout.String())
		}
	}
}
