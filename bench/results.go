package main

import (
	"encoding/json"
	"os"
	"runtime"
	"slices"
	"time"
)

// results are what a run measured, as in results.json.
type results struct {
	Machine   machine         `json:"machine"`
	Workloads []cell          `json:"workloads,omitempty"`
	Lookups   []lookupResult  `json:"lookups,omitempty"`
	Scaling   []scalingResult `json:"scaling,omitempty"`
	Cold      []coldResult    `json:"cold,omitempty"`
	Scale     []curve         `json:"scale,omitempty"`
	Schemas   []cell          `json:"schemas,omitempty"`

	Migrations *migrationResults `json:"migrations,omitempty"`
}

// A machine is where and when the run was.
type machine struct {
	Date       string `json:"date"`
	CPUs       int    `json:"cpus"`
	Platform   string `json:"platform"`
	Go         string `json:"go"`
	PostgreSQL string `json:"postgresql,omitempty"` // where it was asked
}

func thisMachine(postgreSQL string) machine {
	return machine{
		Date:     time.Now().UTC().Format(time.DateOnly),
		CPUs:     runtime.NumCPU(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Go:       runtime.Version(),

		PostgreSQL: postgreSQL,
	}
}

func readResults(path string) (*results, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(results)
	return r, json.Unmarshal(data, r)
}

func (r *results) write(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

// arm returns what an arm made of a workload, nil where it was not measured.
func (r *results) arm(workload string, connections int, name string) *armResult {
	for _, c := range slices.Concat(r.Workloads, r.Schemas) {
		if c.Workload != workload || c.Connections != connections {
			continue
		}
		for i := range c.Arms {
			if c.Arms[i].Arm == name {
				return &c.Arms[i]
			}
		}
	}
	return nil
}

// last returns the last point of a curve, nil where it was not measured.
func (r *results) last(name string) *point {
	for _, c := range r.Scale {
		if c.Name == name && len(c.Points) > 0 {
			return &c.Points[len(c.Points)-1]
		}
	}
	return nil
}
