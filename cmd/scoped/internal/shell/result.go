package shell

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/rivo/uniseg"
)

// A format writes the results of statements. Values are PostgreSQL's own text,
// nil for NULL.
type format interface {
	begin(columns []column) error
	row(values [][]byte) error
	end(tag string, rows int) error
}

// A column is one of a result.
type column struct {
	name string
	kind kind
}

// A kind says how values are aligned, and what JSON makes of them.
type kind uint8

const (
	text kind = iota
	number
	boolean
	document // JSON
)

var kinds = map[uint32]kind{
	pgtype.Int2OID: number, pgtype.Int4OID: number, pgtype.Int8OID: number, pgtype.OIDOID: number,
	pgtype.Float4OID: number, pgtype.Float8OID: number, pgtype.NumericOID: number,
	pgtype.BoolOID: boolean,
	pgtype.JSONOID: document, pgtype.JSONBOID: document,
}

func columnsOf(fields []pgconn.FieldDescription) []column {
	columns := make([]column, len(fields))
	for i, f := range fields {
		columns[i] = column{f.Name, kinds[f.DataTypeOID]}
	}
	return columns
}

// table collects a result and writes it as psql does.
type table struct {
	out      func(text string) error
	null     string
	expanded expansion
	width    int    // of the screen, for automatic expansion
	title    string // may be empty
	footer   bool   // the number of rows

	columns []column
	rows    [][]cell
}

// An expansion says whether each column gets a line of its own.
type expansion string

const (
	never     expansion = "off"
	always    expansion = "on"
	automatic expansion = "auto"
)

// A cell is a value in lines that can be shown.
type cell []string

func (c cell) width() int {
	w := 0
	for _, line := range c {
		w = max(w, uniseg.StringWidth(line))
	}
	return w
}

func (t *table) begin(columns []column) error {
	t.columns, t.rows = columns, nil
	return nil
}

func (t *table) row(values [][]byte) error {
	cells := make([]cell, len(values))
	for i, v := range values {
		if v == nil {
			cells[i] = cell{t.null}
		} else {
			cells[i] = strings.Split(printable(string(v)), "\n")
		}
	}
	t.rows = append(t.rows, cells)
	return nil
}

func (t *table) end(tag string, _ int) error {
	if t.columns == nil {
		if tag == "" {
			return nil
		}
		return t.out(tag + "\n")
	}
	widths := make([]int, len(t.columns))
	total := 0
	for i, c := range t.columns {
		widths[i] = uniseg.StringWidth(printable(c.name))
		for _, row := range t.rows {
			widths[i] = max(widths[i], row[i].width())
		}
		total += widths[i] + 3
	}
	var b strings.Builder
	if t.expanded == always || t.expanded == automatic && total-1 > t.width {
		t.writeRecords(&b)
	} else {
		t.writeAligned(&b, widths)
	}
	return t.out(b.String())
}

func (t *table) writeAligned(b *strings.Builder, widths []int) {
	names := make([]string, len(widths))
	rules := make([]string, len(widths))
	total := len(widths) - 1
	for i, c := range t.columns {
		name := strings.ReplaceAll(printable(c.name), "\n", " ")
		left := (widths[i] - uniseg.StringWidth(name)) / 2
		names[i] = " " + pad(strings.Repeat(" ", left)+name, widths[i], false) + " "
		rules[i] = strings.Repeat("-", widths[i]+2)
		total += widths[i] + 2
	}
	if t.title != "" {
		b.WriteString(strings.Repeat(" ", max(0, total-uniseg.StringWidth(t.title))/2) + t.title + "\n")
	}
	writeLine(b, strings.Join(names, "|"))
	writeLine(b, strings.Join(rules, "+"))
	for _, row := range t.rows {
		for n := range slices.MaxFunc(row, func(a, b cell) int { return len(a) - len(b) }) {
			parts := make([]string, len(row))
			for i, c := range row {
				line, end := "", " "
				if n < len(c) {
					line = c[n]
				}
				if n+1 < len(c) {
					end = "+"
				}
				parts[i] = " " + pad(line, widths[i], t.columns[i].kind == number) + end
			}
			writeLine(b, strings.Join(parts, "|"))
		}
	}
	if t.footer {
		b.WriteString(counted(len(t.rows)) + "\n\n")
	}
}

func (t *table) writeRecords(b *strings.Builder) {
	if t.title != "" {
		b.WriteString(t.title + "\n")
	}
	if len(t.rows) == 0 {
		b.WriteString(counted(0) + "\n")
	}
	names, values := 0, 0
	for i, c := range t.columns {
		names = max(names, uniseg.StringWidth(printable(c.name)))
		for _, row := range t.rows {
			values = max(values, row[i].width())
		}
	}
	for n, row := range t.rows {
		rule := fmt.Sprintf("-[ RECORD %d ]", n+1)
		line := strings.Repeat("-", names+1) + "+" + strings.Repeat("-", min(values, max(t.width-names-3, 10))+1)
		if len(rule) < len(line) {
			rule += line[len(rule):]
		}
		writeLine(b, rule)
		for i, c := range row {
			name := strings.ReplaceAll(printable(t.columns[i].name), "\n", " ")
			for n, line := range c {
				if n+1 < len(c) {
					line += "+"
				}
				writeLine(b, pad(name, names, false)+" | "+line)
				name = ""
			}
		}
	}
	if t.footer {
		b.WriteByte('\n')
	}
}

