//go:build cgo && linux && !musl

package pgparse

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// A decoder reads the JSON in which the parser in C prints a tree. Its other form,
// protobuf, takes five times as long to print, because a Node has some 270
// possible fields whose sizes are added up at every level of the tree.
//
// What the decoder does not know makes it fail, and the tree is read from the
// other form.
type decoder struct {
	text string // the JSON
	at   int
	sql  string // what was parsed

	failed bool
	zeros  int // integers that may be zero or negative: the JSON has neither
	nodes  []*Node
}

// decode returns the statements of sql from their JSON, or reports that it cannot.
func decode(sql, text string) (stmts []*RawStmt, ok bool) {
	if !utf8.ValidString(text) {
		return nil, false
	}
	d := &decoder{text: text, sql: sql}
	for d.field() {
		switch d.key() {
		case "version":
			d.int()
		case "stmts":
			for d.element() {
				s := new(RawStmt)
				d.decodeRawStmt(s)
				stmts = append(stmts, s)
			}
		default:
			d.failed = true
		}
	}
	if d.failed || d.at != len(text) || d.zeros > 0 {
		return nil, false
	}
	return stmts, true
}

// field goes to the next key of an object, at whose beginning it is first
// called. It reports false behind the object's end.
func (d *decoder) field() bool { return d.next('{', '}') }

// element does the same with the elements of an array.
func (d *decoder) element() bool { return d.next('[', ']') }

func (d *decoder) next(begin, end byte) bool {
	if d.failed || d.take(end) {
		return false
	}
	if d.take(begin) {
		return !d.take(end)
	}
	d.failed = !d.take(',')
	return !d.failed
}

func (d *decoder) take(c byte) bool {
	if d.at < len(d.text) && d.text[d.at] == c {
		d.at++
		return true
	}
	return false
}

// key reads the name of a field, which has no escapes, and the colon behind it.
func (d *decoder) key() string {
	rest := d.text[d.at:]
	if len(rest) > 0 && rest[0] == '"' {
		if end := strings.IndexByte(rest[1:], '"') + 1; end > 0 && end+1 < len(rest) && rest[end+1] == ':' {
			d.at += end + 2
			return rest[1:end]
		}
	}
	d.failed = true
	return ""
}

// word reads a number or a name.
func (d *decoder) word() string {
	rest := d.text[d.at:]
	end := strings.IndexAny(rest, ",}]")
	if end < 0 {
		d.failed = true
		return ""
	}
	d.at += end
	return rest[:end]
}

func (d *decoder) int() int64 {
	n, err := strconv.ParseInt(d.word(), 10, 64)
	if err != nil {
		d.failed = true
	}
	return n
}

func (d *decoder) bool() bool {
	switch d.word() {
	case "true":
		return true
	case "false":
	default:
		d.failed = true
	}
	return false
}

func (d *decoder) enum(values map[string]int32) int32 {
	n, ok := values[d.string()]
	if !ok {
		d.failed = true
	}
	return n
}

// string reads a string. Without escapes it is a piece of the JSON.
func (d *decoder) string() string {
	if !d.take('"') {
		if d.word() != "null" {
			d.failed = true
		}
		return ""
	}
	rest := d.text[d.at:]
	end := strings.IndexAny(rest, `"\`)
	if end < 0 {
		d.failed = true
		return ""
	}
	if rest[end] == '"' {
		d.at += end + 1
		return rest[:end]
	}
	var b strings.Builder
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; c {
		case '"':
			d.at += i + 1
			return b.String()
		case '\\':
			c, size := unescape(rest[i+1:])
			if size == 0 {
				d.failed = true
				return ""
			}
			b.WriteByte(c)
			i += size
		default:
			b.WriteByte(c)
		}
	}
	d.failed = true
	return ""
}

// unescape reads what stands behind a backslash. Only bytes below 128 are written
// with their number.
func unescape(s string) (c byte, size int) {
	if s == "" {
		return 0, 0
	}
	switch s[0] {
	case 'b':
		return '\b', 1
	case 'f':
		return '\f', 1
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 't':
		return '\t', 1
	case '"', '\\':
		return s[0], 1
	case 'u':
		if len(s) >= 5 {
			if n, err := strconv.ParseUint(s[1:5], 16, 7); err == nil {
				return byte(n), 5
			}
		}
	}
	return 0, 0
}

// list reads an array of nodes.
func (d *decoder) list() []*Node {
	first := len(d.nodes)
	for d.element() {
		d.nodes = append(d.nodes, d.node())
	}
	list := append([]*Node(nil), d.nodes[first:]...)
	d.nodes = d.nodes[:first]
	return list
}

// The JSON has no integers below 1. In constants and the bounds of array types,
// zero and negative ones are told apart by the text: the grammar makes the latter
// of a sign, and for a bound that is not given.

func (d *decoder) readInteger(n *Integer) {
	if n.Ival == 0 {
		d.zeros++
	}
}

// readA_Const finds the sign at the location of the constant.
func (d *decoder) readA_Const(n *A_Const) {
	if x := n.GetIval(); x != nil && x.Ival == 0 && 0 <= n.Location && int(n.Location) < len(d.sql) && d.sql[n.Location] != '-' {
		d.zeros--
	}
}

func (d *decoder) readTypeName(n *TypeName) {
	for _, bound := range n.ArrayBounds {
		if x := bound.GetInteger(); x != nil && x.Ival == 0 {
			if hasZeroBound(d.sql) {
				d.failed = true
			}
			d.zeros--
			x.Ival = -1
		}
	}
}

// hasZeroBound reports whether an array type in sql may have a bound of zero: a
// bracket before a zero, or before a comment.
func hasZeroBound(sql string) bool {
	for {
		_, rest, found := strings.Cut(sql, "[")
		if !found {
			return false
		}
		rest = strings.TrimLeft(rest, " \t\n\r\f\v")
		if rest != "" && strings.IndexByte("0/-", rest[0]) >= 0 {
			return true
		}
		sql = rest
	}
}
