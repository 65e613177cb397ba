package main

// results are what a run measured, as in results.json.
type results struct {
	Workloads []cell          `json:"workloads"`
	Lookups   []lookupResult  `json:"lookups"`
	Scaling   []scalingResult `json:"scaling"`
	Cold      []coldResult    `json:"cold"`
}
