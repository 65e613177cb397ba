package builtin_test

import (
	"os"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/rewrite/builtin"
)

// A list is one generated file: its names, and the reason of each.
type list struct {
	names   []string
	reasons map[string]string
}

func read(t testing.TB, file string) list {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	l := list{reasons: map[string]string{}}
	reason, last := "", ""
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		switch {
		case line == "":
			reason, last = "", ""
		case line[0] == '#':
			reason += strings.TrimPrefix(line, "# ")
		case strings.ContainsAny(line, " \t\r#*"):
			t.Errorf("%s:%d: not a bare name: %q", file, i+1, line)
		case reason == "":
			t.Errorf("%s:%d: %s has no reason", file, i+1, line)
		default:
			if line <= last {
				t.Errorf("%s:%d: %s is not sorted", file, i+1, line)
			}
			last = line
			if _, twice := l.reasons[line]; twice {
				t.Errorf("%s:%d: %s is listed twice", file, i+1, line)
			}
			l.names = append(l.names, line)
			l.reasons[line] = reason
		}
	}
	return l
}

func TestListsAreSortedAndDisjoint(t *testing.T) {
	for _, files := range [][]string{
		{"functions.txt", "functions_denied.txt"},
		{"relations.txt", "relations_denied.txt"},
		{"settings.txt", "settings_shown.txt", "settings_denied.txt"},
	} {
		seen := map[string]string{}
		for _, file := range files {
			for _, name := range read(t, file).names {
				if other := seen[name]; other != "" {
					t.Errorf("%s is in %s and in %s", name, other, file)
				}
				seen[name] = file
			}
		}
	}
}

// TestAnswers compares the package's answers with its files.
func TestAnswers(t *testing.T) {
	relation := func(name string) bool {
		if schema, name, ok := strings.Cut(name, "."); ok {
			return builtin.Relation(schema, name)
		}
		return builtin.Relation("pg_catalog", name)
	}
	for _, c := range []struct {
		file   string
		answer func(string) bool
		want   bool
	}{
		{"functions.txt", builtin.Function, true},
		{"functions_denied.txt", builtin.Function, false},
		{"functions.txt", builtin.IsFunction, true},
		{"functions_denied.txt", builtin.IsFunction, true},
		{"functions_total.txt", builtin.Total, true},
		{"functions_denied.txt", builtin.Total, false},
		{"relations.txt", relation, true},
		{"relations_denied.txt", relation, false},
		{"settings.txt", builtin.Setting, true},
		{"settings.txt", builtin.Shown, true},
		{"settings_shown.txt", builtin.Setting, false},
		{"settings_shown.txt", builtin.Shown, true},
		{"settings_denied.txt", builtin.Shown, false},
	} {
		for _, name := range read(t, c.file).names {
			if c.answer(name) != c.want {
				t.Errorf("%s: %s: %v", c.file, name, !c.want)
			}
		}
	}
	for _, name := range read(t, "functions_total.txt").names {
		if !builtin.Function(name) {
			t.Errorf("%s is total and not allowed", name)
		}
	}
}

func TestFunctionDenied(t *testing.T) {
	for _, name := range strings.Fields(`
		query_to_xml query_to_xml_and_xmlschema query_to_xmlschema table_to_xml table_to_xml_and_xmlschema
		schema_to_xml database_to_xml cursor_to_xml cursor_to_xmlschema ts_stat ts_rewrite
		lo_get lo_put lo_import lo_export lo_open loread lowrite pg_read_file pg_read_binary_file pg_ls_dir
		pg_stat_file set_config current_setting setval pg_notify pg_sequence_last_value
		pg_stat_get_activity pg_terminate_backend pg_cancel_backend pg_reload_conf pg_export_snapshot
		pg_logical_emit_message pg_create_logical_replication_slot pg_replication_origin_create
		pg_relation_size pg_total_relation_size pg_database_size currtid2 binary_upgrade_set_missing_value
		pg_restore_attribute_stats pg_clear_relation_stats satisfies_hash_partition current_query
		regclassin record_out int4pl dblink dblink_exec crosstab lo_manage slugify
		QUERY_TO_XML LOWER pg_catalog.lower` + "\n") {
		if builtin.Function(name) {
			t.Errorf("%s is allowed", name)
		}
	}
	for _, name := range []string{"slugify", "dblink", "SET_CONFIG", ""} {
		if builtin.IsFunction(name) {
			t.Errorf("%s is a function of pg_catalog", name)
		}
	}
	if builtin.Function("") || builtin.Function("#") {
		t.Error("a name that is none is allowed")
	}
}

