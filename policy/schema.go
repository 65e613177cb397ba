package policy

import (
	_ "embed"
	"slices"
)

//go:embed schema.json
var schema []byte

// JSONSchema returns the JSON Schema, draft 2020-12, of the policy file, for
// editors and other tools. What it accepts may still be refused by Parse: paths
// that lead nowhere, tables listed twice, undeclared dimensions.
func JSONSchema() []byte { return slices.Clone(schema) }
