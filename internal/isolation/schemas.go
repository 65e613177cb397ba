package isolation

import (
	"fmt"
	"regexp"
	"strings"
)

// In the scope "schema" the tables live in the tenant's schema, and are restricted
// to rows there as in the scope "one". The sessions look into public, which holds
// tables of the same names: whatever is read or written there shows.

const (
	tenantValue  = "mine"
	tenantSchema = "t_mine"
)

// inSchema makes a script create, or find, its tables in the tenant's schema.
func (s Scope) inSchema(script string) string {
	if !s.schema {
		return script
	}
	return fmt.Sprintf("CREATE SCHEMA IF NOT EXISTS %s; SET search_path = %[1]s;\n", tenantSchema) + script
}

// full returns the scripts of everybody's database, given that of the tables.
func (s Scope) full(tables string) []string {
	if !s.schema {
		return []string{tables}
	}
	return []string{s.inSchema(tables), "DISCARD TEMP; SET search_path = public;\n" + tables + decoySQL(s)}
}

// decoySQL removes from a full database what the scope sees, and leaves the rest.
// A table of the policy's that lives once stays as it is.
func decoySQL(s Scope) string {
	var b strings.Builder
	b.WriteString("SET session_replication_role = replica;\n")
	for i := len(visibilities) - 1; i >= 0; i-- {
		if v := visibilities[i]; v.table != "country" {
			fmt.Fprintf(&b, "DELETE FROM %s t WHERE %s;\n", v.table, v.where(s))
		}
	}
	b.WriteString("SET session_replication_role = DEFAULT;\n")
	return b.String()
}

var (
	afterFrom  = regexp.MustCompile(`\b(FROM|JOIN) (\w+) (\w+)\b`)
	ofSequence = regexp.MustCompile(`'(\w+_id_seq)'`)
	tableEntry = regexp.MustCompile(`(?m)^(  "?[\w*]+"?: +)(?:shared|\{(\w+: .*)\})( +#.*)?$`)
)

// qualified puts the tenant's schema before the tables and sequences of a query of
// the oracle's own.
func (s Scope) qualified(query string) string {
	if !s.schema {
		return query
	}
	query = afterFrom.ReplaceAllString(query, "$1 "+tenantSchema+".$2 $3")
	return ofSequence.ReplaceAllString(query, "'"+tenantSchema+".$1'")
}

// policy returns the text of the policy, in which all tables but one live in the
// schemas of a dimension where the scope is of that kind.
func (s Scope) policy() []byte {
	if !s.schema {
		return policyYAML
	}
	dimensions, tables, _ := strings.Cut(string(policyYAML), "\ntables:\n")
	dimensions = strings.Replace(dimensions, "dimensions:\n", "dimensions:\n  tenant: {schema: \"t_{value}\", template: t_template}\n", 1)
	tables = tableEntry.ReplaceAllStringFunc(tables, func(line string) string {
		m := tableEntry.FindStringSubmatch(line)
		if strings.HasPrefix(m[2], "shared") {
			return line
		}
		return strings.TrimSuffix(fmt.Sprintf("%s{tenant: schema, %s", m[1], m[2]), ", ") + "}"
	})
	return []byte(dimensions + "\ntables:\n" + tables)
}

// statement returns a generated statement as the scope's program would write it.
func (s Scope) statement(sql string) string {
	if !s.schema {
		return sql
	}
	return strings.ReplaceAll(sql, "public.", tenantSchema+".")
}

// decoys adds to the query of the state what the tables of public hold, as rows
// that the scope does not see.
func (s Scope) decoys() string {
	var b strings.Builder
	for _, v := range visibilities {
		fmt.Fprintf(&b, "\nUNION ALL SELECT 'public.%s', 0, 0, count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0), 0, 0 FROM public.%[1]s t", v.table)
	}
	return b.String()
}
