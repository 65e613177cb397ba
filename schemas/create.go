package schemas

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// createSettings are those on which it depends what a definition makes.
const createSettings = `
SET LOCAL client_min_messages = warning;
SET LOCAL check_function_bodies = off;
SET LOCAL default_table_access_method = heap;
SET LOCAL default_tablespace = '';
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = postgres;
SET LOCAL extra_float_digits = 3;
SET LOCAL transform_null_equals = off;
`

// localSettings are the settings that this package makes for a transaction.
var localSettings = func() []string {
	names := []string{"search_path", "row_security"}
	for _, set := range regexp.MustCompile(`SET LOCAL (\w+)`).FindAllStringSubmatch(createSettings, -1) {
		names = append(names, set[1])
	}
	return names
}()

// Create makes the schema of a value from the template, with what is recorded of the
// template's migrations, and enters the value into the registry, in one transaction.
// The schema must not exist.
//
// The registry's table is made if it does not exist. If a row with the value alone
// violates one of its constraints, insert the row first, in the same transaction
// where New was given one.
func (m *Manager) Create(ctx context.Context, value string) error {
	return m.transact(ctx, func(tx pgx.Tx) error {
		d, err := m.readToCopy(ctx, tx, m.dimension.Schemas.Template)
		if err != nil {
			return err
		}
		return m.create(ctx, tx, d, value, nil)
	})
}

// Template reads the definition of the template, for CreateFrom. It is an error if
// the template holds what cannot be copied.
func (m *Manager) Template(ctx context.Context) (d *Definition, err error) {
	err = m.transact(ctx, func(tx pgx.Tx) error {
		d, err = m.readToCopy(ctx, tx, m.dimension.Schemas.Template)
		return err
	})
	return d, err
}

// ErrMigrated is the error of CreateFrom where the template was migrated after it
// was read.
var ErrMigrated = errors.New("the template was migrated after it was read")

// CreateFrom is Create with a definition that Template has read, for those who make
// many schemas. Nobody should change the template meanwhile; a migration is noticed,
// with ErrMigrated.
func (m *Manager) CreateFrom(ctx context.Context, template *Definition, value string) error {
	return m.transact(ctx, func(tx pgx.Tx) error {
		if err := lockShared(ctx, tx, template.schema); err != nil {
			return err
		}
		migrations, err := m.migrations(ctx, tx, template.schema)
		if err != nil {
			return err
		}
		if !slices.Equal(migrations, template.migrations) {
			return ErrMigrated
		}
		return m.create(ctx, tx, template, value, nil)
	})
}

// readToCopy returns the definition of a schema, which nobody migrates until the
// transaction ends.
func (m *Manager) readToCopy(ctx context.Context, tx pgx.Tx, schema string) (*Definition, error) {
	err := lockShared(ctx, tx, schema)
	if err != nil {
		return nil, err
	}
	d, err := read(ctx, tx, schema)
	if err != nil {
		return nil, err
	}
	if d.migrations, err = m.migrations(ctx, tx, schema); err != nil {
		return nil, err
	}
	return d, d.copyable()
}

// migrations returns those that ran in a schema.
func (m *Manager) migrations(ctx context.Context, tx pgx.Tx, schema string) ([]Migration, error) {
	record := RecordOf(m.dimension)
	exists, err := record.Exists(ctx, tx)
	if err != nil || !exists {
		return nil, err
	}
	return record.Applied(ctx, tx, schema)
}

// create makes the schema of a value from the definition of another, which is
// locked. It has the tables filled when they are there, and before constraints and
// triggers are, unless fill is nil.
func (m *Manager) create(ctx context.Context, tx pgx.Tx, d *Definition, value string, fill func(schema string) error) error {
	name, err := m.SchemaName(value)
	if err != nil {
		return err
	}
	if err := m.mustNotExist(ctx, tx, value, name); err != nil {
		return err
	}
	if err := m.register(ctx, tx, value); err != nil {
		return err
	}
	if err := RecordOf(m.dimension).copied(ctx, tx, d.schema, name); err != nil {
		return err
	}
	c, err := newCreator(ctx, tx)
	if err != nil {
		return err
	}
	begin, end := c.script(d, name)
	if fill != nil {
		if _, err = exec(ctx, tx, begin); err == nil {
			err = fill(name)
		}
		begin = ""
	}
	if err == nil {
		_, err = exec(ctx, tx, begin+end)
	}
	if err != nil {
		return fmt.Errorf("creating the schema %s of %q: %w", quote(name), value, readable(err))
	}
	return nil
}

func (m *Manager) mustNotExist(ctx context.Context, tx pgx.Tx, value, name string) error {
	oid, err := schemaOID(ctx, tx, name)
	if err == nil && oid != 0 {
		err = fmt.Errorf("the schema %s of %q exists", quote(name), value)
	}
	return err
}

// find returns the oid of the schema of a value, which must exist.
func (m *Manager) find(ctx context.Context, tx pgx.Tx, value, name string) (oid uint32, err error) {
	oid, err = schemaOID(ctx, tx, name)
	if err == nil && oid == 0 {
		err = fmt.Errorf("the schema %s of %q does not exist", quote(name), value)
	}
	return oid, err
}