func TestFunctionAllowed(t *testing.T) {
	// What the grammar itself calls for the standard's special forms.
	for _, name := range strings.Fields(`extract overlay position substring btrim ltrim rtrim timezone normalize
		is_normalized xmlexists like_escape similar_to_escape pg_collation_for overlaps date_part system_user`) {
		if !builtin.Function(name) {
			t.Errorf("%s, which the grammar calls, is denied", name)
		}
	}
	for _, name := range strings.Fields(`lower now count sum string_agg row_number jsonb_build_object json_agg
		json_populate_recordset ts_headline generate_series unnest gen_random_uuid uuidv7 date date_trunc
		nextval pg_advisory_xact_lock hashtext pg_sleep version current_schema format_type pg_get_constraintdef
		pg_get_indexdef pg_get_expr obj_description col_description pg_table_is_visible has_table_privilege
		to_regclass pg_typeof array_reverse casefold xpath xml percentile_cont`) {
		if !builtin.Function(name) {
			t.Errorf("%s is denied", name)
		}
	}
}

func TestRelation(t *testing.T) {
	for _, c := range []struct {
		schema, name string
		want         bool
	}{
		{"pg_catalog", "pg_class", true},
		{"information_schema", "columns", true},
		{"information_schema", "pg_class", false},
		{"pg_catalog", "columns", false},
		{"pg_catalog", "information_schema.columns", false},
		{"public", "pg_class", false},
		{"", "pg_class", false},
		{"pg_toast", "pg_class", false},
		{"pg_catalog", "pg_stats", false},
		{"pg_catalog", "pg_stat_activity", false},
		{"pg_catalog", "pg_settings", false},
		{"pg_catalog", "pg_authid", false},
		{"pg_catalog", "pg_largeobject", false},
		{"pg_catalog", "pg_statistic", false},
		{"pg_catalog", "pg_proc", true},
		{"information_schema", "routines", true},
		{"pg_catalog", "pg_statistic_ext", true},
		{"pg_catalog", "pg_statistic_ext_data", false},
		{"pg_catalog", "pg_roles", false},
		{"pg_catalog", "pg_sequences", false},
		{"pg_catalog", "pg_subscription", false},
		{"pg_catalog", "pg_foreign_server", false},
		{"information_schema", "foreign_tables", true},
		{"information_schema", "foreign_table_options", false},
	} {
		if got := builtin.Relation(c.schema, c.name); got != c.want {
			t.Errorf("Relation(%q, %q) = %v", c.schema, c.name, got)
		}
	}
}

func TestIsCatalog(t *testing.T) {
	for _, name := range []string{"pg_class", "pg_stat_activity", "pg_aios", "pg_stat_io", "pg_authid"} {
		if !builtin.IsCatalog(name) {
			t.Errorf("%s is no catalogue", name)
		}
	}
	for _, name := range []string{"columns", "information_schema.columns", "post", "pg_post", "PG_CLASS", ""} {
		if builtin.IsCatalog(name) {
			t.Errorf("%s is a catalogue", name)
		}
	}
}

func TestSetting(t *testing.T) {
	for _, name := range []string{"TimeZone", "DATESTYLE", "statement_timeout", "application_name"} {
		if !builtin.Setting(name) || !builtin.Shown(name) {
			t.Errorf("%s is denied", name)
		}
	}
	for _, name := range strings.Fields(`search_path role session_authorization row_security standard_conforming_strings
		client_encoding session_replication_role backslash_quote client_min_messages transform_null_equals array_nulls
		xmloption cpu_operator_cost debug_print_plan log_statement seed all app.tenant temp_tablespaces`) {
		if builtin.Setting(name) {
			t.Errorf("%s may be set", name)
		}
	}
	for _, name := range []string{"server_version", "search_path", "Transaction_Read_Only"} {
		if !builtin.Shown(name) {
			t.Errorf("%s may not be shown", name)
		}
	}
	for _, name := range []string{"all", "app.tenant", "data_directory", "hba_file", "primary_conninfo"} {
		if builtin.Shown(name) {
			t.Errorf("%s may be shown", name)
		}
	}
}

func BenchmarkFunction(b *testing.B) {
	for b.Loop() {
		builtin.Function("jsonb_build_object")
	}
}

func BenchmarkRelation(b *testing.B) {
	for b.Loop() {
		builtin.Relation("information_schema", "constraint_column_usage")
	}
}
