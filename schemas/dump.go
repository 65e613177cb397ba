package schemas

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A dump is a zip file. Its first part, dumpHead, is a JSON text with how the
// objects of the schema are made; each other part has the rows of a table, as COPY
// writes them. Neither holds the schema's name, so it can be loaded under another.
const (
	dumpHead   = "schema.json"
	dumpFormat = 1
)

type dump struct {
	Format     int
	Value      string
	Objects    []dumpObject
	Migrations []Migration
	Tables     []dumpTable
	Sequences  []dumpSequence
}

// dumpObject is an Object as a file has it.
type dumpObject struct {
	Kind, Name, Table              string
	Create, Late, Grants, Comments string
	Phase                          phase
	Owner, What, GrantOn           string
}

type dumpTable struct {
	Name    string
	Columns []string // as SQL spells them; those that are generated are left out
	Part    string   // of the file, with the rows
}

type dumpSequence struct {
	Name   string
	Last   int64
	Called bool
}

// Dump writes the schema of a value with its rows, as they are at one time, for
// Load. It needs a DB that is no transaction. What Create could not make is
// refused.
func (m *Manager) Dump(ctx context.Context, value string, w io.Writer) error {
	schema, err := m.SchemaName(value)
	if err != nil {
		return err
	}
	// Wait for those who are changing the schema before the snapshot is taken.
	if err := m.transact(ctx, func(tx pgx.Tx) error { return lockShared(ctx, tx, schema) }); err != nil {
		return err
	}
	file := zip.NewWriter(w)
	d := dump{Format: dumpFormat, Value: value}
	err = m.transact(ctx, func(tx pgx.Tx) error {
		if _, err := exec(ctx, tx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL row_security = off"); err != nil {
			return fmt.Errorf("a schema is dumped in a transaction of its own: %w", err)
		}
		if _, err := m.find(ctx, tx, value, schema); err != nil {
			return err
		}
		definition, err := m.readToCopy(ctx, tx, schema)
		if err != nil {
			return err
		}
		d.Objects, d.Migrations = dumpObjects(definition), definition.migrations
		if err := d.list(ctx, tx, schema); err != nil {
			return err
		}
		return d.write(ctx, tx, schema, file)
	})
	if err != nil {
		return err
	}
	// The snapshot may be older than the lock by as much as a migration needs to end.
	err = m.transact(ctx, func(tx pgx.Tx) error {
		migrations, err := m.migrations(ctx, tx, schema)
		if err == nil && !slices.Equal(migrations, d.Migrations) {
			err = fmt.Errorf("the schema %s was migrated meanwhile; dump it again", quote(schema))
		}
		return err
	})
	return errors.Join(err, file.Close())
}

func dumpObjects(d *Definition) []dumpObject {
	objects := make([]dumpObject, len(d.objects))
	for i, o := range d.objects {
		objects[i] = dumpObject{o.Kind, o.Name, o.Table, o.create, o.late, o.grants, o.comments, o.phase, o.owner, o.what, o.grantOn}
	}
	return objects
}

func (d *dump) definition() *Definition {
	definition := &Definition{migrations: d.Migrations}
	for _, o := range d.Objects {
		definition.objects = append(definition.objects, &Object{
			Kind: o.Kind, Name: o.Name, Table: o.Table, create: o.Create, late: o.Late, grants: o.Grants, comments: o.Comments,
			phase: o.Phase, owner: o.Owner, what: o.What, grantOn: o.GrantOn,
		})
	}
	return definition
}

