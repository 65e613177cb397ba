package main

import (
	"strings"
	"testing"
)

const schemaPolicy = "testdata/schema.yaml"

// TestSchemaList shows the list, for people and programs.
func TestSchemaList(t *testing.T) {
	database(t, `CREATE TABLE tenant (slug text PRIMARY KEY); INSERT INTO tenant VALUES ('acme'), ('not yet');
		CREATE SCHEMA t__template; CREATE SCHEMA t_acme; CREATE SCHEMA "t_O'Brien"`)
	var all strings.Builder
	for _, format := range []string{"text", "json"} {
		all.WriteString(transcript([]string{"schema", "list", "--policy", schemaPolicy, "--format", format}, ""))
	}
	compare(t, "schema_list", all.String())
}

// TestSchemaFaults shows what the commands say where they cannot work.
func TestSchemaFaults(t *testing.T) {
	var all strings.Builder
	for _, args := range [][]string{
		{},
		{"lits"},
		{"list"},
		{"list", "--policy", testPolicy},
		{"list", "--policy", schemaPolicy, "--dimension", "site"},
		{"list", "--policy", "../../testdata/policies/schemas.yaml"},
	} {
		all.WriteString(transcript(append([]string{"schema"}, args...), ""))
	}
	all.WriteString(transcript([]string{"help", "schema", "lits"}, ""))
	compare(t, "schema_faults", all.String())
}
