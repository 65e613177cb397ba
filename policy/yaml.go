package policy

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// maxDepth bounds the nesting of the file; the format itself needs four.
const maxDepth = 32

// A kind is the form of a YAML node, as messages call it.
type kind string

const (
	mapping  kind = "a mapping"
	sequence kind = "a list"
	text     kind = "text"
	number   kind = "a number"
	boolean  kind = "true or false"
	null     kind = "empty"
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

// A composer builds nodes from the tokens of the YAML that a policy may use:
// block and flow collections and scalars, without anchors, aliases, tags,
// directives and complex keys. go-yaml's own parser is not used for it: it
// recurses once for each entry of a block mapping, so that its time grows with
// the square of the number of tables (3.9 s for 40,000, measured on go-yaml
// 1.19.2) and a hostile file overflows the stack; and it reads a key that follows
// an empty item of a list, at the same indentation, as that item's.
type composer struct {
	tokens []*token.Token
	depth  int
}

// A syntaxError stops the reading of the file: what follows has no sure meaning.
type syntaxError struct {
	line, column  int
	message, hint string
}

func (e *syntaxError) Error() string { return e.message }

func syntaxAt(t *token.Token, message, hint string) error {
	return &syntaxError{t.Position.Line, t.Position.Column, message, hint}
}

// compose returns the root of the only document in data. Its error is a
// *syntaxError.
func compose(data string) (*node, error) {
	c := &composer{}
	// The lexer counts a carriage return behind a comment as a line of its own.
	data = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(data)
	for _, t := range lexer.Tokenize(data) {
		switch t.Type {
		case token.CommentType:
			continue
		case token.InvalidType:
			if strings.Contains(t.Error, "'\t'") {
				return nil, syntaxAt(t, "a tab cannot indent", "use spaces")
			}
			return nil, syntaxAt(t, t.Error, "")
		}
		c.tokens = append(c.tokens, t)
	}
	if t := c.peek(); t != nil && t.Type == token.DocumentHeaderType {
		c.next()
	}
	t := c.peek()
	if t == nil || t.Type == token.DocumentEndType {
		return nil, &syntaxError{1, 1, "the file is empty", "begin with version: 1"}
	}
	root, err := c.block(t)
	if err != nil {
		return nil, err
	}
	if t := c.peek(); t != nil && t.Type == token.DocumentEndType {
		c.next()
	}
	if t := c.peek(); t != nil {
		switch t.Type {
		case token.DocumentHeaderType, token.DocumentEndType:
			return nil, syntaxAt(t, "a second YAML document begins here", "a policy is one document")
		}
		return nil, unexpected(t)
	}
	return root, nil
}

func (c *composer) peek() *token.Token { return c.peekAt(0) }

func (c *composer) peekAt(i int) *token.Token {
	if i < len(c.tokens) {
		return c.tokens[i]
	}
	return nil
}

func (c *composer) next() { c.tokens = c.tokens[1:] }

func newNode(t *token.Token, k kind) *node {
	return &node{kind: k, line: t.Position.Line, column: t.Position.Column}
}

func (c *composer) descend(t *token.Token) error {
	if c.depth++; c.depth > maxDepth {
		return syntaxAt(t, fmt.Sprintf("nested more than %d deep", maxDepth), "")
	}
	return nil
}

// block reads the node that begins at t, which is next, outside flow collections.
func (c *composer) block(t *token.Token) (*node, error) {
	if err := c.descend(t); err != nil {
		return nil, err
	}
	defer func() { c.depth-- }()
	switch {
	case t.Type == token.SequenceEntryType:
		return c.blockSequence(t)
	case c.atKey():
		return c.blockMapping(t)
	case t.Type == token.LiteralType || t.Type == token.FoldedType:
		c.next()
		n := newNode(t, text)
		if content := c.peek(); content != nil && content.Type == token.StringType {
			n.text = content.Value
			c.next()
		}
		return n, nil
	}
	return c.flow(t)
}

// atKey reports whether the next tokens are the key of a block mapping.
func (c *composer) atKey() bool {
	key, colon := c.peek(), c.peekAt(1)
	return key != nil && colon != nil && scalarKind(key) != "" && colon.Type == token.MappingValueType &&
		colon.Position.Line == key.Position.Line
}

func (c *composer) blockMapping(t *token.Token) (*node, error) {
	n := newNode(t, mapping)
	for t != nil && t.Position.Column == n.column && c.atKey() {
		key := scalar(t)
		c.next()
		c.next()
		value, err := c.blockValue(key)
		if err != nil {
			return nil, err
		}
		n.entries = append(n.entries, entry{key, value})
		t = c.peek()
	}
	return n, c.closed(n)
}

// closed reports a token that is indented as if it belonged to the block
// collection n, which has ended before it.
func (c *composer) closed(n *node) error {
	t := c.peek()
	if t == nil || t.Position.Column < n.column || t.Type == token.DocumentHeaderType || t.Type == token.DocumentEndType {
		return nil
	}
	// A mapping's list may be indented like the mapping's keys.
	if n.kind == sequence && t.Position.Column == n.column && t.Type != token.SequenceEntryType {
		return nil
	}
	return unexpected(t)
}

// blockValue reads the value of a key of a block mapping.
func (c *composer) blockValue(key *node) (*node, error) {
	t := c.peek()
	empty := &node{kind: null, line: key.line, column: key.column}
	if t == nil || t.Type == token.DocumentHeaderType || t.Type == token.DocumentEndType {
		return empty, nil
	}
	if t.Position.Line == key.line {
		if t.Type == token.SequenceEntryType || c.atKey() {
			return nil, syntaxAt(t, "a list or mapping cannot begin on the line of its key", "begin it on the next line, or use [ ] or { }")
		}
		return c.block(t)
	}
	if t.Position.Column > key.column || t.Position.Column == key.column && t.Type == token.SequenceEntryType {
		return c.block(t)
	}
	return empty, nil
}

func (c *composer) blockSequence(t *token.Token) (*node, error) {
	n := newNode(t, sequence)
	for t != nil && t.Position.Column == n.column && t.Type == token.SequenceEntryType {
		c.next()
		item := newNode(t, null)
		if v := c.peek(); v != nil && (v.Position.Column > n.column) {
			var err error
			if item, err = c.block(v); err != nil {
				return nil, err
			}
		}
		n.items = append(n.items, item)
		t = c.peek()
	}
	return n, c.closed(n)
}

// flow reads the scalar or flow collection that begins at t, which is next.
func (c *composer) flow(t *token.Token) (*node, error) {
	switch t.Type {
	case token.MappingStartType:
		return c.flowMapping(t)
	case token.SequenceStartType:
		return c.flowSequence(t)
	}
	if scalarKind(t) == "" {
		return nil, unexpected(t)
	}
	c.next()
	return scalar(t), nil
}

func (c *composer) flowMapping(start *token.Token) (*node, error) {
	n := newNode(start, mapping)
	err := c.flowItems(start, token.MappingEndType, func(t *token.Token) error {
		if scalarKind(t) == "" {
			return unexpected(t)
		}
		key := scalar(t)
		c.next()
		colon := c.peek()
		if colon == nil {
			return nil
		}
		if colon.Type != token.MappingValueType {
			return syntaxAt(t, fmt.Sprintf("%q has no value", key.text), "write key: value, with a space after the colon")
		}
		c.next()
		// To YAML {a:b} is the key "a:b"; the lexer takes it for {a: b}.
		if v := c.peek(); v != nil && t.Type != token.SingleQuoteType && t.Type != token.DoubleQuoteType && scalarKind(v) != "" &&
			v.Position.Line == colon.Position.Line && v.Position.Column == colon.Position.Column+1 {
			return syntaxAt(colon, fmt.Sprintf("no space follows the colon of %q", key.text), "write key: value")
		}
		value := &node{kind: null, line: key.line, column: key.column}
		if t := c.peek(); t != nil && t.Type != token.MappingEndType && t.Type != token.CollectEntryType {
			var err error
			if value, err = c.flow(t); err != nil {
				return err
			}
		}
		n.entries = append(n.entries, entry{key, value})
		return nil
	})
	return n, err
}

func (c *composer) flowSequence(start *token.Token) (*node, error) {
	n := newNode(start, sequence)
	err := c.flowItems(start, token.SequenceEndType, func(t *token.Token) error {
		item, err := c.flow(t)
		n.items = append(n.items, item)
		return err
	})
	return n, err
}

// flowItems reads from start, a bracket, to the end, and calls item where one begins.
func (c *composer) flowItems(start *token.Token, end token.Type, item func(*token.Token) error) error {
	if err := c.descend(start); err != nil {
		return err
	}
	defer func() { c.depth-- }()
	c.next()
	for t := c.peek(); t != nil; t = c.peek() {
		if t.Type == end {
			c.next()
			return nil
		}
		if err := item(t); err != nil {
			return err
		}
		t = c.peek()
		if t == nil {
			break
		}
		if t.Type == token.CollectEntryType {
			c.next()
		} else if t.Type != end {
			return syntaxAt(t, fmt.Sprintf("%q stands where a comma or the closing bracket is expected", t.Value), "")
		}
	}
	return syntaxAt(start, fmt.Sprintf("this %s is never closed", start.Value), "")
}

// scalarKind returns the kind of a scalar's token, or "".
func scalarKind(t *token.Token) kind {
	switch t.Type {
	case token.StringType, token.SingleQuoteType, token.DoubleQuoteType:
		return text
	case token.IntegerType, token.BinaryIntegerType, token.OctetIntegerType, token.HexIntegerType,
		token.FloatType, token.InfinityType, token.NanType:
		return number
	case token.BoolType:
		return boolean
	case token.NullType, token.ImplicitNullType:
		return null
	}
	return ""
}

func scalar(t *token.Token) *node {
	n := newNode(t, scalarKind(t))
	n.text = t.Value
	return n
}

func unexpected(t *token.Token) error {
	switch t.Type {
	case token.AnchorType:
		return syntaxAt(t, "anchors are not supported", "write the value out; quote text that begins with &")
	case token.AliasType:
		return syntaxAt(t, "aliases are not supported", "write the value out; quote a name that begins with *")
	case token.TagType:
		return syntaxAt(t, "tags are not supported", "quote text that begins with !")
	case token.DirectiveType:
		return syntaxAt(t, "directives are not supported", "remove it; quote text that begins with %")
	case token.MappingKeyType:
		return syntaxAt(t, "complex keys are not supported", "write key: value")
	case token.MergeKeyType:
		return syntaxAt(t, "merge keys are not supported", "write the entries out")
	}
	return syntaxAt(t, fmt.Sprintf("%q is out of place here", t.Value), "check the indentation, and the space after each colon")
}
