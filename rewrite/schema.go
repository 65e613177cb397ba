package rewrite

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite/builtin"
)

// Where a dimension's value chooses the schema, a statement is rewritten, and
// certified, once for all values: with the name of the template. Insertions hold
// marks in its place, for which In puts the schema of a value. As that name is
// quoted as the template's was, the texts differ in one name and nothing else.

// A mark is a NUL byte, which no text and no name holds, how the schema is to be
// spelled, and the index of the dimension from 'A' on.
const (
	markLength = 3

	asIdentifier = '"'
	asText       = '\'' // an identifier inside a string constant
	asName       = '.'  // for people
)

func mark(spelling byte, d *policy.Dimension) string {
	return string([]byte{0, spelling, 'A' + byte(d.Index)})
}

// marks returns the places of the marks in a text, and the indices of their
// dimensions.
func marks(text string) iter.Seq2[int, int] {
	return func(yield func(at, dimension int) bool) {
		for from := 0; ; from += markLength {
			n := strings.IndexByte(text[from:], 0)
			if n < 0 {
				return
			}
			if from += n; !yield(from, int(text[from+2]-'A')) {
				return
			}
		}
	}
}

// unmark puts schemas, by the index of their dimensions, in the place of marks.
func unmark(text string, schemas []string) string {
	var b strings.Builder
	behind := 0
	for at, dimension := range marks(text) {
		b.WriteString(text[behind:at])
		schema := schemas[dimension]
		switch text[at+1] {
		case asIdentifier:
			b.WriteString(quoteSchema(schema))
		case asText:
			b.WriteString(strings.ReplaceAll(quoteSchema(schema), "'", "''"))
		default:
			b.WriteString(schema)
		}
		behind = at + markLength
	}
	if behind == 0 {
		return text
	}
	b.WriteString(text[behind:])
	return b.String()
}

