package scoped

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// With returns a context in which the dimension has the value: one value, such
// as 42 or "acme"; several, made with AnyOf; or All. Nested calls add
// dimensions and replace the value of a dimension that is there already. Inside
// Disable it enables scopes again, with the dimensions from outside the Disable.
//
// A value is any integer, a string, or a uuid ([16]byte), or of a type made
// from one of these; or a driver.Valuer that yields an integer or a string. It
// is read once, when With is called. Other pointers are not followed.
//
// With itself does not fail. A nil or unsupported value and an empty AnyOf are
// remembered, and so every statement under the context fails with an *Error of
// CodeScope before anything is sent. A dimension that the policy does not have, a
// value that does not fit the dimension's type and a text that ends with a space do
// the same.
//
// The scope is read when a statement runs. A statement whose own context has
// none uses that of its transaction, the context of BeginTx; the two are not
// merged.
func With(ctx context.Context, dimension string, value any) context.Context {
	c := &scopeContext{Context: ctx, scope: scope{outer: fromContext(ctx), dimension: dimension}}
	s := &c.scope
	switch v := value.(type) {
	case unrestricted:
		s.all = true
	case Set:
		s.elements, s.written = v.elements, v.written
		s.fail(v.fault)
		if len(v.elements) == 0 {
			s.fail("AnyOf needs at least one value")
		}
	default:
		var fault string
		s.element[0], fault = newElement(value)
		s.elements = s.element[:]
		s.fail(fault)
	}
	if dimension == "" {
		s.fail("the name of a dimension is empty")
	}
	s.inherit()
	return c
}

// Disable returns a context in which statements are sent exactly as they are,
// unparsed and unrestricted. The reason is mandatory and is logged, with the
// first statement that runs under it. It holds for the returned context only:
// the context passed in and its scope are as before.
func Disable(ctx context.Context, reason string) context.Context {
	c := &scopeContext{Context: ctx, scope: scope{outer: fromContext(ctx), disabled: true, reason: reason}}
	if strings.TrimSpace(reason) == "" {
		c.scope.fail("Disable needs a reason")
	}
	c.scope.inherit()
	return c
}

// A scopeContext is a context with its scope, in one piece of memory because many
// programs make one for every statement.
type scopeContext struct {
	context.Context
	scope scope
}

// Value is the Context's.
func (c *scopeContext) Value(key any) any {
	if _, ok := key.(scopeKey); ok {
		return &c.scope
	}
	return c.Context.Value(key)
}

type scopeKey struct{}

func fromContext(ctx context.Context) *scope {
	s, _ := ctx.Value(scopeKey{}).(*scope)
	return s
}

// A scope is one call of With or Disable, linked to those around it. Apart from
// what it remembers of its uses it is immutable, so any number of goroutines
// may run statements under it.
type scope struct {
	// bound is the scope's meaning under the rules that used it last, so that
	// statement after statement costs one load.
	bound    atomic.Pointer[binding]
	fault    *Error // of this scope, or of one outside it
	disabled bool
	all      bool // With was given All

	outer     *scope
	dimension string
	elements  []element  // the values of With
	element   [1]element // the place of one
	written   []element  // the one of them that is written, where only one is
	reason    string     // of Disable
	// seen holds the engines that have logged the reason, or allowed the values.
	seen atomic.Pointer[sync.Map]
}

func (s *scope) seenBy(e *engine) bool {
	seen := s.seen.Load()
	if seen == nil {
		return false
	}
	_, ok := seen.Load(e)
	return ok
}

// see remembers the engine, and reports whether it is the first to do so.
func (s *scope) see(e *engine) bool {
	if s.seen.Load() == nil {
		s.seen.CompareAndSwap(nil, new(sync.Map))
	}
	_, before := s.seen.Load().LoadOrStore(e, struct{}{})
	return !before
}

// inherit takes over the fault of the scope outside, if it has none itself.
func (s *scope) inherit() {
	if s.fault == nil && s.outer != nil {
		s.fault = s.outer.fault
	}
}

// fail remembers a fault, the first of them.
func (s *scope) fail(message string) {
	if message != "" && s.fault == nil {
		s.fault = scopeFault(s.dimension, message)
	}
}

