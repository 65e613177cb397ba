package policy

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

// TestSchemaKeys compares the keys that the parser knows with the schema's.
func TestSchemaKeys(t *testing.T) {
	type object struct {
		Properties map[string]struct {
			Enum          []string
			Properties    map[string]any
			PropertyNames struct{ Not struct{ Enum []string } }
		}
		AnyOf []object
	}
	var root struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(schema, &root); err != nil {
		t.Fatal(err)
	}
	same := func(what string, got, want []string) {
		t.Helper()
		slices.Sort(got)
		want = slices.Sorted(slices.Values(want))
		if !slices.Equal(got, want) {
			t.Errorf("the schema's %s are %q, the parser's %q", what, got, want)
		}
	}
	keysOf := func(o object) []string { return slices.Collect(maps.Keys(o.Properties)) }
	same("keys", keysOf(root.object), rootKeys)
	same("keys of a dimension", keysOf(root.Defs["dimension"]), dimensionKeys)
	same("keys of functions", slices.Collect(maps.Keys(root.Properties["functions"].Properties)), functionKeys)
	same("keys of errors", slices.Collect(maps.Keys(root.Properties["errors"].Properties)), errorKeys)
	same("types", root.Defs["dimension"].Properties["type"].Enum, slices.Collect(maps.Keys(types)))
	forms := root.Defs["table"].AnyOf
	same("keys of a table", append(keysOf(forms[1]), keysOf(forms[2])...), tableKeys)
	same("names that a dimension cannot have", root.Properties["dimensions"].PropertyNames.Not.Enum, tableKeys)
	same("keys of where", keysOf(root.Defs["where"].AnyOf[1]), whereKeys)
	same("keys of a scoping", keysOf(root.Defs["scoping"].AnyOf[1]), wayKeys)
}
