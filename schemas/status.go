package schemas

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped/policy"
)

// A Querier runs statements: a *pgx.Conn, a pgx.Tx or a *pgxpool.Pool.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// A Record knows which migrations ran in which schema. It is kept in two tables
// beside the registry: scoped_migration has a row for each migration of a schema,
// scoped_migration_state one for the last attempt to migrate it.
type Record struct {
	migration, state string // the tables, quoted
}

// RecordOf returns the record for the schemas of a dimension. It is in the schema
// of the registry or, where the policy names none, in public.
func RecordOf(d *policy.Dimension) Record {
	schema := "public"
	if r := d.Schemas.Registry; r != nil {
		schema = r.Schema
	}
	return Record{
		migration: pgx.Identifier{schema, "scoped_migration"}.Sanitize(),
		state:     pgx.Identifier{schema, "scoped_migration_state"}.Sanitize(),
	}
}

// A Migration ran, or is to run, once in each schema.
type Migration struct {
	Name     string
	Checksum string // of its text, or empty
}

// A State is what the last attempt to migrate a schema came to.
type State struct {
	Error     string // empty where it succeeded
	UpdatedAt time.Time
}

// Exists reports whether there are the tables of the record. Without them no
// migration has run.
func (r Record) Exists(ctx context.Context, db Querier) (exists bool, err error) {
	err = db.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL`, r.migration, r.state).Scan(&exists)
	return exists, err
}

// Create creates the tables where they do not exist.
func (r Record) Create(ctx context.Context, db Querier) error {
	// Where they exist, the right to create tables is not needed.
	if exists, err := r.Exists(ctx, db); exists || err != nil {
		return err
	}
	_, err := db.Exec(ctx, `CREATE TABLE IF NOT EXISTS `+r.state+` (
	schema text COLLATE "C" PRIMARY KEY,
	state text NOT NULL CHECK (state IN ('done', 'failed')),
	error text,
	updated_at timestamptz NOT NULL DEFAULT now())`)
	if err == nil {
		_, err = db.Exec(ctx, `CREATE TABLE IF NOT EXISTS `+r.migration+` (
	schema text COLLATE "C",
	migration text COLLATE "C",
	checksum text NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (schema, migration))`)
	}
	return err
}

// Applied returns the migrations that ran in a schema, by their names.
func (r Record) Applied(ctx context.Context, db Querier, schema string) ([]Migration, error) {
	rows, err := db.Query(ctx, `SELECT migration, checksum FROM `+r.migration+` WHERE schema = $1 ORDER BY migration`, schema)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Migration])
}

// Progress returns how many of the migrations ran in each schema in which any did.
func (r Record) Progress(ctx context.Context, db Querier, migrations []Migration) (map[string]int, error) {
	names, _ := columns(migrations)
	rows, err := db.Query(ctx, `SELECT schema, count(*) FROM `+r.migration+` WHERE migration = ANY($1) GROUP BY schema`, names)
	if err != nil {
		return nil, err
	}
	progress := map[string]int{}
	var schema string
	var count int
	_, err = pgx.ForEachRow(rows, []any{&schema, &count}, func() error {
		progress[schema] = count
		return nil
	})
	return progress, err
}

// Changed returns the migrations that ran with another text, and of each one of the
// schemas in which it did.
func (r Record) Changed(ctx context.Context, db Querier, migrations []Migration) (map[string]string, error) {
	names, checksums := columns(migrations)
	rows, err := db.Query(ctx, `SELECT migration, min(schema)
FROM `+r.migration+` AS ran JOIN unnest($1::text[], $2::text[]) AS m (migration, checksum) USING (migration)
WHERE ran.checksum <> m.checksum GROUP BY migration`, names, checksums)
	if err != nil {
		return nil, err
	}
	changed := map[string]string{}
	var migration, schema string
	_, err = pgx.ForEachRow(rows, []any{&migration, &schema}, func() error {
		changed[migration] = schema
		return nil
	})
	return changed, err
}

// States returns the state of each schema that was migrated.
func (r Record) States(ctx context.Context, db Querier) (map[string]State, error) {
	rows, err := db.Query(ctx, `SELECT schema, coalesce(error, ''), updated_at FROM `+r.state)
	if err != nil {
		return nil, err
	}
	states := map[string]State{}
	var schema string
	var state State
	_, err = pgx.ForEachRow(rows, []any{&schema, &state.Error, &state.UpdatedAt}, func() error {
		states[schema] = state
		return nil
	})
	return states, err
}

// Done records that the migrations ran in a schema. It belongs into their
// transaction.
func (r Record) Done(ctx context.Context, tx Querier, schema string, migrations ...Migration) error {
	names, checksums := columns(migrations)
	_, err := tx.Exec(ctx, `WITH applied AS (
	INSERT INTO `+r.migration+` (schema, migration, checksum) SELECT $1, * FROM unnest($2::text[], $3::text[]))
INSERT INTO `+r.state+` (schema, state) VALUES ($1, 'done')
ON CONFLICT (schema) DO UPDATE SET state = 'done', error = NULL, updated_at = now()`, schema, names, checksums)
	return err
}

func columns(migrations []Migration) (names, checksums []string) {
	names, checksums = []string{}, []string{}
	for _, m := range migrations {
		names, checksums = append(names, m.Name), append(checksums, m.Checksum)
	}
	return names, checksums
}

// Failed records that a migration failed in a schema, after it was rolled back.
func (r Record) Failed(ctx context.Context, db Querier, schema, message string) error {
	_, err := db.Exec(ctx, `INSERT INTO `+r.state+` (schema, state, error) VALUES ($1, 'failed', $2)
ON CONFLICT (schema) DO UPDATE SET state = 'failed', error = $2, updated_at = now()`, schema, message)
	return err
}

// copied records for a new schema what ran in the one that it is made from.
func (r Record) copied(ctx context.Context, tx Querier, from, to string) error {
	return r.change(ctx, tx, to,
		`INSERT INTO `+r.migration+` SELECT $2, migration, checksum, applied_at FROM `+r.migration+` WHERE schema = $1`, from, to)
}

// renamed follows the new name of a schema.
func (r Record) renamed(ctx context.Context, tx Querier, from, to string) error {
	return r.change(ctx, tx, to, `WITH migration AS (UPDATE `+r.migration+` SET schema = $2 WHERE schema = $1)
UPDATE `+r.state+` SET schema = $2 WHERE schema = $1`, from, to)
}

// dropped forgets a schema.
func (r Record) dropped(ctx context.Context, tx Querier, schema string) error {
	return r.change(ctx, tx, schema, "")
}

// change forgets what is recorded of a schema, which may be left of one that was
// dropped by hand, and then runs a statement. It does nothing where there is no
// record.
func (r Record) change(ctx context.Context, tx Querier, schema, statement string, args ...any) error {
	if exists, err := r.Exists(ctx, tx); !exists || err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `WITH migration AS (DELETE FROM `+r.migration+` WHERE schema = $1) DELETE FROM `+r.state+` WHERE schema = $1`, schema)
	if err == nil && statement != "" {
		_, err = tx.Exec(ctx, statement, args...)
	}
	return err
}

// Lock waits until nobody else migrates, drops or renames the schema, or makes
// another of it, and lets nobody do so until the transaction ends.
func Lock(ctx context.Context, tx Querier, schema string) error {
	return lock(ctx, tx, "pg_try_advisory_xact_lock", schema)
}

// lockShared waits until nobody changes the schema, and lets nobody do so until
// the transaction ends.
func lockShared(ctx context.Context, tx Querier, schema string) error {
	return lock(ctx, tx, "pg_try_advisory_xact_lock_shared", schema)
}

// lock asks again and again: a statement that waited for the lock would hold a
// snapshot, for which a CREATE INDEX CONCURRENTLY of the lock's holder would wait,
// and the server does not see that they wait for each other. For the same reason it
// asks by the simple protocol, as a portal keeps its snapshot until the next one.
func lock(ctx context.Context, tx Querier, function, schema string) error {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		var locked bool
		err := tx.QueryRow(ctx, `SELECT pg_catalog.`+function+`(pg_catalog.hashtextextended($1, 0))`,
			pgx.QueryExecModeSimpleProtocol, "scoped-pgx schema "+schema).Scan(&locked)
		if locked || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}