// schemaOID returns the oid of a schema, 0 if there is none of the name.
func schemaOID(ctx context.Context, tx pgx.Tx, name string) (oid uint32, err error) {
	err = tx.QueryRow(ctx, "SELECT coalesce((SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1), 0)", name).Scan(&oid)
	return oid, err
}

// register enters a value into the registry, unless it is there.
func (m *Manager) register(ctx context.Context, tx pgx.Tx, value string) error {
	r := m.dimension.Schemas.Registry
	if r == nil {
		return nil
	}
	table, column := quote(r.Schema, r.Table), quote(r.Column)
	exists, err := m.registryExists(ctx, tx)
	if err == nil && !exists {
		// Several may be about to make their first schema.
		if err = Lock(ctx, tx, table); err == nil {
			exists, err = m.registryExists(ctx, tx)
		}
	}
	if err != nil {
		return err
	}
	if !exists {
		if _, err := tx.Exec(ctx, fmt.Sprintf("CREATE TABLE %s (%s pg_catalog.%s PRIMARY KEY)", table, column, m.sqlType())); err != nil {
			return fmt.Errorf("creating the registry %s: %w", table, err)
		}
	}
	// A row is checked for what it lacks before ON CONFLICT is looked at.
	_, err = tx.Exec(ctx, fmt.Sprintf(`INSERT INTO %s (%s) SELECT v FROM (SELECT $1::pg_catalog.text::pg_catalog.%s AS v) v
		WHERE NOT EXISTS (SELECT FROM %[1]s WHERE %[2]s = v) ON CONFLICT DO NOTHING`, table, column, m.sqlType()), value)
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) && strings.HasPrefix(refused.Code, "23") {
		return fmt.Errorf("%q cannot be entered into the registry %s: %w; insert its row first", value, table, err)
	}
	return err
}

// sqlType returns the dimension's type as pg_catalog spells it.
func (m *Manager) sqlType() string {
	switch m.dimension.Type {
	case "smallint":
		return "int2"
	case "integer":
		return "int4"
	case "bigint":
		return "int8"
	}
	return string(m.dimension.Type)
}

// readable says where and why PostgreSQL refused a statement.
func readable(err error) error {
	refused := (*pgconn.PgError)(nil)
	if !errors.As(err, &refused) {
		return err
	}
	for _, more := range []string{refused.Detail, refused.Hint, refused.Where} {
		if more != "" {
			err = fmt.Errorf("%w; %s", err, more)
		}
	}
	return err
}

// A creator is who makes a schema.
type creator struct {
	role     string  // as SQL spells it
	defaults *string // who gets rights on what the role makes, a list; nil where it is as PostgreSQL has it
}

func newCreator(ctx context.Context, tx pgx.Tx) (c creator, err error) {
	err = tx.QueryRow(ctx, `SELECT pg_catalog.quote_ident(current_user), (
		SELECT pg_catalog.string_agg(DISTINCT CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END, ', ')
		FROM pg_catalog.pg_default_acl a LEFT JOIN LATERAL pg_catalog.aclexplode(a.defaclacl) x ON true
		WHERE a.defaclnamespace = 0 AND pg_catalog.pg_get_userbyid(a.defaclrole) = current_user)`).Scan(&c.role, &c.defaults)
	return c, err
}

// script returns the statements that make a schema, up to its last table, and after
// that.
func (c creator) script(d *Definition, schema string) (begin, end string) {
	var b strings.Builder
	add := func(statements string) {
		if statements != "" {
			b.WriteString(strings.ReplaceAll(statements, self, quote(schema)) + ";\n")
		}
	}
	b.WriteString(createSettings + searchPath(schema))
	lastTable := 0
	for i, o := range d.objects {
		if o.phase == tablePhase {
			lastTable = i
		}
	}
	for i, o := range d.objects {
		if o.phase != foreignKeyPhase {
			c.make(o, add)
		}
		if i == lastTable {
			begin = b.String()
			b.Reset()
		}
	}
	for _, o := range d.objects {
		if o.phase != foreignKeyPhase {
			add(o.late)
		}
	}
	// Foreign keys come last: a key of a partitioned table counts only when those of its
	// partitions are attached, and tables of other schemas are locked until the end.
	for _, o := range d.objects {
		if o.phase == foreignKeyPhase {
			c.make(o, add)
		}
	}
	return begin, b.String()
}

func (c creator) make(o *Object, add func(statements string)) {
	add(o.create)
	if o.owner != c.role {
		add(o.ownership())
	}
	if c.defaults != nil && o.grantOn != "" {
		add("REVOKE ALL ON " + o.grantOn + " FROM PUBLIC, " + o.owner + ", " + *c.defaults)
		add("GRANT ALL ON " + o.grantOn + " TO " + o.owner)
		switch kind, _, _ := strings.Cut(o.grantOn, " "); kind {
		case "TYPE":
			add("GRANT USAGE ON " + o.grantOn + " TO PUBLIC")
		case "FUNCTION", "PROCEDURE":
			add("GRANT EXECUTE ON " + o.grantOn + " TO PUBLIC")
		}
	}
	add(o.grants)
	add(o.comments)
}
