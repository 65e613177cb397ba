package main

// results are what a run measured, as in results.json.
type results struct {
	Cold []coldResult `json:"cold"`
}
