package isolation

import "strings"

// The types of the schema's columns, as SQL names them.
const (
	integer   = "integer"
	bigint    = "bigint"
	numeric   = "numeric"
	text      = "text"
	boolean   = "boolean"
	date      = "date"
	timestamp = "timestamptz"
	jsonb     = "jsonb"
	integers  = "integer[]"
	texts     = "text[]"
	uuid      = "uuid"
)

// The flavours of columns: what a tenant's rows are known to hold, so that
// expressions succeed on them, and what poison does not.
const (
	plain    = ""
	key      = "key"      // the table's own key
	scopes   = "scope"    // holds the scope's value
	side     = "side"     // holds the scope's value, or another column does
	deleted  = "deleted"  // a time at which the row was deleted, mostly NULL
	word     = "word"     // text that compares with that of other tables
	digits   = "digits"   // text that is a number
	divisor  = "divisor"  // an integer from 1 to 9; poison is zero
	document = "document" // {"n": 1, "list": [1], "on": "2026-01-01"}; poison lacks the keys or has other types
	dayText  = "daytext"  // text that is a date
	days     = "days"     // a small number of days; poison is beyond every date
	day      = "day"      // a date near 2026; poison is the last one
	moment   = "moment"   // a time near 2026; poison is the last one
	pattern  = "pattern"  // text that is a pattern; poison is one that no matching survives
	huge     = "huge"     // a number below a thousand; poison is the largest bigint
	list     = "list"     // an array whose first element is a divisor
	numerals = "numerals" // an array of text that is numbers
	zone     = "zone"     // the name of a time zone
	positive = "positive" // a number above zero; poison is below
	fixed    = "fixed"    // generated: never assigned
)

// A column is one that an expression can refer to.
type column struct {
	name    string
	typ     string
	flavour string
	parent  string // the table to which it refers
	must    bool   // an INSERT has to name it
}

// A table is what the generator knows of one of the schema's.
type table struct {
	name     string
	columns  []column
	keys     []string // what ON CONFLICT can name
	writable bool
	always   bool // its identity is GENERATED ALWAYS
}

// schemaTables spells out schema.sql: a column is a name, a type, then a flavour
// or a reference, and an exclamation mark where an INSERT has to name it.
var schemaTables = parseTables(`
site w (id): id bigint key!, name text word!, plan text, quota integer divisor
country r (code): code text!, name text word!, population bigint huge
account w (id): id bigint scope, name text word, credit numeric positive, num text digits, doc jsonb document
post w (id): id bigint key, site_id bigint scope, title text word, slug text fixed, num text digits, n integer divisor, big bigint huge, doc jsonb document, tags text[] numerals, due date day, days integer days, created_at timestamptz moment
comment w (id): id bigint key, post_id bigint ->post!, parent_id bigint ->comment, body text word, num text digits, score integer divisor, at text daytext, pat text pattern
reaction w (id): id bigint key, comment_id bigint ->comment!, kind text word, weight integer divisor, num text digits
award w (id): id bigint key, reaction_id bigint ->reaction!, kind text word, amount text digits, steps integer divisor, doc jsonb document
tag_link w (post_id, tag): post_id bigint ->post!, tag text word!, num text digits, nums integer[] list
category w (id): id bigint key, site_id bigint scope, parent_id bigint ->category, name text word!, num text digits, n integer divisor
event w (site_id, id): site_id bigint scope, id bigint key!, kind text word, at text daytext, n integer divisor, doc jsonb document
setting w (site_id, key): site_id integer scope, key text word!, value text digits, level integer divisor
log_access w (id): id bigint key, site_id bigint scope, line text digits, zone text zone, at timestamptz moment
note w (id): id bigint key, account_id bigint ->account!, body text word, num text digits, pat text pattern, days integer days
bookmark w (id)(post_id, user_id): id bigint key, post_id bigint ->post!, user_id bigint scope, note text word, num text digits, n integer divisor
project a (id): id bigint key, org_id uuid scope, name text word, budget numeric positive, num text digits, doc jsonb document
task w (id): id bigint key, project_id bigint ->project!, name text word, hours numeric positive, rate numeric positive, total numeric fixed, due date day, days integer days, num text digits, n integer divisor
shop w (id): id bigint key, region text scope, name text word, num text digits, n integer divisor
stock w (id): id bigint key, shop_id bigint ->shop!, item text word, qty integer divisor, price numeric positive, big bigint huge, num text digits
listing w (id): id bigint key, post_id bigint ->post!, shop_id bigint ->shop!, num text digits, n integer divisor
message w (id): id bigint key, sender_id bigint side, recipient_id bigint side, body text word, num text digits, n integer divisor, doc jsonb document
attachment w (id): id bigint key, message_id bigint ->message!, name text word, size integer divisor, num text digits
notice w (id): id bigint key, site_id bigint side, post_id bigint ->post, title text word, num text digits, days integer days
template w (id): id bigint key, site_id bigint side!, name text word, num text digits, n integer divisor
holiday r (id): id bigint key!, site_id bigint scope, name text word, num text digits, day date day
article w (id): id bigint key, site_id bigint scope, deleted_at timestamptz deleted, title text word, num text digits, n integer divisor
page w (id): id bigint key, site_id bigint scope, deleted_at timestamptz deleted, title text word, num text digits, n integer divisor
label w (id): id bigint key, site_id bigint scope, post_id bigint ->post, article_id bigint ->article, name text word, num text digits, n integer divisor
topic w (id): id bigint key, site_id bigint scope, team_id bigint scope, title text word, pat text pattern, num text digits, n integer divisor
comment_list r: id bigint key, site_id bigint scope, body text word, num text digits, share integer, title text word
post_list r: id bigint key, site_id bigint scope, title text word, num text digits, n integer divisor, due date day
`)

func parseTables(spec string) []*table {
	var tables []*table
	for line := range strings.Lines(strings.TrimSpace(spec)) {
		head, body, _ := strings.Cut(strings.TrimSpace(line), ": ")
		name, rest, _ := strings.Cut(head, " ")
		mode, keys, _ := strings.Cut(rest, " ")
		t := &table{name: name, writable: mode != "r", always: mode == "a"}
		for _, k := range strings.SplitAfter(keys, ")") {
			if k != "" {
				t.keys = append(t.keys, k)
			}
		}
		for _, field := range strings.Split(body, ", ") {
			words := strings.Fields(strings.TrimSuffix(field, "!"))
			c := column{name: words[0], typ: words[1], must: strings.HasSuffix(field, "!")}
			if len(words) > 2 {
				if parent, ok := strings.CutPrefix(words[2], "->"); ok {
					c.parent = parent
				} else {
					c.flavour = words[2]
				}
			}
			t.columns = append(t.columns, c)
		}
		tables = append(tables, t)
	}
	return tables
}

func tableNamed(name string) *table {
	for _, t := range schemaTables {
		if t.name == name {
			return t
		}
	}
	return nil
}
