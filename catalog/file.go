package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// fileVersion is the version of the file's form.
const fileVersion = 1

// maxFile bounds a file, in bytes: some hundred thousand tables.
const maxFile = 256 << 20

// The form of the file, and of what the server is asked for.
type (
	file struct {
		Version   int            `json:"version"`
		Tables    []fileTable    `json:"tables"`
		Functions []fileFunction `json:"functions"`
	}
	fileTable struct {
		Schema      string           `json:"schema"`
		Name        string           `json:"name"`
		Kind        Kind             `json:"kind"`
		Columns     []fileColumn     `json:"columns"`
		PrimaryKey  []string         `json:"primary_key,omitempty"`
		Unique      [][]string       `json:"unique,omitempty"`
		ForeignKeys []fileForeignKey `json:"foreign_keys,omitempty"`
	}
	fileColumn struct {
		Name      string `json:"name"`
		Type      string `json:"type"`
		NotNull   bool   `json:"not_null,omitempty"`
		Default   bool   `json:"default,omitempty"`
		Identity  string `json:"identity,omitempty"`
		Generated string `json:"generated,omitempty"`
	}
	fileForeignKey struct {
		Columns      []string `json:"columns"`
		Schema       string   `json:"schema"`
		Table        string   `json:"table"`
		Keys         []string `json:"keys"`
		OnDelete     string   `json:"on_delete,omitempty"`
		OnUpdate     string   `json:"on_update,omitempty"`
		NotValidated bool     `json:"not_validated,omitempty"`
	}
	fileFunction struct {
		Schema string `json:"schema"`
		Name   string `json:"name"`
		Row    bool   `json:"row,omitempty"`
	}
)

const rewriteHint = "write the file again with scoped catalog"

// Load reads a file that WriteTo has written. A fault is an *Error that names
// the file.
func Load(path string) (*Catalog, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{Message: "the file cannot be opened", Hint: "write it with scoped catalog", Err: err}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, &Error{Message: path + " cannot be read", Err: err}
	}
	c, err := Parse(data)
	var fault *Error
	if errors.As(err, &fault) {
		fault.Message = path + ": " + fault.Message
	}
	return c, err
}

// Parse is Load for the contents of a file.
func Parse(data []byte) (*Catalog, error) {
	if len(data) > maxFile {
		return nil, &Error{Message: fmt.Sprintf("it has more than %d bytes", maxFile), Hint: "name the schemas of interest: scoped catalog --schema NAME"}
	}
	var f file
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, &Error{Message: "it is not a catalogue" + lineOf(data, err), Hint: rewriteHint, Err: err}
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, &Error{Message: "something follows the catalogue", Hint: rewriteHint}
	}
	if f.Version != fileVersion {
		return nil, &Error{
			Message: fmt.Sprintf("it is of version %d, and only version %d is read", f.Version, fileVersion),
			Hint:    "write the file again with the scoped catalog of this version",
		}
	}
	return f.catalog()
}

// lineOf says where in data a fault of the decoder's is.
func lineOf(data []byte, err error) string {
	offset := int64(-1)
	var syntax *json.SyntaxError
	var typed *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &typed):
		offset = typed.Offset
	}
	if offset < 0 || offset > int64(len(data)) {
		return ""
	}
	return fmt.Sprintf(" (line %d)", 1+bytes.Count(data[:offset], []byte("\n")))
}

// kinds are the kinds that a file may name.
var kinds = map[Kind]bool{
	Ordinary: true, Partitioned: true, View: true, MaterializedView: true, Foreign: true, Type: true,
}

func (f *file) catalog() (*Catalog, error) {
	tables := make([]*Table, len(f.Tables))
	seen := make(map[tableName]bool, len(f.Tables))
	for i, t := range f.Tables {
		name := tableName{t.Schema, t.Name}
		if fault := t.fault(); fault != "" {
			return nil, &Error{Message: fmt.Sprintf("table %s.%s %s", t.Schema, t.Name, fault), Hint: rewriteHint}
		}
		if seen[name] {
			return nil, &Error{Message: fmt.Sprintf("table %s.%s is listed twice", t.Schema, t.Name), Hint: rewriteHint}
		}
		seen[name] = true
		table := &Table{Schema: t.Schema, Name: t.Name, Kind: t.Kind, PrimaryKey: t.PrimaryKey, Unique: t.Unique}
		for _, c := range t.Columns {
			table.Columns = append(table.Columns, Column(c))
		}
		for _, k := range t.ForeignKeys {
			table.ForeignKeys = append(table.ForeignKeys, ForeignKey(k))
		}
		tables[i] = table
	}
	functions := make([]Function, len(f.Functions))
	for i, fn := range f.Functions {
		if fn.Name == "" {
			return nil, &Error{Message: "a function without a name", Hint: rewriteHint}
		}
		functions[i] = Function(fn)
	}
	return newCatalog(tables, functions), nil
}