func quoteSchema(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// A namedSchema is a schema of a value that the user's own text names.
type namedSchema struct {
	dimension *policy.Dimension
	schema    string
	location  int32
}

// inSchemas makes a plan with marks a Rewrite that names the templates.
func (r *Rewrite) inSchemas(p *policy.Policy, named []namedSchema) {
	r.named = named
	use := func(d *policy.Dimension) {
		if !slices.Contains(r.Schemas, d) {
			r.Schemas = append(r.Schemas, d)
		}
	}
	for _, n := range named {
		use(n.dimension)
	}
	dimensions := p.Dimensions()
	for _, e := range r.edits {
		for _, dimension := range marks(e.text) {
			use(dimensions[dimension])
		}
	}
	r.templates = make([]string, len(dimensions))
	for _, d := range r.Schemas {
		r.templates[d.Index] = d.Schemas.Template
	}
	r.marked, r.markedTables = r.edits, r.Tables
	r.unmark(r.templates)
}

func (r *Rewrite) unmark(schemas []string) {
	r.edits = slices.Clone(r.marked)
	for i := range r.edits {
		r.edits[i].text = unmark(r.edits[i].text, schemas)
	}
	r.Tables = slices.Clone(r.markedTables)
	for i := range r.Tables {
		t := &r.Tables[i]
		t.Table, t.Guard = unmark(t.Table, schemas), unmark(t.Guard, schemas)
	}
	r.SQL = r.edits.apply(r.text)
}

// In returns a rewrite whose SQL names the schemas of a scope's values, given by
// the indices of their dimensions, instead of the templates. It is how a rewrite
// with Schemas is sent. The names are those that policy.Schemas.Name returns. A
// text that itself names the schema of another value is refused with an *Error.
func (r *Rewrite) In(schemas []string) (*Rewrite, error) {
	for _, n := range r.named {
		if own := schemas[n.dimension.Index]; n.schema != own {
			return nil, &Error{
				Code:      CodeTable,
				Message:   fmt.Sprintf("the schema %s is another one than that of the scope on dimension %q", pgparse.QuoteIdentifier(n.schema), n.dimension.Name),
				Hint:      "leave the schema out: the scope chooses it",
				Dimension: n.dimension.Name,
				Position:  PositionAt(r.text, int(n.location)),
			}
		}
	}
	in := *r
	in.Schemas, in.named = nil, nil
	in.unmark(schemas)
	if in.Literal {
		in.slots, in.guardSlots = nil, nil
		if err := in.findSlots(); err != nil {
			return nil, err
		}
	}
	return &in, nil
}

// lacksSchema reports whether a table lies in the schemas of a dimension of which no
// value is active. The template's serves where its rows are not read, with a guard
// that is false.
func lacksSchema(s Shape, t *policy.Table) bool {
	return t.In != nil && s.Presence(t.In) == Absent
}

// places returns where in SQL the templates stand for which In puts a schema.
func (r *Rewrite) places() map[int32]bool {
	at := make(map[int32]bool)
	grown := 0 // bytes that SQL has more than the user's text
	for i, e := range r.marked {
		for n := range marks(e.text) {
			at[int32(e.offset+grown+len(unmark(e.text[:n], r.templates)))] = true
		}
		grown += len(r.edits[i].text) - e.deleted
	}
	return at
}

// chosen reports whether the scope chooses a schema on the dimension, for what, and
// refuses the statement where it does not.
func (r *rewriter) chosen(d *policy.Dimension, what, table string, location int32) bool {
	e := Error{Code: CodeScopeRequired, Table: table, Dimension: d.Name}
	switch r.shape.Presence(d) {
	case One:
		return true
	case Absent:
		e.Message = fmt.Sprintf("a scope on dimension %q needs to be active for this query: %s", d.Name, what)
		e.Hint = fmt.Sprintf("set it with scoped.With(ctx, %q, value), which chooses the schema", d.Name)
	default:
		e.Message = fmt.Sprintf("%s lies in a schema for each value of dimension %q, and the scope has several values", what, d.Name)
		e.Hint = fmt.Sprintf("run the statement for each value: scoped.With(ctx, %q, value)", d.Name)
	}
	r.refuse(e, location)
	return false
}

// ownSchema reports whether a schema that the text names may be meant: it is none
// of a dimension's, or a value's, which is then compared with the scope's.
func (r *rewriter) ownSchema(schema, what string, location int32) bool {
	if d := r.policy.Template(schema); d != nil {
		r.refuse(Error{
			Code:      CodeTable,
			Message:   fmt.Sprintf("the schema %s is the template of dimension %q, which belongs to no value", pgparse.QuoteIdentifier(schema), d.Name),
			Hint:      "leave the schema out: the scope chooses it",
			Dimension: d.Name,
		}, location)
		return false
	}
	d := r.policy.TenantSchema(schema)
	if d == nil {
		return true
	}
	r.named = append(r.named, namedSchema{d, schema, location})
	return r.chosen(d, what, "", location)
}

// prefix puts the schema of the scope's value before a name.
func (r *rewriter) prefixSchema(d *policy.Dimension, location int32) {
	prefix := mark(asIdentifier, d) + "."
	if location > 0 && r.text[location-1] == '&' {
		prefix = " " + prefix // U&"…" is something else
	}
	r.edits.prefix(int(location), prefix)
}

// function rewrites the name of a function that lies in the schemas of a
// dimension, and reports whether it may be called as far as its schema goes.
func (r *rewriter) function(n *pgparse.FuncCall) bool {
	schema, name := functionName(n)
	if schema != "" {
		return r.ownSchema(schema, "function "+name, n.Location)
	}
	if d := tenantFunction(r.policy, n); d != nil && r.chosen(d, "function "+name, "", n.Location) {
		r.prefixSchema(d, n.Location)
	}
	return r.err == nil && r.sequenceArgument(n)
}

func functionName(n *pgparse.FuncCall) (schema, name string) {
	if len(n.Funcname) == 2 {
		return n.Funcname[0].GetString_().GetSval(), n.Funcname[1].GetString_().GetSval()
	}
	return "", n.Funcname[0].GetString_().GetSval()
}

// tenantFunction returns the dimension in whose schemas an unqualified function
// lies, or nil. PostgreSQL looks for its own first.
func tenantFunction(p *policy.Policy, n *pgparse.FuncCall) *policy.Dimension {
	if len(n.Funcname) != 1 {
		return nil
	}
	if _, name := functionName(n); !builtin.IsFunction(name) {
		return p.TenantFunction(name)
	}
	return nil
}

// tenantType is the same for a type.
func tenantType(p *policy.Policy, n *pgparse.TypeName) *policy.Dimension {
	if len(n.Names) != 1 {
		return nil
	}
	if name := n.Names[0].GetString_().GetSval(); !builtin.IsType(name) {
		return p.TenantType(name)
	}
	return nil
}

// typeName rewrites the name of a type that lies in the schemas of a dimension.
func (r *rewriter) typeName(n *pgparse.TypeName) {
	if len(n.Names) == 2 {
		r.ownSchema(n.Names[0].GetString_().GetSval(), "type "+dotted(n.Names), n.Location)
		return
	}
	if d := tenantType(r.policy, n); d != nil && r.chosen(d, "type "+dotted(n.Names), "", n.Location) {
		r.prefixSchema(d, n.Location)
	}
}

// relationConstant rewrites a string that PostgreSQL looks up as a relation's name.
func (r *rewriter) relationConstant(n *pgparse.Node) {
	text, location := n.GetAConst().GetSval().GetSval(), n.GetAConst().GetLocation()
	schema, name, ok := relationName(text)
	switch {
	case !ok:
		r.refuseConstruct(location, fmt.Sprintf("the name %q of a relation, which cannot be read", text), "write 'name' or 'schema.name'")
	case schema != "":
		r.ownSchema(schema, "relation "+name, location)
	default:
		d := tenantRelation(r.policy, name)
		if d == nil || !r.chosen(d, "relation "+name, "", location) {
			return
		}
		if r.text[location] != '\'' {
			r.refuseConstruct(location, "the name of a relation in an escape string or between dollars", "write it as a plain string: '"+name+"'")
			return
		}
		r.edits.prefix(int(location)+1, mark(asText, d)+".")
	}
}

// tenantRelation returns the dimension in whose schemas a sequence, table or
// index of this name lies, or nil.
func tenantRelation(p *policy.Policy, name string) *policy.Dimension {
	if builtin.IsCatalog(name) {
		return nil
	}
	if t := p.Table("", name); t != nil && t.In != nil {
		return t.In
	}
	return p.TenantSequence(name)
}

// maxName is PostgreSQL's NAMEDATALEN - 1: it cuts off longer names.
const maxName = 63

// isOdd reports whether no schema of a value holds the character.
func isOdd(c rune) bool { return c == '\\' || !unicode.IsGraphic(c) }

// relationName reads a relation's name from a string, as PostgreSQL does for
// regclass. It is not ok where it could be cut off, or is a number.
func relationName(text string) (schema, name string, ok bool) {
	var parts []string
	rest := strings.Trim(text, " \t\n\r\f")
	for {
		part := ""
		if quoted, isQuoted := strings.CutPrefix(rest, `"`); isQuoted {
			for {
				before, behind, closed := strings.Cut(quoted, `"`)
				if !closed {
					return "", "", false
				}
				part += before
				if !strings.HasPrefix(behind, `"`) {
					rest = behind
					break
				}
				part, quoted = part+`"`, behind[1:]
			}
		} else {
			end := strings.IndexAny(rest, " \t\n\r\f.\"")
			if end < 0 {
				end = len(rest)
			}
			part, rest = lower(rest[:end]), rest[end:]
			if part == "-" || part != "" && '0' <= part[0] && part[0] <= '9' { // an object by its number
				return "", "", false
			}
		}
		rest = strings.TrimLeft(rest, " \t\n\r\f")
		parts = append(parts, part)
		if part == "" || len(part) > maxName || strings.ContainsFunc(part, isOdd) || len(parts) > 2 || rest != "" && rest[0] != '.' {
			return "", "", false
		}
		if rest == "" {
			break
		}
		rest = strings.TrimLeft(rest[1:], " \t\n\r\f")
	}
	if len(parts) == 2 {
		return parts[0], parts[1], true
	}
	return "", parts[0], true
}

// lower folds a name as PostgreSQL does in UTF-8: ASCII only.
func lower(name string) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}, name)
}

