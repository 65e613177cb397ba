package main

import (
	"fmt"
	"strings"
)

// A mode is a policy and what of the database goes with it.
type mode struct {
	name, title string
	tables      string // what the policy says of every table
	scope       string // dimension=value, or nothing
	schema      string // of the database, before the suite begins
}

var modes = []mode{
	{
		name: "shared", title: "every table is shared, and there is no scope",
		tables: "shared",
	},
	{
		name: "tenant", title: "every table is scoped, and the scope is tenant 1",
		tables: "{tenant: tenant_id}", scope: "tenant=1",
		schema: tenantColumn,
	},
}

// tenantColumn gives every table that the suite makes a column with the tenant,
// over plain pgx too, as whoever makes a program fit for several tenants does:
// what is there, and what scripts insert with scopes disabled, belongs to the
// first.
const tenantColumn = `
CREATE SCHEMA compat;
CREATE FUNCTION compat.add_tenant() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
	made record;
BEGIN
	FOR made IN
		SELECT c.oid::regclass AS name FROM pg_event_trigger_ddl_commands() AS d JOIN pg_class AS c ON c.oid = d.objid
		WHERE d.classid = 'pg_class'::regclass AND c.relkind IN ('r', 'p') AND NOT c.relispartition
	LOOP
		EXECUTE format('ALTER TABLE %s ADD COLUMN IF NOT EXISTS tenant_id bigint NOT NULL DEFAULT 1', made.name);
	END LOOP;
END $$;
CREATE EVENT TRIGGER add_tenant ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION compat.add_tenant();`

// policy returns the policy file of a suite.
func (s suite) policy(m mode) string {
	schemas := s.schemas
	if schemas == nil {
		schemas = []string{"public"}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\ndimensions: {tenant: {type: bigint}}\nsearch_path: [%s]\ntables:\n", strings.Join(schemas, ", "))
	for _, schema := range schemas {
		fmt.Fprintf(&b, "  %q: %s\n", schema+".*", m.tables)
	}
	for _, name := range s.catalogs {
		fmt.Fprintf(&b, "  pg_catalog.%s: {shared: read}\n", name)
	}
	if len(s.functions) > 0 {
		fmt.Fprintf(&b, "functions: {allow: [%s]}\n", strings.Join(s.functions, ", "))
	}
	return b.String()
}