// fault returns what is wrong with a table, or nothing.
func (t *fileTable) fault() string {
	if t.Schema == "" || t.Name == "" {
		return "has no name or no schema"
	}
	if !kinds[t.Kind] {
		return fmt.Sprintf("is of the unknown kind %q", t.Kind)
	}
	columns := make(map[string]bool, len(t.Columns))
	for _, c := range t.Columns {
		switch {
		case c.Name == "" || c.Type == "":
			return "has a column without a name or without a type"
		case columns[c.Name]:
			return "has the column " + c.Name + " twice"
		}
		columns[c.Name] = true
	}
	lists := append([][]string{t.PrimaryKey}, t.Unique...)
	for _, k := range t.ForeignKeys {
		if k.Schema == "" || k.Table == "" || len(k.Columns) != len(k.Keys) {
			return "has a foreign key that leads nowhere"
		}
		lists = append(lists, k.Columns)
	}
	for _, list := range lists {
		for _, name := range list {
			if !columns[name] {
				return fmt.Sprintf("has a key of the column %q, which it does not list", name)
			}
		}
	}
	return ""
}

// WriteTo writes the catalogue as JSON, one column a line, sorted but for the
// order of columns, so that a change of the schema is a small change of the file.
func (c *Catalog) WriteTo(w io.Writer) (int64, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"version\": %d,\n  \"tables\": [", fileVersion)
	for i, t := range c.tables {
		separate(&b, i, "\n    ")
		fmt.Fprintf(&b, "{\n      \"schema\": %s,\n      \"name\": %s,\n      \"kind\": %s", line(t.Schema), line(t.Name), line(t.Kind))
		b.WriteString(",\n      \"columns\": [")
		for i, column := range t.Columns {
			separate(&b, i, "\n        ")
			b.WriteString(line(fileColumn(column)))
		}
		b.WriteString("\n      ]")
		if len(t.PrimaryKey) > 0 {
			b.WriteString(",\n      \"primary_key\": " + line(t.PrimaryKey))
		}
		if len(t.Unique) > 0 {
			b.WriteString(",\n      \"unique\": " + line(t.Unique))
		}
		if len(t.ForeignKeys) > 0 {
			b.WriteString(",\n      \"foreign_keys\": [")
			for i, k := range t.ForeignKeys {
				separate(&b, i, "\n        ")
				b.WriteString(line(fileForeignKey(k)))
			}
			b.WriteString("\n      ]")
		}
		b.WriteString("\n    }")
	}
	b.WriteString("\n  ],\n  \"functions\": [")
	for i, f := range c.functions {
		separate(&b, i, "\n    ")
		b.WriteString(line(fileFunction(f)))
	}
	b.WriteString("\n  ]\n}\n")
	return b.WriteTo(w)
}

func separate(b *bytes.Buffer, i int, indent string) {
	if i > 0 {
		b.WriteByte(',')
	}
	b.WriteString(indent)
}

// line returns a value as JSON on one line, with a space behind commas and colons.
func line(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // strings and booleans can be encoded
	}
	return spaced(strings.TrimSuffix(b.String(), "\n"))
}

// spaced adds a space behind each comma and colon outside strings.
func spaced(text string) string {
	var b strings.Builder
	inString := false
	for i := 0; i < len(text); i++ {
		b.WriteByte(text[i])
		switch c := text[i]; {
		case inString && c == '\\':
			i++
			b.WriteByte(text[i])
		case c == '"':
			inString = !inString
		case !inString && (c == ',' || c == ':'):
			b.WriteByte(' ')
		}
	}
	return b.String()
}