func writeLine(b *strings.Builder, line string) {
	b.WriteString(strings.TrimRight(line, " "))
	b.WriteByte('\n')
}

func counted(rows int) string {
	if rows == 1 {
		return "(1 row)"
	}
	return fmt.Sprintf("(%d rows)", rows)
}

// pad fills text up to a width on the screen.
func pad(text string, width int, right bool) string {
	blanks := strings.Repeat(" ", max(0, width-uniseg.StringWidth(text)))
	if right {
		return blanks + text
	}
	return text + blanks
}

// printable returns text that does nothing to a terminal: tabs become blanks,
// other control characters their code, as in psql. Lines stay lines.
func printable(text string) string {
	if !strings.ContainsFunc(text, isControl) {
		return text
	}
	var b strings.Builder
	start := 0 // of the line
	for i, r := range text {
		switch {
		case r == '\n':
			b.WriteByte('\n')
			start = b.Len()
		case r == '\t':
			at := uniseg.StringWidth(b.String()[start:])
			b.WriteString(strings.Repeat(" ", 8-at%8))
		case r == '\r':
			b.WriteString(`\r`)
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				fmt.Fprintf(&b, `\x%02X`, text[i])
			} else {
				b.WriteRune(r)
			}
		case isControl(r) && r < utf8.RuneSelf:
			fmt.Fprintf(&b, `\x%02X`, r)
		case isControl(r):
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isControl(r rune) bool {
	return r < ' ' || 0x7f <= r && r < 0xa0 || r == utf8.RuneError
}

// csv writes a result as PostgreSQL's COPY does in its format of that name, with
// the names of the columns first. NULL is nothing, an empty text is "".
type csv struct {
	out    *bufio.Writer
	header bool
}

func (c *csv) begin(columns []column) error {
	if !c.header || len(columns) == 0 {
		return nil
	}
	names := make([][]byte, len(columns))
	for i, column := range columns {
		names[i] = []byte(column.name)
	}
	return c.row(names)
}

func (c *csv) row(values [][]byte) error {
	for i, v := range values {
		if i > 0 {
			c.out.WriteByte(',')
		}
		switch s := string(v); {
		case v == nil:
		case s == "", s == `\.`, strings.ContainsAny(s, "\",\r\n"):
			c.out.WriteString(`"` + strings.ReplaceAll(s, `"`, `""`) + `"`)
		default:
			c.out.WriteString(s)
		}
	}
	return c.out.WriteByte('\n')
}

func (c *csv) end(string, int) error { return c.out.Flush() }

// lines writes one JSON object a row, its keys in the order of the columns.
type lines struct {
	out     *bufio.Writer
	columns []column
	keys    [][]byte
}

func (l *lines) begin(columns []column) error {
	l.columns, l.keys = columns, nil
	seen := make(map[string]bool)
	for _, c := range columns {
		name := c.name
		for n := 2; seen[name]; n++ {
			name = fmt.Sprintf("%s_%d", c.name, n)
		}
		seen[name] = true
		l.keys = append(l.keys, jsonText(name))
	}
	return nil
}

func (l *lines) row(values [][]byte) error {
	l.out.WriteByte('{')
	for i, v := range values {
		if i > 0 {
			l.out.WriteByte(',')
		}
		l.out.Write(l.keys[i])
		l.out.WriteByte(':')
		l.out.Write(jsonValue(v, l.columns[i].kind))
	}
	_, err := l.out.WriteString("}\n")
	return err
}

func (l *lines) end(string, int) error { return l.out.Flush() }

// jsonValue returns a value as JSON: numbers, booleans, JSON and NULL as what they
// are, everything else as text.
func jsonValue(v []byte, k kind) []byte {
	switch {
	case v == nil:
		return []byte("null")
	case k == boolean && string(v) == "t":
		return []byte("true")
	case k == boolean && string(v) == "f":
		return []byte("false")
	case k == number && json.Valid(v): // not NaN, not Infinity
		return v
	case k == document:
		var line bytes.Buffer
		if json.Compact(&line, v) == nil {
			return line.Bytes()
		}
	}
	return jsonText(string(v))
}

func jsonText(s string) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string can always be encoded
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

// writerTo returns what a table is written to without a pager.
func writerTo(w io.Writer) func(string) error {
	return func(text string) error {
		_, err := io.WriteString(w, text)
		return err
	}
}
