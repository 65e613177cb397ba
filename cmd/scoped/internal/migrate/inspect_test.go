package migrate_test

import (
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/migrate"
)

func TestInspection(t *testing.T) {
	for sql, want := range map[string]string{
		"SELECT 1; SAVEPOINT a; ROLLBACK TO a; ROLLBACK WORK TO SAVEPOINT a; RELEASE a": "",
		"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; SELECT 2":          "",
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ COMMIT; $$":                 "",
		"SET LOCAL work_mem = '1MB'; REFRESH MATERIALIZED VIEW CONCURRENTLY v":          "",
		`COPY log TO '/tmp/x'; SELECT 'a\b' -- \d`:                                      "",
		"SELECT prepare, 'COMMIT'; PREPARE a AS SELECT 1":                               "",
		"SELECT t__templates.x, 'at__template' FROM t__templates -- t__template":        "",
		"":                                     "",
		"SELECT 1;\n-- a\n BEGIN; SELECT 1":    "1.sql:3:2: a migration runs in a transaction, together with the others of its schema, and may not begin or end one; remove BEGIN",
		"start transaction":                    "1.sql:1:1: a migration runs in a transaction, together with the others of its schema, and may not begin or end one; remove START",
		"END":                                  "1.sql:1:1: a migration runs in a transaction, together with the others of its schema, and may not begin or end one; remove END",
		"COMMIT AND CHAIN":                     "1.sql:1:1: a migration runs in a transaction, together with the others of its schema, and may not begin or end one; remove COMMIT",
		"ROLLBACK":                             "1.sql:1:1: a migration runs in a transaction, together with the others of its schema, and may not begin or end one; remove ROLLBACK",
		"ABORT":                                "1.sql:1:1: a migration runs in a transaction, together with the others of its schema, and may not begin or end one; remove ABORT",
		"PREPARE TRANSACTION 'a'":              "1.sql:1:1: a migration runs in a transaction, together with the others of its schema, and may not begin or end one; remove PREPARE TRANSACTION",
		"SET search_path = x":                  "1.sql:1:1: search_path begins with the schema that is migrated; remove SET SEARCH_PATH",
		`SET LOCAL "search_path" TO x`:         "1.sql:1:1: search_path begins with the schema that is migrated; remove SET SEARCH_PATH",
		"SET SESSION SCHEMA 'x'":               "1.sql:1:1: search_path begins with the schema that is migrated; remove SET SCHEMA",
		"RESET ALL":                            "1.sql:1:1: search_path begins with the schema that is migrated; remove RESET ALL",
		"DISCARD ALL":                          "1.sql:1:1: search_path begins with the schema that is migrated; remove DISCARD ALL",
		"é; CREATE INDEX CONCURRENTLY ON a(b)": "1.sql:1:17: CONCURRENTLY is not possible in a transaction; leave it out, as the table of one value is locked for a short time, or use --exec",
		"COPY log FROM STDIN;\n1\tx\n\\.\n":    "1.sql:1:15: a migration has no standard input and output; write INSERT\n1.sql:3:1: commands of psql are not SQL; run the file by --exec 'psql -v ON_ERROR_STOP=1 -1 -f FILE'",
		"SELECT 1; -- END\nEND":                "1.sql:2:1: a migration runs in a transaction, together with the others of its schema, and may not begin or end one; remove END",
		"SELECT 1;\n\\i other.sql":             "1.sql:2:1: commands of psql are not SQL; run the file by --exec 'psql -v ON_ERROR_STOP=1 -1 -f FILE'",
		"DROP TABLE T__Template.invoice":       "1.sql:1:12: names mean the schema that is migrated; leave t__template out, and have a function SET search_path FROM CURRENT",
		`SELECT * FROM "t__template" . a`:      "1.sql:1:15: names mean the schema that is migrated; leave t__template out, and have a function SET search_path FROM CURRENT",
		"SELECT 'x_t__template T__template.a'": "1.sql:1:8: names mean the schema that is migrated; leave t__template out, and have a function SET search_path FROM CURRENT",
		"CREATE FUNCTION f() RETURNS int SET search_path = t__template RETURN 1": "1.sql:1:51: names mean the schema that is migrated; leave t__template out, and have a function SET search_path FROM CURRENT",
	} {
		_, err := migrate.ReadFiles(folder(t, "1.sql", sql), "t__template")
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", sql, got, want)
		}
	}
	for _, text := range []string{"SELECT '\xff'", "SELECT '\x00'"} {
		if _, err := migrate.ReadFiles(folder(t, "1.sql", text), ""); err == nil || !strings.Contains(err.Error(), "1.sql: the file ") {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if _, err := migrate.ReadFiles(t.TempDir(), ""); err == nil {
		t.Error("an empty folder is accepted")
	}
}
