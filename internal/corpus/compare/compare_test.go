//go:build cgo && linux && !musl

package main

import (
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	var report strings.Builder
	if err := compareBuilds(&report, 100); err != nil {
		t.Fatalf("%v\n%s", err, &report)
	}
	if !strings.Contains(report.String(), "gave the same bytes") {
		t.Errorf("nothing was compared:\n%s", &report)
	}
}
