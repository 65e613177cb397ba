package rewrite

import (
	"maps"
	"slices"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// What lies in the schemas of a dimension is named with the template's name in the
// rewrite, and the certificate writes it so in the original. A schema of a value,
// which only the user may name, is written as the template in both, and remembered:
// both must name the same ones, and In compares them with the scope's.

// schema returns what a schema's name is compared as, the template's where it is one
// of a dimension's.
func (c *certifier) schema(name string) string {
	if d := c.policy.Template(name); d != nil {
		if !c.rewritten {
			c.fail("the template %s is named", name)
		}
		return name
	}
	d := c.policy.TenantSchema(name)
	if d == nil {
		return name
	}
	c.choose(d)
	if c.named[c.rewritten] == nil {
		c.named[c.rewritten] = make(map[string]bool)
	}
	c.named[c.rewritten][name] = true
	return d.Schemas.Template
}

// choose demands that the scope chooses one schema of a dimension, which may be nil.
func (c *certifier) choose(d *policy.Dimension) {
	if d != nil && c.shape.Presence(d) != One {
		c.fail("no value of dimension %s chooses a schema", d.Name)
	}
}

// demandNamed demands that the rewrite names the schemas that the original names,
// and that these are compared with the scope's.
func (c *certifier) demandNamed(named []namedSchema) {
	compared := make(map[string]bool)
	for _, n := range named {
		compared[n.schema] = true
	}
	if !maps.Equal(c.named[false], c.named[true]) || !maps.Equal(c.named[false], compared) {
		c.fail("it names the schemas %q", slices.Sorted(maps.Keys(c.named[true])))
	}
}

// demandMarks demands that In puts the scope's schema wherever the rewrite names a
// template, but for a dimension without a value, whose guard is then false. It must
// come before the walk, which writes schemas that the user names as templates.
func (c *certifier) demandMarks(node any, at map[int32]bool) {
	schema, location := "", int32(0)
	switch n := node.(type) {
	case *pgparse.RangeVar:
		schema, location = n.Schemaname, n.Location
	case *pgparse.FuncCall:
		schema, _ = functionName(n)
		location = n.Location
		if constant, _ := relationArgument(n); constant != nil {
			c.demandMarkedConstant(constant, at)
		}
	case *pgparse.TypeName:
		if len(n.Names) == 2 {
			schema, location = n.Names[0].GetString_().GetSval(), n.Location
		}
	case *pgparse.TypeCast:
		if isRegclass(n) {
			c.demandMarkedConstant(n.Arg, at)
		}
	}
	c.demandMark(schema, location, at)
	pgparse.Children(node, func(child any) { c.demandMarks(child, at) })
}

func (c *certifier) demandMarkedConstant(n *pgparse.Node, at map[int32]bool) {
	schema, _, _ := relationName(n.GetAConst().GetSval().GetSval())
	c.demandMark(schema, n.GetAConst().GetLocation()+1, at)
}

func (c *certifier) demandMark(schema string, location int32, at map[int32]bool) {
	if d := c.policy.Template(schema); d != nil && c.shape.Presence(d) != Absent && !at[location] {
		c.fail("the template %s stands where no schema is put", schema)
	}
}

// qualified returns the names of a function or type with its schema as it is
// compared. In is the dimension in whose schemas an unqualified name lies, or nil.
func (c *certifier) qualified(names []*pgparse.Node, in *policy.Dimension) []*pgparse.Node {
	switch {
	case len(names) == 2:
		schema := c.schema(names[0].GetString_().GetSval())
		c.choose(c.policy.Template(schema))
		return append(stringNodes(schema), names[1])
	case in == nil:
		return names
	case c.rewritten:
		c.fail("%s is not named in full", dotted(names))
		return names
	}
	c.choose(in)
	return append(stringNodes(in.Schemas.Template), names...)
}

func (c *certifier) function(n *pgparse.FuncCall) {
	if !c.hasSchemas {
		return
	}
	constant, ok := relationArgument(n)
	if !ok {
		c.fail("a sequence is not named")
	}
	c.relationConstant(constant)
	n.Funcname = c.qualified(n.Funcname, tenantFunction(c.policy, n))
}

// relationConstant does the same for a string that names a relation.
func (c *certifier) relationConstant(n *pgparse.Node) {
	constant := n.GetAConst().GetSval()
	if constant == nil {
		return
	}
	schema, name, ok := relationName(constant.Sval)
	if !ok {
		c.fail("the relation %q cannot be read", constant.Sval)
		return
	}
	if schema != "" {
		template := c.schema(schema)
		c.choose(c.policy.Template(template))
		if template != schema {
			constant.Sval = quoteSchema(template) + "." + quoteSchema(name)
		}
		return
	}
	d := tenantRelation(c.policy, name)
	if d == nil {
		return
	}
	c.choose(d)
	if c.rewritten {
		c.fail("the relation %s is not named in full", name)
		return
	}
	constant.Sval = quoteSchema(d.Schemas.Template) + "." + constant.Sval
}
