// Package scope reads scopes as they are written on the command line.
package scope

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// A Scope is what the options --scope and --disabled mean under a policy.
type Scope struct {
	Policy   *policy.Policy
	Catalog  rewrite.Catalog // nil for none
	Disabled string          // the reason for which scopes are disabled; empty while they are not
	Shape    rewrite.Shape
	// Values, by Dimension.Index, are what is bound for a dimension: int64 or
	// string for one value, a []any of them for several.
	Values []any

	schemas []string // that values choose, by Dimension.Index
}

// New reads options such as site=1, site=1,2 and site=*.
func New(p *policy.Policy, options []string) (*Scope, error) {
	n := len(p.Dimensions())
	s := &Scope{Policy: p, Values: make([]any, n), schemas: make([]string, n)}
	for _, option := range options {
		if err := s.add(option); err != nil {
			return nil, fmt.Errorf("--scope %q: %w", option, err)
		}
	}
	return s, nil
}

func (s *Scope) add(option string) error {
	name, list, ok := strings.Cut(option, "=")
	if !ok {
		return errors.New("write DIMENSION=VALUE, such as site=1, site=1,2 or site=*")
	}
	d := s.Policy.Dimension(name)
	switch {
	case d == nil:
		return fmt.Errorf("the policy has no dimension %q; it has %s", name, dimensions(s.Policy))
	case s.Shape.Presence(d) != rewrite.Absent:
		return fmt.Errorf("the dimension %q is given twice; several values are written %s=1,2", name, name)
	case list == "*":
		s.Shape = s.Shape.With(d, rewrite.All)
		return nil
	}
	var values []any
	for text := range strings.SplitSeq(list, ",") {
		value, err := readValue(text, d.Type)
		if err != nil {
			return err
		}
		if !slices.Contains(values, value) {
			values = append(values, value)
		}
	}
	if len(values) == 1 {
		s.Shape = s.Shape.With(d, rewrite.One)
		s.Values[d.Index] = values[0]
		if d.Schemas != nil {
			var err error
			s.schemas[d.Index], err = d.Schemas.Name(fmt.Sprint(values[0]))
			return err
		}
	} else {
		s.Shape = s.Shape.With(d, rewrite.Many)
		s.Values[d.Index] = values
	}
	return nil
}

func dimensions(p *policy.Policy) string {
	var names []string
	for _, d := range p.Dimensions() {
		names = append(names, strconv.Quote(d.Name))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// integerBits are the widths of the integer types of dimensions.
var integerBits = map[policy.Type]int{"smallint": 16, "integer": 32, "bigint": 64}

// readValue reads one value of a dimension of type t as the driver would bind
// it: an int64, or a string.
func readValue(text string, t policy.Type) (any, error) {
	switch {
	case text == "":
		return nil, errors.New("a value is empty")
	case text == "*":
		return nil, errors.New("* stands alone")
	}
	switch t {
	case "smallint", "integer", "bigint":
		n, err := strconv.ParseInt(text, 10, integerBits[t])
		if errors.Is(err, strconv.ErrRange) {
			return nil, fmt.Errorf("%s is outside the range of %s", text, t)
		}
		if err != nil {
			return nil, fmt.Errorf("%q is not of type %s", text, t)
		}
		return n, nil
	case "uuid":
		var id pgtype.UUID
		err := id.Scan(text)
		// Scan does not look at what stands where the hyphens belong.
		if canonical := id.String(); err == nil && (len(text) == 32 || strings.EqualFold(canonical, text)) {
			return canonical, nil
		}
		return nil, fmt.Errorf("%q is not of type uuid", text)
	case "text":
		if !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
			return nil, fmt.Errorf("%q is not text that PostgreSQL can hold", text)
		}
		return text, nil
	}
	return nil, fmt.Errorf("values of type %s cannot be written on the command line", t)
}

// Schema returns the schema in which a table lies: where a value chooses it and the
// scope has none, the template.
func (s *Scope) Schema(t *policy.Table) string {
	if t.In != nil && s.schemas[t.In.Index] != "" {
		return s.schemas[t.In.Index]
	}
	return t.Schema
}

// SearchPath returns the schemas in which the scope looks for unqualified names:
// those of its values before those of the policy.
func (s *Scope) SearchPath() []string {
	var path []string
	for _, d := range s.Policy.Dimensions() {
		if d.Schemas != nil {
			path = append(path, cmp.Or(s.schemas[d.Index], d.Schemas.Template))
		}
	}
	return append(path, s.Policy.SearchPath()...)
}

// An Outcome is what becomes of one statement: what is sent, or a refusal.
type Outcome struct {
	SQL     string
	Params  int // of the statement's own
	Args    []Argument
	Tables  []rewrite.TableRef
	Rewrite *rewrite.Rewrite // nil where scopes are disabled
	Refusal *rewrite.Error
}

// An Argument is appended behind a statement's own.
type Argument struct {
	Dimension string
	Value     any
}

// Rewrite returns what becomes of one statement.
func (s *Scope) Rewrite(text string) (Outcome, error) {
	if s.Disabled != "" {
		return Outcome{SQL: text}, nil
	}
	r, err := rewrite.Rewriter{Policy: s.Policy, Catalog: s.Catalog}.Rewrite(text, s.Shape)
	if err == nil && len(r.Schemas) > 0 {
		r, err = r.In(s.schemas)
	}
	if err != nil {
		var refusal *rewrite.Error
		if errors.As(err, &refusal) {
			return Outcome{Refusal: refusal}, nil
		}
		return Outcome{}, err
	}
	if r.Literal {
		if r, err = r.WithLiterals(s.literals(r.Args)); err != nil {
			return Outcome{}, err
		}
	}
	o := Outcome{SQL: r.SQL, Params: r.Params, Tables: r.Tables, Rewrite: r}
	for _, d := range r.Args {
		o.Args = append(o.Args, Argument{d.Name, s.Values[d.Index]})
	}
	return o, nil
}

// literals returns the values of dimensions as a rewrite quotes them.
func (s *Scope) literals(args []rewrite.Arg) []any {
	values := make([]any, len(args))
	for i, d := range args {
		values[i] = s.Values[d.Index]
		list, ok := values[i].([]any)
		if !ok {
			continue
		}
		var numbers []int64
		var texts []string
		for _, v := range list {
			switch v := v.(type) {
			case int64:
				numbers = append(numbers, v)
			case string:
				texts = append(texts, v)
			}
		}
		values[i] = numbers
		if numbers == nil {
			values[i] = texts
		}
	}
	return values
}
