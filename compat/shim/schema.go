package shim

import "regexp"

const leading = `(?is)^(?:\s|--[^\n]*\n|/\*.*?\*/)*`

// schemaStatement begins with what changes the schema, or all rows at once, or
// where tables are looked for. DO is what migrations are written in.
var schemaStatement = regexp.MustCompile(leading + `(?:CREATE|ALTER|DROP|TRUNCATE|COMMENT\s+ON|REINDEX|DO|SET\s+search_path)\b`)

// ChangesSchema tells whether a statement, or the first of several, needs scopes
// disabled because it changes the schema.
func ChangesSchema(query string) bool { return schemaStatement.MatchString(query) }

var createTable = regexp.MustCompile(`(?is)^(\s*CREATE\s+)(TEMP(?:ORARY)?\s+)?(TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?("[^"]+"|[\w.]+).*)$`)

// CreatedTable returns the name of the table that a statement makes, or "".
func CreatedTable(query string) (table string, temporary bool) {
	m := createTable.FindStringSubmatch(query)
	if m == nil {
		return "", false
	}
	return m[4], m[2] != ""
}

// Permanent returns CREATE TABLE for CREATE TEMPORARY TABLE.
func Permanent(query string) string {
	return createTable.ReplaceAllString(query, "$1$3")
}