// operatorInSchemas returns the qualified name of an operator, a collation or an operator
// class that a node holds and that lies in a value's schema, or in the template.
func operatorInSchemas(p *policy.Policy, node any) string {
	var names [2][]*pgparse.Node
	switch n := node.(type) {
	case *pgparse.A_Expr:
		names[0] = n.Name
	case *pgparse.SubLink:
		names[0] = n.OperName
	case *pgparse.SortBy:
		names[0] = n.UseOp
	case *pgparse.CollateClause:
		names[0] = n.Collname
	case *pgparse.IndexElem:
		names[0], names[1] = n.Collation, n.Opclass
	}
	for _, name := range names {
		if len(name) > 1 && p.InSchemas(name[0].GetString_().GetSval()) {
			return dotted(name)
		}
	}
	return ""
}

// refuseOperator refuses an operator and its like that is named with the schema of
// a value: those of another one may read that value's tables.
func (r *rewriter) refuseOperator(node any) {
	if name := operatorInSchemas(r.policy, node); name != "" {
		r.refuseConstruct(leftmost(node), name+", which lies in a schema that the scope chooses",
			"define operators, collations and operator classes in a schema that lives once")
	}
}

// relationFunctions take the name of a relation as their first argument. Those that
// are set change what it names, and so must name it in the text.
var relationFunctions = map[string]bool{
	"nextval": true, "currval": true, "setval": true, "to_regclass": false, "pg_get_serial_sequence": false,
}

