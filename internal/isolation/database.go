package isolation

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/scoped-pgx/scoped/rewrite"
)

// settings are sets of planner settings under which one statement gets different plans.
var settings = []string{
	"",
	"SET enable_hashjoin = off; SET enable_hashagg = off; SET enable_seqscan = off",
	"SET enable_nestloop = off; SET enable_mergejoin = off; SET enable_sort = off",
	"SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_indexscan = off; SET enable_bitmapscan = off; SET from_collapse_limit = 1; SET join_collapse_limit = 1",
	"SET enable_hashjoin = off; SET enable_nestloop = off; SET enable_hashagg = off",
	"SET enable_mergejoin = off; SET enable_nestloop = off; SET enable_material = off; SET enable_memoize = off",
}

// timeout bounds one statement. What runs longer is set aside.
const timeout = "3s"

// An arm is one connection on which statements are run, each in a transaction of
// its own that is rolled back.
type arm struct {
	conn  *pgconn.PgConn
	rows  string // the query of the hashes of rows
	reset string
	role  bool // statements are run under tenantRole
}

// connect opens an arm with planner settings, and further commands. Own is set for
// the tenant's own database.
func connect(ctx context.Context, dsn string, s Scope, own bool, settings ...string) (*arm, error) {
	conn, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	// To plan the query that summarizes every table takes longer than to run it.
	state := stateSQL(s)
	switch {
	case s.schema && own:
		settings = append(settings, "SET search_path = "+tenantSchema)
	case s.schema:
		state += s.decoys()
	}
	setup := "PREPARE state AS " + state + "; SET statement_timeout = '" + timeout + "'; SET lock_timeout = '2s'"
	for _, s := range settings {
		if s != "" {
			setup += "; " + s
		}
	}
	if _, err := conn.Exec(ctx, setup).ReadAll(); err != nil {
		conn.Close(ctx)
		return nil, err
	}
	return &arm{conn: conn, rows: rowsSQL(s), reset: s.qualified(resetSQL())}, nil
}

func (a *arm) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	a.conn.Close(ctx)
}

// A field is what a column of a result is called, and its type where that is a
// built-in one.
type field struct {
	name string
	typ  uint32
}

// A sum is a multiset of rows: how many there are, and the sum of their hashes.
type sum struct{ count, hash string }

func (s sum) isEmpty() bool { return s.count == "0" || s == sum{} }

// plus returns the sum of two multisets.
func (s sum) plus(t sum) sum {
	if t.isEmpty() {
		return s
	}
	add := func(a, b string) string {
		x, _ := new(big.Int).SetString(a, 10)
		y, _ := new(big.Int).SetString(b, 10)
		return x.Add(x, y).String()
	}
	return sum{add(s.count, t.count), add(s.hash, t.hash)}
}

// An outcome is what a statement did.
type outcome struct {
	fields  []field
	rows    []string // in the order in which they came
	tag     string
	code    string // the SQLSTATE of its failure
	message string
	rule    string // the constraint that failed
	column  string // the column that must not be null
	// What every table holds afterwards, by name: the rows of the scope, and the others.
	visible, hidden map[string]sum
	taken           bool                // a row has the key of one of others
	left            bool                // there is a row that the scope must not write
	tables          map[string][]string // the hashes of the rows that the scope may have written, where they are asked for
}

func (o *outcome) failed() bool { return o.code != "" }

// read runs a statement that writes nothing.
func (a *arm) read(ctx context.Context, sql string, args [][]byte) (*outcome, error) {
	o := &outcome{}
	result := a.conn.ExecParams(ctx, sql, args, nil, nil, nil)
	for _, f := range result.FieldDescriptions() {
		typ := f.DataTypeOID
		if typ >= 16384 || typ == pgtype.RecordOID { // a row type, which each database numbers anew
			typ = 0
		}
		o.fields = append(o.fields, field{f.Name, typ})
	}
	var b strings.Builder
	for result.NextRow() {
		b.Reset()
		for i, v := range result.Values() {
			if i > 0 {
				b.WriteString(" | ")
			}
			if v == nil {
				b.WriteString("NULL")
			} else {
				b.WriteString(strconv.Quote(string(v)))
			}
		}
		o.rows = append(o.rows, b.String())
	}
	tag, err := result.Close()
	o.tag = tag.String()
	var pgErr *pgconn.PgError
	switch {
	case errors.As(err, &pgErr):
		*o = outcome{code: pgErr.Code, message: pgErr.Message, rule: pgErr.ConstraintName, column: pgErr.ColumnName}
	case err != nil:
		return nil, err
	}
	return o, nil
}

