package check

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/schemas"
)

// A Snapshot is what the rules look at of a database: PostgreSQL's system
// catalogues and what the session's settings are, read once.
type Snapshot struct {
	user         string // who read it
	version      int    // as in server_version_num
	largeObjects int
	session      map[string]string // settings, by name
	catalog      *catalog.Catalog

	schemas      []*schema
	roles        []*role
	settings     []*setting
	relations    []*relation
	columns      []*column
	indexes      []*index
	foreignKeys  []*foreignKey
	functions    []*function
	uses         []*use
	triggers     []*trigger
	rules        []*rewriteRule
	policies     []*rowPolicy
	rights       []*right
	publications []*publication
	subscribed   []*subscribed

	// Where values choose schemas. What lies in those of values is nowhere else in the
	// snapshot, but for their names.
	types, sequences []*object
	valueFunctions   []*function
	otherRights      []*schemaPair
	strayTables      []*strayTable
	crossings        []*crossing
	values           map[string][]schemas.Schema // by dimension, of those that could be read
}

// An object is a type or a sequence that no column owns.
type object struct{ Schema, Name string }

// A schemaPair is a template, and the schema of a value with another owner or other
// rights.
type schemaPair struct{ Template, Schema string }

// A strayTable is one in schemas of values that no template has.
type strayTable struct {
	Name    string
	Schemas []string
}

// A crossing is that something depends on what lies in another schema, a value's or
// a template's.
type crossing struct {
	Kind         string // view, function, default, foreign key, check, trigger or table
	Schema, Name string // of the table or function that depends
	OID          uint32
	OtherSchema  string
	Other        string
}

// A schema is one that is neither the system's nor of temporary tables.
type schema struct {
	Name         string
	PublicCreate bool // everybody may create objects in it
}

type role struct {
	Name      string
	Superuser bool
	BypassRLS bool
	Login     bool
	Reaches   []string // PostgreSQL's own roles of which it is a member, for data and files
}

// A setting is one that sessions begin with. Role and Database are empty where it
// is for all of them.
type setting struct{ Role, Database, Name, Value string }

type relation struct {
	OID       uint32
	Schema    string
	Name      string
	Kind      string // pg_class.relkind
	Owner     string
	Security  bool // row-level security is enabled
	Forced    bool // for the owner too
	Extension bool // it belongs to one
	Options   []string
	Unread    bool     // it has rows and was never analysed
	Parents   []uint32 // from which it inherits, or whose partition it is
	Public    []string // the rights of PUBLIC
}

type column struct {
	Relation         uint32
	Name             string
	Type             string // of a domain that on which it is based
	NotNull          bool
	Default          string // its expression, or that of a generated column
	Identity         bool
	Generated        bool
	Nondeterministic bool // its collation takes different values for equal
}

type index struct {
	Relation   uint32
	Name       string
	Method     string
	Unique     bool
	Primary    bool
	Exclusion  bool
	Valid      bool
	Constraint bool
	Columns    []string // of the key; empty for an expression
	Equals     []bool   // of an exclusion constraint, where the operator is =
	Predicate  string
	Definition string // of the constraint, if it is one's
}

type foreignKey struct {
	Relation  uint32
	Name      string
	Columns   []string
	Target    uint32
	Keys      []string
	Actions   string // pg_constraint.confdeltype and confupdtype
	Validated bool
	Enforced  bool
	Disabled  []string // what enables its triggers that are disabled
}

type function struct {
	OID       uint32
	Schema    string
	Name      string
	Arguments string
	Language  string
	Procedure bool
	Definer   bool
	Path      string // the search_path that it sets
	Body      string
	Extension bool
}

// A use is a dependency of something on a relation or function.
type use struct {
	Kind     string // view, rule, function, default, check, index, operator or cast
	Object   uint32 // the relation or function that depends; 0 of operators and casts
	Name     string // of what depends
	Relation uint32
	Function uint32
}

type trigger struct {
	Relation uint32
	Name     string
	Function uint32
	Before   bool
}

type rewriteRule struct {
	Relation uint32
	Name     string
}

type rowPolicy struct {
	Relation uint32
	Name     string
	Setting  bool // it reads a setting of the session
}

// A right says that a role that can log in, and is no superuser, may read or
// write a table.
type right struct {
	Role     string
	Relation uint32
	Owner    bool
}

