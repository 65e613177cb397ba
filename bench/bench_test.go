package main

import (
	"testing"
)

// Every arm returns the same rows and writes the same.
func TestArmsAgree(t *testing.T) {
	db, err := openDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.close)
	for _, w := range workloads {
		t.Run(w.name, func(t *testing.T) {
			if err := db.arms.compare(t.Context(), db.admin, w); err != nil {
				t.Error(err)
			}
		})
	}
}