// A question is a statement to be run on some arm.
type question struct {
	sql    string
	args   [][]byte
	writes bool
	before string // commands that are run before it, in its transaction
	rows   bool   // of a statement that writes, note also the rows of every table
}

// run runs a statement. Where it writes, or commands come before it, it does so
// in a transaction that is rolled back, and of a statement that writes it notes
// what the tables hold before the end.
func (a *arm) run(ctx context.Context, q question) (*outcome, error) {
	if !q.writes && q.before == "" {
		return a.read(ctx, q.sql, q.args)
	}
	if _, err := a.conn.Exec(ctx, a.reset+"; BEGIN; "+q.before).ReadAll(); err != nil {
		return nil, err
	}
	o, err := a.read(ctx, q.sql, q.args)
	if err != nil {
		return nil, err
	}
	var end []string
	if q.writes && !o.failed() {
		if a.role {
			end = append(end, "RESET ROLE") // which the rollback undoes
		}
		if q.rows {
			end = append(end, a.rows)
		}
		end = append(end, "EXECUTE state")
	}
	results, err := a.conn.Exec(ctx, strings.Join(append(end, "ROLLBACK"), "; ")).ReadAll()
	if err != nil {
		return nil, err
	}
	if q.writes && !o.failed() {
		results = results[:len(results)-1]
		o.visible, o.hidden = map[string]sum{}, map[string]sum{}
		for _, row := range results[len(results)-1].Rows {
			o.visible[string(row[0])] = sum{string(row[1]), string(row[2])}
			o.hidden[string(row[0])] = sum{string(row[3]), string(row[4])}
			o.taken = o.taken || string(row[5]) != "0"
			o.left = o.left || string(row[6]) != "0"
		}
		if q.rows {
			o.tables = map[string][]string{}
			for _, row := range results[len(results)-2].Rows {
				o.tables[string(row[0])] = strings.Fields(string(row[1]))
			}
		}
	}
	return o, nil
}

// on runs a rewritten statement, and removes its check as the driver does.
func (q question) on(ctx context.Context, a *arm, r *rewrite.Rewrite) (*outcome, error) {
	o, err := a.run(ctx, q)
	if err == nil && r.Check && !o.failed() {
		o.fields = o.fields[:len(o.fields)-1]
		for i, row := range o.rows {
			o.rows[i] = strings.TrimSuffix(strings.TrimSuffix(row, "NULL"), " | ")
		}
		if !r.Returning {
			o.rows = nil
		}
	}
	return o, err
}

// untouched returns what the tables hold.
func (a *arm) untouched(ctx context.Context) (*outcome, error) {
	return a.run(ctx, question{sql: "SELECT", writes: true, rows: true})
}

// sameRows reports whether two outcomes hold the same rows: as lists where the
// statement decides their order, else as multisets.
func sameRows(a, b []string, ordered bool) bool {
	if len(a) != len(b) {
		return false
	}
	if ordered {
		for i := range a {
			if a[i] != b[i] {
				return false
			}
		}
		return true
	}
	counts := make(map[[32]byte]int, len(a))
	for _, row := range a {
		counts[sha256.Sum256([]byte(row))]++
	}
	for _, row := range b {
		key := sha256.Sum256([]byte(row))
		if counts[key] == 0 {
			return false
		}
		counts[key]--
	}
	return true
}

// differs says in what b differs from a, or returns nothing.
func (a *outcome) differs(b *outcome, ordered bool) string {
	switch {
	case a.code != b.code:
		return fmt.Sprintf("SQLSTATE %q and %q", a.code+" "+a.message, b.code+" "+b.message)
	case a.failed():
		return ""
	case len(a.fields) != len(b.fields):
		return fmt.Sprintf("%d columns and %d", len(a.fields), len(b.fields))
	case a.tag != b.tag:
		return fmt.Sprintf("command tag %q and %q", a.tag, b.tag)
	case !sameRows(a.rows, b.rows, ordered):
		return fmt.Sprintf("rows %s and %s", some(a.rows), some(b.rows))
	case !maps.Equal(a.visible, b.visible):
		for table, s := range a.visible {
			if b.visible[table] != s {
				return fmt.Sprintf("table %s afterwards: %s rows and %s", table, s.count, b.visible[table].count)
			}
		}
	}
	for i, f := range a.fields {
		if f != b.fields[i] {
			return fmt.Sprintf("column %d: %v and %v", i+1, f, b.fields[i])
		}
	}
	return ""
}

func some(rows []string) string {
	if len(rows) > 8 {
		return fmt.Sprintf("%q… (%d)", rows[:8], len(rows))
	}
	return fmt.Sprintf("%q", rows)
}