// relationArgument returns the constant that names a relation for a function. Ok is
// false where a function needs one and has none.
func relationArgument(n *pgparse.FuncCall) (constant *pgparse.Node, ok bool) {
	schema, name := functionName(n)
	needed, known := relationFunctions[name]
	if !known || schema != "" && schema != "pg_catalog" || len(n.Args) == 0 {
		return nil, true
	}
	if arg := n.Args[0]; arg.GetAConst().GetSval() != nil {
		return arg, true
	}
	if isRegclass(n.Args[0].GetTypeCast()) { // and is treated as such
		return nil, true
	}
	if call := n.Args[0].GetFuncCall(); call != nil && needed {
		if _, name := functionName(call); name == "pg_get_serial_sequence" || name == "to_regclass" {
			constant, _ := relationArgument(call)
			return nil, constant != nil
		}
	}
	return nil, !needed
}

// isRegclass reports whether a cast, which may be nil, is 'name'::regclass.
func isRegclass(cast *pgparse.TypeCast) bool {
	return cast.GetArg().GetAConst().GetSval() != nil && len(cast.GetTypeName().GetArrayBounds()) == 0 &&
		unqualified(cast.GetTypeName().GetNames()) == "regclass"
}

func (r *rewriter) sequenceArgument(n *pgparse.FuncCall) bool {
	if !r.policy.HasSchemas() {
		return true
	}
	constant, ok := relationArgument(n)
	if !ok {
		r.refuseConstruct(n.Location, "a sequence that is not named in the text, and may be another tenant's", "name it: nextval('name')")
	}
	if constant != nil {
		r.relationConstant(constant)
	}
	return r.err == nil
}
