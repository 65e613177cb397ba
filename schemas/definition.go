package schemas

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// A Definition is how the objects of a schema are made. It does not depend on the
// schema's name, and does not change, so that it may make many schemas.
type Definition struct {
	schema     string      // that was read
	objects    []*Object   // in an order in which they can be made
	migrations []Migration // that ran in it, where it is read to be copied
}

// Objects returns the objects in an order in which they can be made, the schema
// itself first.
func (d *Definition) Objects() []*Object { return slices.Clone(d.objects) }

// An Object is a part of a schema: a table with its columns, a constraint, an
// index, a function, and so on.
type Object struct {
	Kind  string // such as table, constraint, materialized view
	Name  string // as SQL spells it, a function's with its arguments; empty for the schema itself
	Table string // that a constraint, index, trigger, rule, policy or statistics belong to

	// Statements in which self stands for the schema's name.
	create   string // empty where another object's makes this one
	late     string // to run when all objects are there
	grants   string // empty for the rights that every such object begins with
	comments string

	id      object
	phase   phase
	owner   string // as SQL spells it; empty for what has none of its own
	what    string // as in ALTER … OWNER TO
	grantOn string // as in GRANT … ON; empty for what has no rights
	path    string // the search path that is set for a function, where the schema is in it
	refused string // why it cannot be copied, and what to do
}

// self stands in an Object's statements for the schema's name. No text of
// PostgreSQL holds it.
const self = "\x00"

// A phase orders objects that do not depend on each other. The numbers are those
// of objects.sql.
type phase int

const (
	tablePhase      phase = 5
	foreignKeyPhase phase = 11
)

// object is how the system catalogues name an object.
type object struct{ class, id uint32 }

// String returns the object's kind and name.
func (o *Object) String() string {
	switch {
	case o.Name == "":
		return o.Kind
	case o.Table != "":
		return o.Kind + " " + o.Name + " on " + o.Table
	}
	return o.Kind + " " + o.Name
}

// SQL returns the statements that make the object, in a schema of that name which
// is first in the search path, and a comment where it cannot be copied.
func (o *Object) SQL(schema string) string {
	return strings.ReplaceAll(o.text(), self, quote(schema))
}

func (o *Object) text() string {
	var b strings.Builder
	for _, statements := range []string{o.create, o.ownership(), o.late, o.grants, o.comments} {
		if statements != "" {
			b.WriteString(statements + ";\n")
		}
	}
	if o.refused != "" {
		b.WriteString("-- " + o.refused + "\n")
	}
	return b.String()
}

func (o *Object) ownership() string {
	if o.owner == "" {
		return ""
	}
	return "ALTER " + o.what + " OWNER TO " + o.owner
}

//go:embed objects.sql
var objectsQuery string

//go:embed dependencies.sql
var dependenciesQuery string

// readSettings are those on which it depends how PostgreSQL spells a definition.
const readSettings = `
SET LOCAL quote_all_identifiers = off;
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = postgres;
SET LOCAL extra_float_digits = 3;
SET LOCAL jit = off;
`

// Read returns the definition of a schema, of whatever name.
func (m *Manager) Read(ctx context.Context, schema string) (d *Definition, err error) {
	err = m.transact(ctx, func(tx pgx.Tx) error {
		d, err = read(ctx, tx, schema)
		return err
	})
	return d, err
}

// read returns the definition of a schema.
//
// The names in the query must be PostgreSQL's own whatever the schema holds, and
// its answer is to be spelled as from within the schema. So the query is planned
// under the one search path, as a cursor's, and run under the other.
func read(ctx context.Context, tx pgx.Tx, schema string) (*Definition, error) {
	oid, err := schemaOID(ctx, tx, schema)
	if err == nil && oid == 0 {
		err = fmt.Errorf("the schema %s does not exist", quote(schema))
	}
	if err != nil {
		return nil, err
	}
	results, err := inCatalog(ctx, tx, readSettings+
		"DECLARE scoped_objects NO SCROLL CURSOR FOR "+of(objectsQuery, oid)+";\n"+
		of(dependenciesQuery, oid)+";\n"+
		searchPath(schema)+
		"FETCH ALL FROM scoped_objects")
	if err != nil {
		return nil, fmt.Errorf("reading the schema %s: %w", quote(schema), err)
	}
	var objects []*Object
	dependencies := map[object][]object{}
	for _, result := range results {
		for _, row := range result.Rows {
			if strings.HasPrefix(result.CommandTag.String(), "FETCH") {
				objects = append(objects, newObject(row, schema))
			} else {
				from := object{number(row[0]), number(row[1])}
				dependencies[from] = append(dependencies[from], object{number(row[2]), number(row[3])})
			}
		}
	}
	objects, err = order(objects, dependencies)
	if err != nil {
		return nil, fmt.Errorf("the schema %s: %w", quote(schema), err)
	}
	return &Definition{schema: schema, objects: objects}, nil
}

