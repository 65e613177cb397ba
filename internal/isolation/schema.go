package isolation

import (
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

//go:embed testdata/schema.sql
var schemaSQL string

//go:embed testdata/policy.yaml
var policyYAML []byte

// A Scope is whose rows the statements see: the values of every dimension.
type Scope struct {
	Name   string
	values map[string][]string // by dimension
	schema bool                // the tables live in a schema that the scope chooses
}

// Scopes returns the scopes under which statements can be run: "one" has one
// value of each dimension; "many" has two, and lacks the optional dimension;
// "schema" is "one", with the tables in a schema of the tenant's.
func Scopes() []Scope {
	const a, c = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000c"
	one := map[string][]string{"site": {"1"}, "user": {"7"}, "org": {a}, "region": {"north"}, "team": {"5"}}
	schema := maps.Clone(one)
	schema["tenant"] = []string{tenantValue}
	return []Scope{
		{Name: "one", values: one},
		{Name: "many", values: map[string][]string{"site": {"1", "3"}, "user": {"7", "9"}, "org": {a, c}, "region": {"north", "east"}}},
		{Name: "schema", values: schema, schema: true},
	}
}

// shape returns what the rewriter is told of the scope.
func (s Scope) shape(p *policy.Policy) rewrite.Shape {
	var shape rewrite.Shape
	for _, d := range p.Dimensions() {
		presence := rewrite.One
		switch len(s.values[d.Name]) {
		case 0:
			presence = rewrite.Absent
		case 1:
		default:
			presence = rewrite.Many
		}
		shape = shape.With(d, presence)
	}
	return shape
}

// args returns the values of the dimensions in text form: the value itself, or
// an array where there are several.
func (s Scope) args(list []rewrite.Arg) [][]byte {
	args := make([][]byte, len(list))
	for i, d := range list {
		values := s.values[d.Name]
		if len(values) == 1 {
			args[i] = []byte(values[0])
		} else {
			args[i] = []byte("{" + strings.Join(values, ",") + "}")
		}
	}
	return args
}

// A visibility says in words of its own, not the rewriter's, which rows of a
// table belong to a scope. $site stands for the array of the scope's sites.
type visibility struct {
	table, condition string
	// fill are the columns whose default, in the tenant's own database, is the
	// value that the rewriter fills in.
	fill string
	// written is the condition of the rows that may be written, where it is another.
	written string
}

var visibilities = []visibility{
	{table: "site", condition: "true"},
	{table: "country", condition: "true"},
	{table: "account", condition: "t.id = ANY ($user)", fill: "id"},
	{table: "post", condition: "t.site_id = ANY ($site)", fill: "site_id"},
	{table: "comment", condition: "EXISTS (SELECT FROM post p WHERE p.id = t.post_id AND p.site_id = ANY ($site))"},
	{table: "reaction", condition: "EXISTS (SELECT FROM comment c JOIN post p ON p.id = c.post_id WHERE c.id = t.comment_id AND p.site_id = ANY ($site))"},
	{table: "award", condition: "EXISTS (SELECT FROM reaction r JOIN comment c ON c.id = r.comment_id JOIN post p ON p.id = c.post_id WHERE r.id = t.reaction_id AND p.site_id = ANY ($site))"},
	{table: "tag_link", condition: "EXISTS (SELECT FROM post p WHERE p.id = t.post_id AND p.site_id = ANY ($site))"},
	{table: "category", condition: "t.site_id = ANY ($site)", fill: "site_id"},
	{table: "event", condition: "t.site_id = ANY ($site)", fill: "site_id"},
	{table: "setting", condition: "t.site_id = ANY ($site)", fill: "site_id"},
	{table: "log_access", condition: "t.site_id = ANY ($site)", fill: "site_id"},
	{table: "note", condition: "EXISTS (SELECT FROM account a WHERE a.id = t.account_id AND a.id = ANY ($user))"},
	{table: "bookmark", condition: "t.user_id = ANY ($user) AND EXISTS (SELECT FROM post p WHERE p.id = t.post_id AND p.site_id = ANY ($site))", fill: "user_id"},
	{table: "project", condition: "t.org_id = ANY ($org)", fill: "org_id"},
	{table: "task", condition: "EXISTS (SELECT FROM project p WHERE p.id = t.project_id AND p.org_id = ANY ($org))"},
	{table: "shop", condition: "t.region = ANY ($region)", fill: "region"},
	{table: "stock", condition: "EXISTS (SELECT FROM shop s WHERE s.id = t.shop_id AND s.region = ANY ($region))"},
	{table: "listing", condition: "EXISTS (SELECT FROM post p WHERE p.id = t.post_id AND p.site_id = ANY ($site)) AND EXISTS (SELECT FROM shop s WHERE s.id = t.shop_id AND s.region = ANY ($region))"},
	{table: "message", condition: "t.sender_id = ANY ($user) OR t.recipient_id = ANY ($user)"},
	{table: "attachment", condition: "EXISTS (SELECT FROM message m WHERE m.id = t.message_id AND (m.sender_id = ANY ($user) OR m.recipient_id = ANY ($user)))"},
	{table: "notice", condition: "t.site_id = ANY ($site) OR EXISTS (SELECT FROM post p WHERE p.id = t.post_id AND p.site_id = ANY ($site))"},
	{table: "template", condition: "t.site_id = ANY ($site) OR t.site_id IS NULL"},
	{table: "holiday", condition: "t.site_id = ANY ($site) OR t.site_id IS NULL"},
	{table: "article", condition: "t.site_id = ANY ($site) AND t.deleted_at IS NULL", fill: "site_id"},
	{table: "page", condition: "t.site_id = ANY ($site) AND t.deleted_at IS NULL", fill: "site_id", written: "t.site_id = ANY ($site)"},
	{table: "label", condition: "t.site_id = ANY ($site)", fill: "site_id"},
	{table: "topic", condition: "t.site_id = ANY ($site) AND t.team_id = ANY ($team)", fill: "site_id team_id"},
}

// sequences are the identity columns of the schema. They are set to the same
// value before every statement, in every database.
var sequences = []string{
	"post", "comment", "reaction", "award", "category", "log_access", "note", "bookmark", "project", "task", "shop", "stock", "listing",
	"message", "attachment", "notice", "template", "article", "page", "label", "topic",
}

// othersKeys is where the keys of others begin, of the tables of sequences.
const othersKeys = 1000000

// crossing are the foreign keys with which a row that the scope does not see may
// refer to one that it sees: it is of two dimensions. That such a row cannot be
// orphaned is a documented side channel.
var crossing = map[string]bool{
	"bookmark_post_id_fkey": true,
	"listing_post_id_fkey":  true,
	"listing_shop_id_fkey":  true,
}

var dimensionTypes = map[string]string{"site": "bigint", "user": "bigint", "org": "uuid", "region": "text", "team": "bigint"}

// where returns the condition with the scope's values in it.
func (v visibility) where(s Scope) string { return s.in(v.condition) }

// in replaces the dimensions in a condition by the scope's values.
func (s Scope) in(condition string) string {
	for dimension, typ := range dimensionTypes {
		if len(s.values[dimension]) == 0 { // the optional one, of which it has one table
			condition = strings.ReplaceAll(condition, "t.team_id = ANY ($team)", "true")
		}
		condition = strings.ReplaceAll(condition, "$"+dimension, fmt.Sprintf("'{%s}'::%s[]", strings.Join(s.values[dimension], ","), typ))
	}
	return condition
}

// OwnSchema returns a script that makes the full database the tenant's own: it deletes what the
// scope does not see, children first while their parents can still tell.
func OwnSchema(s Scope) string {
	var b strings.Builder
	b.WriteString("SET session_replication_role = replica;\n")
	for i := len(visibilities) - 1; i >= 0; i-- {
		v := visibilities[i]
		fmt.Fprintf(&b, "CREATE TEMP TABLE doomed_%s AS SELECT t.tableoid AS o, t.ctid AS c FROM %s t WHERE (%s) IS NOT TRUE;\n", v.table, v.table, v.where(s))
	}
	for _, v := range visibilities {
		fmt.Fprintf(&b, "DELETE FROM %s WHERE (tableoid, ctid) IN (SELECT o, c FROM doomed_%s);\nDROP TABLE doomed_%s;\n", v.table, v.table, v.table)
	}
	b.WriteString("SET session_replication_role = DEFAULT;\n")
	b.WriteString(defaultsSQL(s))
	return b.String()
}

// defaultsSQL gives the columns that the rewriter fills the scope's value as
// their default. A scope of several values has none.
func defaultsSQL(s Scope) string {
	var b strings.Builder
	for _, v := range visibilities {
		for _, column := range strings.Fields(v.fill) {
			dimension := strings.TrimSuffix(column, "_id")
			if column == "id" {
				dimension = "user"
			}
			if values := s.values[dimension]; len(values) == 1 {
				fmt.Fprintf(&b, "ALTER TABLE %s ALTER %s SET DEFAULT '%s';\n", v.table, column, values[0])
			}
		}
	}
	return b.String()
}

// layoutSQL writes the rows of tables again in another order, so that a
// statement whose answer depends on it gives another one.
func layoutSQL(order string, tables []string) string {
	return fmt.Sprintf(`
DO $$
DECLARE
	name text;
	columns text;
BEGIN
	SET LOCAL session_replication_role = replica;
	FOREACH name IN ARRAY '{%s}'::text[] LOOP
		SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
			WHERE attrelid = name::regclass AND attnum > 0 AND attgenerated = '';
		EXECUTE format('WITH t AS (DELETE FROM %%I RETURNING *) INSERT INTO %%I (%%s) OVERRIDING SYSTEM VALUE SELECT %%s FROM t ORDER BY %s', name, name, columns, columns);
	END LOOP;
	SET LOCAL session_replication_role = DEFAULT;
END $$;
`, strings.Join(tables, ","), order)
}

// Tables returns the names of the schema's tables.
func Tables() []string {
	names := make([]string, len(visibilities))
	for i, v := range visibilities {
		names[i] = v.table
	}
	return names
}

// mildSQL makes a full database in which the rows of others are as clean as the
// tenant's, so that a statement which fails on poison shows whether its answer
// would be right otherwise.
func mildSQL() string {
	mild := strings.ReplaceAll(schemaSQL, "SELECT pg_temp.poison(", "SELECT pg_temp.clean(")
	return strings.NewReplacer("'poison-num', 0)", "'2', 1)", "'poison-note'", "'alpha'").Replace(mild)
}

// tenantRole is the role that owns nothing and to which row-level security applies.
const tenantRole = "scoped_isolation_tenant"

// securitySQL puts hand-written row-level security on the full database. Views apply
// it from PostgreSQL 15 on.
func securitySQL(s Scope) string {
	var b strings.Builder
	fmt.Fprintf(&b, `
DO $$
BEGIN
	CREATE ROLE %[1]s;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
END $$;
GRANT ALL ON ALL TABLES IN SCHEMA public TO %[1]s;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO %[1]s;
ALTER VIEW comment_list SET (security_invoker);
ALTER VIEW post_list SET (security_invoker);
`, tenantRole)
	for _, v := range visibilities {
		if v.condition == "true" {
			continue
		}
		named := func(condition string) string { return strings.ReplaceAll(s.in(condition), "t.", v.table+".") }
		fmt.Fprintf(&b, "ALTER TABLE %s ENABLE ROW LEVEL SECURITY;\nCREATE POLICY tenant ON %s USING (%s) WITH CHECK (%s);\n",
			v.table, v.table, named(v.condition), named(cmp.Or(v.written, v.condition)))
	}
	b.WriteString(defaultsSQL(s))
	return b.String()
}

// stateSQL summarizes every table in two sums of hashes, that of the rows of the
// scope and that of all others, and counts the rows with the keys of others, and
// those that the scope must not write.
func stateSQL(s Scope) string {
	selects := make([]string, len(visibilities))
	for i, v := range visibilities {
		taken := "false"
		if slices.Contains(sequences, v.table) {
			taken = fmt.Sprintf("id BETWEEN %d AND %[1]d + 99", othersKeys)
		}
		selects[i] = fmt.Sprintf(
			"SELECT '%s', count(*) FILTER (WHERE v), coalesce(sum(h) FILTER (WHERE v), 0), count(*) FILTER (WHERE NOT v), coalesce(sum(h) FILTER (WHERE NOT v), 0), count(*) FILTER (WHERE %s), count(*) FILTER (WHERE (%s) IS NOT TRUE) "+
				"FROM (SELECT t.*, hashtextextended(t::text, 0)::numeric AS h, (%s) IS TRUE AS v FROM %s t OFFSET 0) t",
			v.table, taken, s.in(cmp.Or(v.written, "v")), v.where(s), v.table)
	}
	return s.qualified(strings.Join(selects, "\nUNION ALL "))
}

// rowsSQL returns the hash of each row that the scope may have written, by table.
// The numbers that a sequence gave are no part of it: which row gets which depends
// on the order in which they come.
func rowsSQL(s Scope) string {
	selects := make([]string, len(visibilities))
	for i, v := range visibilities {
		row := "t::text"
		if slices.Contains(sequences, v.table) {
			row = fmt.Sprintf("CASE WHEN id BETWEEN %d AND %d THEN (to_jsonb(t) - 'id')::text ELSE t::text END", firstNumber, lastNumber)
		}
		selects[i] = fmt.Sprintf("SELECT '%s', coalesce(string_agg(hashtextextended(%s, 0)::text, ' '), '') FROM %s t WHERE %s",
			v.table, row, v.table, s.in(cmp.Or(v.written, v.condition)))
	}
	return s.qualified(strings.Join(selects, "\nUNION ALL "))
}

// The numbers that sequences give. The generator uses others.
const firstNumber, lastNumber = 2000, 4999

// resetSQL sets every sequence back.
func resetSQL() string {
	calls := make([]string, len(sequences))
	for i, table := range sequences {
		calls[i] = fmt.Sprintf("setval('%s_id_seq', %d, false)", table, firstNumber)
	}
	return "SELECT " + strings.Join(calls, ", ")
}

// Schema returns the script of the full database.
func Schema() string { return schemaSQL }
