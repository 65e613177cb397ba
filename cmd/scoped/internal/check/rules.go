package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/catalog"
)

// A Rule finds one kind of thing.
type Rule struct {
	Code     string // stable
	Severity Severity
	Title    string // what is found
	Why      string // it matters, in a sentence
	group    string
	find     func(*checker)
}

// The groups of rules, in the order of the documentation.
const (
	groupFit     = "What the policy names"
	groupColumns = "Columns and indexes"
	groupKeys    = "Keys"
	groupReach   = "Views, functions and triggers"
	groupParts   = "Partitions and inheritance"
	groupSecure  = "Row-level security"
	groupRoles   = "Roles and rights"
	groupServer  = "Server and session"
	groupSchemas = "A schema for each value"
)

// Rules returns all rules, by group.
func Rules() []Rule { return slices.Clone(ruleTable) }

// ruleOf returns the rule with a code, or nil.
func ruleOf(code string) *Rule {
	for i := range ruleTable {
		if ruleTable[i].Code == code {
			return &ruleTable[i]
		}
	}
	return nil
}

// ruleTable is filled by init, because rules find themselves in it.
var ruleTable []Rule

func init() {
	ruleTable = []Rule{
		{string(catalog.TableMissing), Error, "a listed table does not exist",
			"Every statement on it fails, and a table that is created under its name later gets an entry that nobody wrote for it.",
			groupFit, misfit(catalog.TableMissing)},
		{string(catalog.NotATable), Error, "what is listed is a type and no table",
			"No statement can read rows from it.",
			groupFit, misfit(catalog.NotATable)},
		{string(catalog.ColumnMissing), Error, "a column that the policy names does not exist",
			"No guard can be made of it, so every statement on the table fails.",
			groupFit, misfit(catalog.ColumnMissing)},
		{string(catalog.TypeMismatch), Error, "a column cannot be compared with its dimension or key",
			"No guard can be made of it, so every statement on the table fails.",
			groupFit, misfit(catalog.TypeMismatch)},
		{"schema-missing", Warning, "a schema of the search path does not exist",
			"Unqualified names of the policy and of statements are not looked up where you think.",
			groupFit, schemaMissing},
		{"table-unlisted", Warning, "a table is not listed",
			"Every statement on it is refused, which is safe, and which its users find out late.",
			groupFit, tableUnlisted},
		{"extension-table", Note, "a table of an extension is not listed",
			"Statements that read it are refused; most such tables are the same for everybody.",
			groupFit, extensionTable},
		{"dimension-unused", Note, "no table is scoped on a dimension",
			"A scope on it restricts nothing.",
			groupFit, dimensionUnused},
		{string(catalog.GeneratedNotMarked), Error, "the database computes a scope column of which the policy does not say so",
			"An UPDATE of other columns can move a row to another scope without a check.",
			groupFit, misfit(catalog.GeneratedNotMarked)},
		{string(catalog.ViewNotMarked), Error, "a view is listed as if it were a table",
			"Its rows may be tested by a statement's conditions before the guard, and checks cannot name its rows.",
			groupFit, misfit(catalog.ViewNotMarked)},

		{"scope-column-nullable", Warning, "a scope or path column may be NULL, of which the policy says nothing",
			"A row in which it is NULL belongs to nobody: no scope sees it, and no error says so.",
			groupColumns, scopeColumnNullable},
		{"null-never", Note, "the policy makes rows of nobody visible in a column that is NOT NULL",
			"There are no such rows, and guards without that case are simpler and faster.",
			groupColumns, nullNever},
		{"scope-type-differs", Warning, "a scope column is of another type than its dimension",
			"A value of the one may not fit into the other, and an index may not serve the comparison.",
			groupColumns, scopeTypeDiffers},
		{"scope-collation", Warning, "a scope column takes different texts for equal",
			"The scope of one value sees the rows of every value that the collation takes for the same.",
			groupColumns, scopeCollation},
		{"scope-column-without-index", Warning, "no index begins with a scope column",
			"Every statement reads the rows of all scopes to find those of its own.",
			groupColumns, scopeColumnWithoutIndex},
		{"path-column-without-index", Warning, "no index begins with the column of a path",
			"The rows of a scope are found over their parents, and without an index by reading all of the table.",
			groupColumns, pathColumnWithoutIndex},
		{"optional-dimension-without-index", Note, "no index begins with the column of an optional dimension",
			"Where a scope has the dimension, its rows are found by reading those of the other dimensions.",
			groupColumns, optionalWithoutIndex},
		{"scope-default", Warning, "a scope column has a default",
			"Whoever forgets the column, with scopes disabled or by another program, gives the row to that scope in silence.",
			groupColumns, scopeDefault},
		{"shared-looks-scoped", Warning, "a shared table has a column like those that scope others",
			"If its rows belong to scopes, every scope reads them all.",
			groupColumns, sharedLooksScoped},
		{"sequence-reveals-volume", Note, "a number that is unique within a scope is drawn from a sequence of all scopes",
			"The gaps between a scope's own numbers tell how much the others write.",
			groupColumns, sequenceRevealsVolume},
		{"large-objects", Note, "a scoped table refers to large objects",
			"A large object belongs to no scope: whoever may call lo_get can read each by its number. Under a scope these functions are refused.",
			groupColumns, largeObjects},
		{"statistics-missing", Note, "a scoped table has rows and was never analysed",
			"Without statistics the planner guesses how many rows a scope has, and may choose plans for far more.",
			groupColumns, statisticsMissing},

		{string(catalog.PathNotUnique), Error, "a path leads to a column that is not unique",
			"Whoever writes another row with the same key adopts the rows of another scope.",
			groupKeys, misfit(catalog.PathNotUnique)},
		{string(catalog.PathWithoutForeignKey), Error, "no foreign key is behind a path",
			"When the parent goes its rows stay, and whoever writes a parent with the same key adopts them.",
			groupKeys, misfit(catalog.PathWithoutForeignKey)},
		{"foreign-key-not-validated", Warning, "the foreign key behind a path was not validated",
			"Rows from before it may refer to nothing, and be adopted by a new parent.",
			groupKeys, foreignKeyNotValidated},
		{"foreign-key-not-enforced", Error, "the foreign key behind a path is not enforced",
			"It is declared and not kept: rows without a parent can be adopted by a new one.",
			groupKeys, foreignKeyNotEnforced},
		{"primary-key-without-dimension", Warning, "a primary key that the program chooses does not have the dimension",
			"An INSERT that fails tells that another scope has the key, and takes the key from the others.",
			groupKeys, primaryKeyWithoutDimension},
		{"unique-without-dimension", Warning, "a unique constraint or index does not have the dimension",
			"An INSERT or UPDATE that fails tells that another scope has the value, and takes the value from the others.",
			groupKeys, uniqueWithoutDimension},
		{"exclusion-without-dimension", Warning, "an exclusion constraint does not compare the dimension",
			"A row of another scope stands in the way: the failure tells of it, and one scope keeps the others out.",
			groupKeys, exclusionWithoutDimension},
		{"foreign-key-crosses-scopes", Warning, "a foreign key between scoped tables does not keep to the scope",
			"A row may be made to refer to another scope's: foreign keys see all rows, so success tells that the key exists.",
			groupKeys, foreignKeyCrossesScopes},
		{"cascade-crosses-scopes", Error, "the action of a foreign key can reach other scopes",
			"PostgreSQL carries actions out without guards: deleting or changing one row deletes or changes those of other scopes.",
			groupKeys, cascadeCrossesScopes},
		{"reference-without-foreign-key", Note, "no foreign key is behind a reference of the policy",
			"The policy looks when the column is written; when the row goes, what refers to it stays, and may come to mean another's row.",
			groupKeys, referenceWithoutForeignKey},
		{"foreign-key-to-denied", Note, "a foreign key leads to a denied table",
			"No statement may read that table, but an INSERT that succeeds tells that a key is in it.",
			groupKeys, foreignKeyToDenied},

		{"view-unguarded", Error, "a shared view reads scoped tables",
			"Nothing restricts what a view reads: every scope sees the rows of all.",
			groupReach, viewUnguarded},
		{"materialized-view-unguarded", Error, "a shared materialized view holds rows of scoped tables",
			"Every scope sees the rows of all.",
			groupReach, materializedViewUnguarded},
		{"materialized-view-stale", Note, "a scoped materialized view holds rows of scoped tables",
			"Until it is refreshed, it shows what was deleted, and to the old scope what was moved to another.",
			groupReach, materializedViewStale},
		{"view-without-barrier", Note, "a scoped view is no security barrier",
			"PostgreSQL may test a statement's conditions on rows that the view's own conditions leave out, and an error tells of them.",
			groupReach, viewWithoutBarrier},
		{"view-bypasses-row-security", Warning, "a view reads a table with row-level security as a role to which that does not apply",
			"Row-level security, the second line of defence, is lifted for whoever reads the view.",
			groupReach, viewBypassesRowSecurity},
		{"rule-on-table", Error, "a table has a rewrite rule",
			"PostgreSQL replaces the certified statement by another, or runs more: guards and checks are not in those.",
			groupReach, ruleOnTable},
		{"trigger-changes-scope", Warning, "a trigger assigns a scope column of which the policy does not say so",
			"What a statement writes is checked only where it writes the column itself: the trigger may move a row out of its scope.",
			groupReach, triggerChangesScope},
		{"trigger-reaches-scoped", Note, "a trigger reads or writes scoped tables",
			"What a trigger does is not restricted to the scope; see that it goes by the row that fired it.",
			groupReach, triggerReachesScoped},
		{"function-reads-scoped", Error, "a function that the policy allows reads or writes scoped tables",
			"A function runs as it is: what it returns, or changes, is of all scopes.",
			groupReach, functionReadsScoped},
		{"function-opaque", Warning, "it cannot be seen what a function reads that the policy allows",
			"A function runs as it is, and this one's text does not tell what it reads.",
			groupReach, functionOpaque},
		{"function-search-path", Warning, "a SECURITY DEFINER function that the policy allows has no search_path of its own",
			"It finds tables and operators where the caller's session looks, and uses them with its owner's rights.",
			groupReach, functionSearchPath},
		{"function-shadows-builtin", Warning, "a function on the search path has the name of a built-in one that statements may call",
			"Where its arguments fit better, PostgreSQL calls it instead of the harmless function that was allowed.",
			groupReach, functionShadowsBuiltin},
		{"function-named-as-column", Warning, "a function on rows, which reaches scoped tables, has the name of a column",
			"SQL may call f(x) in the form x.f, which then looks like the column.",
			groupReach, functionNamedAsColumn},
		{"expression-reaches-scoped", Warning, "a default, generated column, check or index calls a function that reads scoped tables",
			"It runs with every statement that writes, on the rows of all scopes.",
			groupReach, expressionReachesScoped},
		{"operator-reads-scoped", Error, "an operator or cast calls a function that reads scoped tables",
			"Operators and casts are not looked up in the policy: any statement may use them.",
			groupReach, operatorReadsScoped},

		{"partition-listed-apart", Error, "a partition or child is listed otherwise than the table above it",
			"Statements on it are not guarded as those on the table above are, and its rows are the same.",
			groupParts, partitionListedApart},
		{"parent-shows-children", Error, "a shared table shows the rows of scoped children",
			"Reading a table reads its partitions and children, without their guards.",
			groupParts, parentShowsChildren},
		{"child-without-keys", Warning, "a scoped table has children by inheritance",
			"Primary, unique and foreign keys are not inherited, so on the children's rows they do not hold.",
			groupParts, childWithoutKeys},

		{"row-security-without-policy", Warning, "a table has row-level security and no policy of it",
			"To all but its owner and roles that bypass it the table is empty, and it takes no rows.",
			groupSecure, rowSecurityWithoutPolicy},
		{"row-security-needs-setting", Note, "a policy of row-level security reads a setting of the session",
			"scoped sets none: the program has to, in each transaction, or sees nothing.",
			groupSecure, rowSecurityNeedsSetting},
		{"row-security-not-forced", Warning, "row-level security does not apply to the program's role, which owns the table",
			"The second line of defence is not there.",
			groupSecure, rowSecurityNotForced},

		{"role-superuser", Warning, "the program connects as a superuser",
			"Nothing in the server stops what gets around the driver: files, programs, other databases.",
			groupRoles, roleSuperuser},
		{"role-bypasses-row-security", Warning, "the program's role bypasses row-level security",
			"Row-level security on its tables does nothing for it.",
			groupRoles, roleBypassesRowSecurity},
		{"role-owns-table", Warning, "the program's role owns scoped tables",
			"An owner may drop keys, disable triggers and lift row-level security; a program needs none of these.",
			groupRoles, roleOwnsTable},
		{"role-reaches-files", Warning, "the program's role may reach the server's files or run programs there",
			"COPY by whoever gets around the driver reads and writes on the server.",
			groupRoles, roleReachesFiles},
		{"role-reads-all", Warning, "another role that can log in reads or writes all data",
			"Whoever connects as it sees every scope, whatever is granted.",
			groupRoles, roleReadsAll},
		{"role-reaches-table", Warning, "another role that can log in has rights on scoped tables",
			"Whoever connects as it, without scoped, sees every scope.",
			groupRoles, roleReachesTable},
		{"public-grant", Warning, "everybody has rights on a scoped table",
			"Each role of the server, those to come included, sees every scope.",
			groupRoles, publicGrant},
		{"schema-create-public", Warning, "everybody may create objects in a schema of the search path",
			"Any role can put a function there that PostgreSQL calls instead of the one that was allowed (CVE-2018-1058).",
			groupRoles, schemaCreatePublic},

		{"search-path-differs", Error, "sessions have another search_path than the policy",
			"Functions, operators and types are found elsewhere than where the policy looks.",
			groupServer, searchPathDiffers},
		{"standard-conforming-strings", Error, "standard_conforming_strings is off",
			"The server would read the quotes of a statement otherwise than it was certified; the driver refuses the session.",
			groupServer, standardConformingStrings},
		{"client-encoding", Error, "client_encoding is not UTF8",
			"The server would read a statement otherwise than it was certified; the driver refuses the session.",
			groupServer, clientEncoding},
		{"replication-role", Error, "session_replication_role is not origin",
			"Foreign keys are not kept and triggers do not fire, so rows can lose their parents.",
			groupServer, replicationRole},
		{"server-version", Warning, "the server's version is not one of those that are tested",
			"The lists of harmless functions and the forms of statements are those of the versions 14 to 18.",
			groupServer, serverVersion},
		{"publication", Warning, "a publication sends the rows of a scoped table",
			"Whoever subscribes receives those of all scopes.",
			groupServer, publicationOfScoped},
		{"subscription", Note, "a subscription writes to a scoped table",
			"What is replicated is written without checks, and into whatever scope it says.",
			groupServer, subscriptionToScoped},
		{"foreign-table", Note, "a foreign table is listed as scoped",
			"Its constraints are not kept here: what they promise is up to the other server.",
			groupServer, foreignTable},

		{"template-missing", Error, "the template of a dimension does not exist",
			"No schema can be made from it, and what the tables in the schemas are like is not known.",
			groupSchemas, templateMissing},
		{"registry-missing", Error, "the registry of a dimension does not exist, or lacks the column of the values",
			"Nothing lists the values, so that no schema can be registered or looked up.",
			groupSchemas, registryMissing},
		{"registry-not-unique", Warning, "the registry's column of the values is not unique",
			"Two tenants of one value would share a schema.",
			groupSchemas, registryNotUnique},
		{"value-without-schema", Warning, "the registry lists values for which there is no schema",
			"Every statement in such a scope fails.",
			groupSchemas, valueWithoutSchema},
		{"schema-without-value", Note, "there are schemas of values that the registry does not list",
			"Their data is nobody's, and a tenant that takes the value later gets it.",
			groupSchemas, schemaWithoutValue},
		{"schema-rights-differ", Warning, "the schemas of values have another owner, or other rights, than the template",
			"What the program may do in one it may not do in another, or others may.",
			groupSchemas, schemaRightsDiffer},
		{"table-not-in-template", Warning, "the schemas of values have a table that the template lacks",
			"The rules here look at the template: such a table is not compared with the policy, and new schemas lack it.",
			groupSchemas, tableNotInTemplate},
		{"table-hides-another", Warning, "a table in a schema for each value has the name of one that lives once",
			"An unqualified name means the former, whatever the session's search_path is.",
			groupSchemas, tableHidesAnother},
		{"type-unlisted", Warning, "a type of the template is not listed",
			"An unqualified name is not written out, so a statement with it fails, or means another type.",
			groupSchemas, typeUnlisted},
		{"sequence-unlisted", Warning, "a sequence of the template that no column owns is not listed",
			"An unqualified name is not written out, so a statement with it fails, or draws from another sequence.",
			groupSchemas, sequenceUnlisted},
		{"function-listed-elsewhere", Warning, "a function of the template is listed as one that lives once",
			"Its unqualified name is not written out, so a statement that calls it fails.",
			groupSchemas, functionListedElsewhere},
		{"function-follows-session", Error, "a function of the template finds tables or functions by the session's search_path",
			"The scope chooses no search_path: the function fails, or reads and writes what the session happens to find.",
			groupSchemas, functionFollowsSession},
		{"schemas-crossed", Error, "something reaches into the schema of another value",
			"The scope chooses one schema, and this leads out of it, into rows of another tenant.",
			groupSchemas, schemasCrossed},
	}
}

// misfit reports what package catalog has found.
func misfit(code catalog.Code) func(*checker) {
	return func(c *checker) {
		for _, m := range c.misfits {
			if m.Code != code {
				continue
			}
			f := c.findAt(m.Table, "%s", m.Message)
			f.Line, f.Column, f.SQL = m.Line, m.Column, m.SQL
			t := c.byName[m.Table]
			switch {
			case code == catalog.ViewNotMarked:
				entry := changed(t.policy)
				entry.View = true
				f.YAML = c.entry(entry)
			case code == catalog.GeneratedNotMarked:
				entry := changed(t.policy)
				for i := range entry.Scopings {
					s := &entry.Scopings[i]
					s.Generated = s.Generated || s.Any == nil && t.column(s.Column) != nil && t.column(s.Column).Generated
				}
				f.YAML = c.entry(entry)
			case m.SQL == "":
				f.Advice = strings.Replace(m.Hint, ", take another snapshot", "", 1)
				if stray := c.stray(m.Table); code == catalog.TableMissing && stray != nil {
					f.Advice = fmt.Sprintf("create it as in %s, or remove the entry", and(stray.Schemas))
				}
			}
		}
	}
}