func number(text []byte) uint32 {
	n, err := strconv.ParseUint(string(text), 10, 32)
	if err != nil {
		panic(err) // the query casts it to a number
	}
	return uint32(n)
}

// newObject returns what a row of objects.sql says.
func newObject(row [][]byte, schema string) *Object {
	text := func(i int) string { return string(row[i]) }
	o := &Object{
		id:    object{number(row[0]), number(row[1])},
		phase: phase(number(row[2])),
		Kind:  text(3), Table: text(4), Name: text(5), what: text(6), owner: text(7), grantOn: text(8),
		create: text(9), late: text(10), refused: text(11), grants: text(12), comments: text(13),
	}
	switch o.Kind {
	case "schema", "default privileges":
		const placeholder = "SCHEMA {schema}"
		for _, s := range []*string{&o.what, &o.grantOn, &o.create, &o.grants} {
			*s = strings.ReplaceAll(*s, placeholder, "SCHEMA "+self)
		}
		o.comments = strings.Replace(o.comments, placeholder, "SCHEMA "+self, 1)
	case "function", "procedure":
		o.create, o.path = ownSearchPath(o.create, schema)
	}
	return o
}

// ownSearchPath returns a function's definition with self in the search path that is
// set for it, in place of the schema. The path is empty where the schema is not in it.
func ownSearchPath(create, schema string) (changed, path string) {
	const set = "\n SET search_path TO "
	head, rest, ok := strings.Cut(create, set)
	if !ok || strings.Contains(head, "\nAS ") { // the body says it
		return create, ""
	}
	path, body, _ := strings.Cut(rest, "\n")
	elements := strings.Split(path, ", ")
	own := slices.Index(elements, pgparse.QuoteLiteral(schema))
	if own < 0 {
		return create, ""
	}
	elements[own] = self
	path = strings.Join(elements, ", ")
	return head + set + path + "\n" + body, path
}

// order returns the objects so that each stands behind those that it depends on,
// and otherwise by phase and name.
func order(objects []*Object, dependencies map[object][]object) ([]*Object, error) {
	byID := make(map[object]*Object, len(objects))
	for _, o := range objects {
		byID[o.id] = o
	}
	ordered := make([]*Object, 0, len(objects))
	done := make(map[*Object]bool, len(objects)) // false while those before it are sought
	var visit func(*Object) error
	visit = func(o *Object) error {
		if finished, seen := done[o]; seen {
			if !finished {
				return errors.New(o.String())
			}
			return nil
		}
		done[o] = false
		before := make([]*Object, 0, len(dependencies[o.id]))
		for _, id := range dependencies[o.id] {
			if b := byID[id]; b != nil && b != o {
				before = append(before, b)
			}
		}
		slices.SortFunc(before, compareObjects)
		for _, b := range before {
			if err := visit(b); err != nil {
				return fmt.Errorf("%s, %w", o, err)
			}
		}
		done[o] = true
		ordered = append(ordered, o)
		return nil
	}
	slices.SortFunc(objects, compareObjects)
	for _, o := range objects {
		if err := visit(o); err != nil {
			return nil, fmt.Errorf("objects depend on each other in a circle: %w", err)
		}
	}
	return ordered, nil
}

// compareObjects orders objects that do not depend on each other.
func compareObjects(a, b *Object) int {
	return cmp.Or(cmp.Compare(a.phase, b.phase), cmp.Compare(a.Table, b.Table), cmp.Compare(a.Name, b.Name))
}

// exec runs statements in one round trip.
func exec(ctx context.Context, tx pgx.Tx, statements string) ([]*pgconn.Result, error) {
	return tx.Conn().PgConn().Exec(ctx, statements).ReadAll()
}

// inCatalog runs statements that only read, in one round trip. Names in them are
// PostgreSQL's own, whatever is in the search path, and their settings do not last.
func inCatalog(ctx context.Context, tx pgx.Tx, statements string) ([]*pgconn.Result, error) {
	return exec(ctx, tx, "SAVEPOINT scoped_schemas;\nSET LOCAL search_path = pg_catalog, pg_temp;\n"+
		statements+";\nROLLBACK TO scoped_schemas;\nRELEASE scoped_schemas")
}

// catalogTexts returns the rows of a query of one column.
func catalogTexts(ctx context.Context, tx pgx.Tx, query string) (texts []string, err error) {
	results, err := inCatalog(ctx, tx, query)
	for _, result := range results {
		for _, row := range result.Rows {
			texts = append(texts, string(row[0]))
		}
	}
	return texts, err
}

// of returns a query about a schema.
func of(query string, schema uint32) string {
	return strings.ReplaceAll(query, ":schema", strconv.FormatUint(uint64(schema), 10))
}

// searchPath is the statement that has names looked up in a schema, and then in
// pg_catalog, for one transaction. Temporary tables hide none.
func searchPath(schema string) string {
	return "SET LOCAL search_path = " + quote(schema) + ", pg_catalog, pg_temp;\n"
}