// list finds what in a schema has rows, or a value that goes on.
func (d *dump) list(ctx context.Context, tx pgx.Tx, schema string) error {
	if _, err := exec(ctx, tx, "SET LOCAL search_path = pg_catalog, pg_temp"); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `SELECT c.relname, ARRAY(SELECT quote_ident(a.attname) FROM pg_attribute a
			WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum), c.relkind = 'S'
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind IN ('r', 'S') ORDER BY c.relname COLLATE "C"`, schema)
	if err != nil {
		return err
	}
	var name string
	var columns []string
	var sequence bool
	_, err = pgx.ForEachRow(rows, []any{&name, &columns, &sequence}, func() error {
		if sequence {
			d.Sequences = append(d.Sequences, dumpSequence{Name: name})
		} else {
			d.Tables = append(d.Tables, dumpTable{name, columns, fmt.Sprintf("rows/%d", len(d.Tables)+1)})
		}
		return nil
	})
	for i := range d.Sequences {
		s := &d.Sequences[i]
		if err == nil {
			err = tx.QueryRow(ctx, "SELECT last_value, is_called FROM "+quote(schema, s.Name)).Scan(&s.Last, &s.Called)
		}
	}
	return err
}

// copy returns the COPY of a table, without its direction.
func (t *dumpTable) copy(schema string) string {
	sql := "COPY " + quote(schema, t.Name)
	if len(t.Columns) > 0 {
		sql += " (" + strings.Join(t.Columns, ", ") + ")"
	}
	return sql
}

func (d *dump) write(ctx context.Context, tx pgx.Tx, schema string, file *zip.Writer) error {
	head, err := file.Create(dumpHead)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(head)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(d); err != nil {
		return err
	}
	// Names of tables and the like that are values are then written without the schema.
	if _, err := exec(ctx, tx, searchPath(schema)); err != nil {
		return err
	}
	for _, t := range d.Tables {
		part, err := file.Create(t.Part)
		if err != nil {
			return err
		}
		if _, err := tx.Conn().PgConn().CopyTo(ctx, part, t.copy(schema)+" TO STDOUT"); err != nil {
			return fmt.Errorf("the rows of %s: %w", quote(schema, t.Name), err)
		}
	}
	return nil
}

// Load makes the schema of a value from what Dump wrote, of this value or another,
// and enters the value into the registry, in one transaction. The schema must not
// exist; what the dump refers to outside of it, such as roles and the rows of other
// tables, must. A dump holds SQL that is run: load only what can be trusted.
func (m *Manager) Load(ctx context.Context, value string, r io.ReaderAt, size int64) error {
	file, err := zip.NewReader(r, size)
	if err != nil {
		return fmt.Errorf("the file is no dump of a schema: %w", err)
	}
	d, err := readDump(file)
	if err != nil {
		return fmt.Errorf("the file is no dump of a schema: %w", err)
	}
	return m.transact(ctx, func(tx pgx.Tx) error {
		err := m.create(ctx, tx, d.definition(), value, func(schema string) error { return d.load(ctx, tx, schema, file) })
		if err != nil || len(d.Migrations) == 0 {
			return err
		}
		schema, err := m.SchemaName(value)
		if err != nil {
			return err
		}
		record := RecordOf(m.dimension)
		if err := record.Create(ctx, tx); err != nil {
			return err
		}
		return record.Done(ctx, tx, schema, d.Migrations...)
	})
}

func readDump(file *zip.Reader) (*dump, error) {
	head, err := file.Open(dumpHead)
	if err != nil {
		return nil, err
	}
	defer head.Close()
	var d dump
	if err := json.NewDecoder(head).Decode(&d); err != nil {
		return nil, err
	}
	if d.Format != dumpFormat {
		return nil, fmt.Errorf("its format is %d, and this program knows %d", d.Format, dumpFormat)
	}
	return &d, nil
}

// load fills the tables and sequences of a schema.
func (d *dump) load(ctx context.Context, tx pgx.Tx, schema string, file *zip.Reader) error {
	for _, t := range d.Tables {
		part, err := file.Open(t.Part)
		if err != nil {
			return err
		}
		_, err = tx.Conn().PgConn().CopyFrom(ctx, part, t.copy(schema)+" FROM STDIN")
		part.Close()
		if err != nil {
			return fmt.Errorf("the rows of %s: %w", quote(schema, t.Name), err)
		}
	}
	for _, s := range d.Sequences {
		if _, err := tx.Exec(ctx, "SELECT pg_catalog.setval($1::pg_catalog.text::pg_catalog.regclass, $2, $3)", quote(schema, s.Name), s.Last, s.Called); err != nil {
			return err
		}
	}
	return nil
}
