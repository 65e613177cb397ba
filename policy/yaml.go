package policy

import (
	"errors"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// A kind is the form of a YAML node.
type kind string

const (
	mapping  kind = "a mapping"
	sequence kind = "a list"
	text     kind = "text"
	number   kind = "a number"
	boolean  kind = "true or false"
	null     kind = "empty"
	invalid  kind = "invalid" // already reported
)

// A node is a YAML node with its place.
type node struct {
	kind         kind
	text         string // of a scalar
	line, column int
	entries      []entry // of a mapping, in the order of the file
	items        []*node // of a sequence
}

type entry struct{ key, value *node }

func (l *loader) parseYAML(data []byte) *node {
	f, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		at := &node{line: 1, column: 1}
		var yamlErr yaml.Error
		if errors.As(err, &yamlErr) {
			at = l.at(yamlErr.GetToken())
			l.fail(at, yamlErr.GetMessage(), "")
		} else {
			l.fail(at, err.Error(), "")
		}
		return nil
	}
	var root *node
	for i, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		if i > 0 {
			l.fail(l.at(doc.Body.GetToken()), "a second YAML document", "")
			break
		}
		root = l.node(doc.Body)
	}
	return root
}

func (l *loader) at(t *token.Token) *node {
	if t == nil {
		return &node{line: 1, column: 1}
	}
	return &node{line: t.Position.Line, column: t.Position.Column}
}

func (l *loader) node(a ast.Node) *node {
	n := l.at(a.GetToken())
	switch a := a.(type) {
	case *ast.MappingNode:
		n.kind = mapping
		if !a.IsFlowStyle && len(a.Values) > 0 {
			n = l.at(a.Values[0].Key.GetToken())
			n.kind = mapping
		}
		for _, v := range a.Values {
			n.entries = append(n.entries, entry{l.node(v.Key), l.node(v.Value)})
		}
	case *ast.SequenceNode:
		n.kind = sequence
		for _, v := range a.Values {
			n.items = append(n.items, l.node(v))
		}
	case *ast.StringNode:
		n.kind, n.text = text, a.Value
	case *ast.LiteralNode:
		n.kind, n.text = text, a.Value.Value
	case *ast.IntegerNode:
		n.kind, n.text = number, a.Token.Value
	case *ast.FloatNode:
		n.kind, n.text = number, a.Token.Value
	case *ast.BoolNode:
		n.kind, n.text = boolean, a.Token.Value
	case *ast.NullNode:
		n.kind = null
	default:
		n.kind = invalid
		l.fail(n, "YAML "+a.Type().YAMLName()+" is not supported", "")
	}
	return n
}