func scopeFault(dimension, message string) *Error {
	if dimension != "" {
		message = fmt.Sprintf("scope on dimension %q: %s", dimension, message)
	}
	return &Error{
		Code:      CodeScope,
		Dimension: dimension,
		Message:   message,
		Hint:      `write scoped.With(ctx, "dimension", value), scoped.AnyOf(value, value), scoped.All or scoped.Disable(ctx, "reason")`,
	}
}

// A binding is what a scope means under the rules.
type binding struct {
	rules *rules
	shape rewrite.Shape
	fault *Error
	// values are what is bound for the dimensions, by their index: int64 or string
	// for one value, []int64 or []string for several, nil otherwise. Behind them
	// are, in the same order, the values that are written where only one is.
	values []driver.Value
	few    [4]driver.Value // the place of values where they are few

	// schemas are those that values choose, by the index of the dimension, and
	// schema is all of them in one.
	schemas []string
	schema  string
}

// schemaOf returns the schema in which a table lies.
func (b *binding) schemaOf(t *policy.Table) string {
	if t.In != nil {
		return b.schemas[t.In.Index]
	}
	return t.Schema
}

// choose remembers the schema that a value chooses, or says why there is none.
func (b *binding) choose(d *policy.Dimension, value driver.Value) (fault string) {
	schema, err := d.Schemas.Name(fmt.Sprint(value))
	if err != nil {
		return err.Error()
	}
	if b.schemas == nil {
		b.schemas = make([]string, b.rules.dimensions)
	}
	b.schemas[d.Index] = schema
	b.schema = strings.Join(b.schemas, "\x00")
	return ""
}

// bind returns what the scope means under the rules.
func (s *scope) bind(r *rules) *binding {
	if b := s.bound.Load(); b != nil && b.rules == r {
		return b
	}
	b := s.resolve(r)
	s.bound.Store(b)
	return b
}

func (s *scope) resolve(r *rules) *binding {
	b := &binding{rules: r}
	b.values = b.few[:]
	if 2*r.dimensions > len(b.few) {
		b.values = make([]driver.Value, 2*r.dimensions)
	}
	// From the inside out: the first value found for a dimension is its value.
	for ; s != nil; s = s.outer {
		if s.disabled {
			continue
		}
		d := r.policy.Dimension(s.dimension)
		if d == nil {
			b.fault = scopeFault(s.dimension, "the policy has no such dimension; it has "+names(r.policy.Dimensions()))
			return b
		}
		if b.shape.Presence(d) != rewrite.Absent {
			continue
		}
		if s.all {
			b.shape = b.shape.With(d, rewrite.All)
			continue
		}
		presence, read, fault := bindElements(s.elements, d.Type)
		var written driver.Value
		if fault == "" && s.written != nil {
			_, written, fault = bindElements(s.written, d.Type)
			if fault == "" && !slices.Contains(each(read), written) {
				fault = "the value of WriteTo is none of those of AnyOf"
			}
			if presence == rewrite.Many {
				presence = rewrite.WriteOne
			}
		}
		if fault == "" && d.Schemas != nil && presence == rewrite.One {
			fault = b.choose(d, read)
		}
		if fault != "" {
			b.fault = scopeFault(s.dimension, fault)
			return b
		}
		b.values[d.Index], b.values[len(b.values)/2+d.Index] = read, written
		b.shape = b.shape.With(d, presence)
	}
	return b
}

// boundTo returns the one of a binding's values that is bound to an argument of a
// rewrite, nil where there is none.
func boundTo(a rewrite.Arg, values []driver.Value) driver.Value {
	i := a.Index
	if a.Write {
		i += len(values) / 2
	}
	if i >= len(values) {
		return nil
	}
	return values[i]
}

func names(dimensions []*policy.Dimension) string {
	if len(dimensions) == 0 {
		return "none"
	}
	quoted := make([]string, len(dimensions))
	for i, d := range dimensions {
		quoted[i] = fmt.Sprintf("%q", d.Name)
	}
	return strings.Join(quoted, ", ")
}