type publication struct {
	Name     string
	Relation uint32
	Named    bool // the table is, and not its schema or all
	Filtered bool
}

type subscribed struct {
	Subscription string
	Relation     uint32
}

// Read takes a snapshot of the database to which conn is connected, for a policy, in
// one transaction that sees one state and changes nothing. It needs PostgreSQL 14 or
// later, and no right but to connect; without that to read a registry, the values in
// it are not known.
func Read(ctx context.Context, conn *pgx.Conn, p *policy.Policy) (*Snapshot, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	return read(ctx, tx, p)
}

func read(ctx context.Context, tx pgx.Tx, p *policy.Policy) (*Snapshot, error) {
	r := &reader{ctx: ctx, tx: tx}
	s := &Snapshot{session: map[string]string{}}
	for _, name := range []string{"search_path", "standard_conforming_strings", "client_encoding", "session_replication_role"} {
		var value string
		r.row("SELECT pg_catalog.current_setting('"+name+"')", &value)
		s.session[name] = value
	}
	// From here on the names that PostgreSQL prints do not depend on the session.
	r.row("SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)", new(string))
	r.row(sessionQuery, &s.user, &s.version, &s.largeObjects)
	s.schemas = list[schema](r, schemasQuery)
	r.ofValue = catalog.OfValue(p)
	s.roles = list[role](r, rolesQuery)
	s.settings = list[setting](r, settingsQuery)
	s.relations = list[relation](r, relationsQuery)
	s.columns = list[column](r, columnsQuery)
	s.indexes = list[index](r, indexesQuery)
	s.foreignKeys = list[foreignKey](r, foreignKeysQuery)
	s.functions = list[function](r, functionsQuery)
	s.uses = list[use](r, usesQuery)
	s.triggers = list[trigger](r, triggersQuery)
	s.rules = list[rewriteRule](r, rulesQuery)
	s.policies = list[rowPolicy](r, policiesQuery)
	s.rights = list[right](r, rightsQuery)
	s.publications = list[publication](r, publicationsQuery)
	s.subscribed = list[subscribed](r, subscribedQuery)
	s.readSchemas(r, p)
	if r.err != nil {
		return nil, fmt.Errorf("the server's catalogues could not be read: %w", r.err)
	}
	var err error
	s.catalog, err = catalog.ReadFor(ctx, tx, p)
	return s, err
}

// readSchemas reads what the rules on the schemas of values look at.
func (s *Snapshot) readSchemas(r *reader, p *policy.Policy) {
	var templates []string
	s.values = map[string][]schemas.Schema{}
	for _, d := range p.Dimensions() {
		if d.Schemas == nil {
			continue
		}
		templates = append(templates, d.Schemas.Template)
		m, err := schemas.New(r.tx, d)
		if err == nil && d.Schemas.Registry != nil {
			if values, err := m.List(r.ctx); err == nil {
				s.values[d.Name] = values
			}
		}
	}
	if templates == nil {
		return
	}
	s.types = list[object](r, typesQuery, templates)
	s.sequences = list[object](r, sequencesQuery, templates)
	s.valueFunctions = list[function](r, valueFunctionsQuery)
	s.otherRights = list[schemaPair](r, rightsOfSchemasQuery, templates)
	s.strayTables = list[strayTable](r, strayTablesQuery, templates)
	s.crossings = list[crossing](r, crossingsQuery, templates)
}

// A reader asks until the first error.
type reader struct {
	ctx context.Context
	tx  pgx.Tx
	err error

	ofValue string // the condition that a schema n is a value's; empty for none
}

func (r *reader) row(query string, into ...any) {
	if r.err == nil {
		r.err = r.tx.QueryRow(r.ctx, query).Scan(into...)
	}
}

// list returns the rows of a query, whose columns are the fields of T. The schemas
// of values are left out.
func list[T any](r *reader, query string, args ...any) (all []*T) {
	if r.err != nil {
		return nil
	}
	if r.ofValue != "" {
		query = strings.NewReplacer(notSystem, notSystem+"AND NOT ("+r.ofValue+") ", ofValue, r.ofValue).Replace(query)
	}
	rows, _ := r.tx.Query(r.ctx, query, args...)
	all, r.err = pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[T])
	return all
}
