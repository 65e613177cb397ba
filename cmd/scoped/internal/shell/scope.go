package shell

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/cmd/scoped/internal/scope"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// A scopeState is the scope under which statements run. It is not changed: what
// changes it returns another one.
type scopeState struct {
	policy   *policy.Policy
	values   map[string]any // by dimension, as scoped.With takes them
	disabled string         // the reason; empty while scopes are enabled
}

// newScope returns what the options --scope and --disabled mean.
func newScope(s *scope.Scope) scopeState {
	state := scopeState{policy: s.Policy}.with(s)
	state.disabled = s.Disabled
	return state
}

// set returns the scope with another value of a dimension, or with none where
// that is nil, scopes enabled.
func (state scopeState) set(dimension string, value any) scopeState {
	values := maps.Clone(state.values)
	if values == nil {
		values = make(map[string]any)
	}
	if values[dimension] = value; value == nil {
		delete(values, dimension)
	}
	return scopeState{policy: state.policy, values: values}
}

// with returns the scope with the dimensions of s.
func (state scopeState) with(s *scope.Scope) scopeState {
	for _, d := range state.policy.Dimensions() {
		switch s.Shape.Presence(d) {
		case rewrite.One, rewrite.Many:
			state = state.set(d.Name, s.Values[d.Index])
		case rewrite.All:
			state = state.set(d.Name, scoped.All)
		}
	}
	return state
}

// change returns the scope after \scope: none, or dimensions such as site=4,
// site=1,2, site=* and site=none.
func (state scopeState) change(options []string) (scopeState, error) {
	if len(options) == 1 && options[0] == "none" {
		return scopeState{policy: state.policy}, nil
	}
	var set []string
	to := scopeState{policy: state.policy, values: state.values}
	for _, option := range options {
		name, isNone := strings.CutSuffix(option, "=none")
		switch {
		case !isNone:
			set = append(set, option)
		case state.policy.Dimension(name) == nil:
			return state, fmt.Errorf("the policy has no dimension %q", name)
		default:
			to = to.set(name, nil)
		}
	}
	s, err := scope.New(state.policy, set)
	if err != nil {
		if cause := errors.Unwrap(err); cause != nil {
			err = cause // without the name of the flag
		}
		return state, err
	}
	return to.with(s), nil
}

// forLookup returns the scope that is unrestricted on every dimension but those,
// other than the one that is looked up, of which a value chooses a schema.
func (state scopeState) forLookup(of *policy.Dimension) scopeState {
	for _, d := range state.policy.Dimensions() {
		if d == of || state.schema(d) == "" {
			state = state.set(d.Name, scoped.All)
		}
	}
	return state
}

// schema returns the schema that the scope's value of a dimension chooses, or
// nothing.
func (state scopeState) schema(d *policy.Dimension) string {
	switch value := state.values[d.Name].(type) {
	case int64, string:
		if d.Schemas != nil {
			name, _ := d.Schemas.Name(fmt.Sprint(value)) // as scope.New has found it right
			return name
		}
	}
	return ""
}

// schemaOf returns the schema in which a table lies: where the scope chooses none,
// what their names are like.
func (state scopeState) schemaOf(t *policy.Table) string {
	if t.In == nil {
		return t.Schema
	}
	return cmp.Or(state.schema(t.In), t.In.Schemas.Pattern())
}

// context returns ctx with the scope in it. That of disabled scopes is new each
// time, so that the driver logs every statement.
func (state scopeState) context(ctx context.Context) context.Context {
	if state.disabled != "" {
		return scoped.Disable(ctx, state.disabled)
	}
	for name, value := range state.values {
		if several, ok := value.([]any); ok {
			value = scoped.AnyOf(several...)
		}
		ctx = scoped.With(ctx, name, value)
	}
	return ctx
}

// String returns the scope as the prompt shows it, and the audit log as the one before.
func (state scopeState) String() string {
	if state.disabled != "" {
		return "disabled"
	}
	var parts []string
	for _, d := range state.policy.Dimensions() {
		switch value := state.values[d.Name].(type) {
		case nil:
		case []any:
			texts := make([]string, len(value))
			for i, v := range value {
				texts[i] = fmt.Sprint(v)
			}
			parts = append(parts, d.Name+"="+strings.Join(texts, ","))
		case int64, string:
			parts = append(parts, fmt.Sprintf("%s=%v", d.Name, value))
		default:
			parts = append(parts, d.Name+"=*")
		}
	}
	if len(parts) == 0 {
		return "no scope"
	}
	return strings.Join(parts, " ")
}
