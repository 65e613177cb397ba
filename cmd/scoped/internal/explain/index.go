package explain

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/scope"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// An Indexed is a column by which a guard finds rows.
type Indexed struct {
	Table   string   `json:"table"`
	Column  string   `json:"column"`
	Indexes []string `json:"indexes"` // that begin with it; those of a part of the rows are left out
}

// indexes asks for the indexes of the columns by which guards find rows.
func (r *Report) indexes(ctx context.Context, tx pgx.Tx) error {
	for i := range r.Tables {
		t := &r.Tables[i]
		t.Indexes = []Indexed{}
		if t.policy == nil || t.Guard == "" {
			continue
		}
		l := lookups{scope: r.scope, insert: t.Access == "insert"}
		l.table(t.policy)
		for _, c := range l.columns {
			names, err := indexesOf(ctx, tx, c)
			if err != nil {
				return err
			}
			t.Indexes = append(t.Indexes, Indexed{c.schema + "." + c.table, c.name, names})
		}
	}
	return nil
}

type column struct{ schema, table, name string }

func indexesOf(ctx context.Context, tx pgx.Tx, c column) ([]string, error) {
	rows, err := tx.Query(ctx, `
		SELECT i.relname::text
		FROM pg_catalog.pg_index AS x
			JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
			JOIN pg_catalog.pg_class AS t ON t.oid = x.indrelid
			JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
			JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = x.indkey[0]
		WHERE n.nspname = $1 AND t.relname = $2 AND a.attname = $3 AND x.indisvalid AND x.indpred IS NULL
		ORDER BY x.indnkeyatts, i.relname`, c.schema, c.table, c.name)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// lookups are the columns by which a guard finds rows: its own, those of paths,
// and the keys that paths lead to. A row that is inserted is not looked for, only
// those that its paths lead to.
type lookups struct {
	scope   *scope.Scope
	insert  bool
	columns []column
}

func (l *lookups) add(t *policy.Table, name string) {
	if c := (column{l.scope.Schema(t), t.Name, name}); !slices.Contains(l.columns, c) {
		l.columns = append(l.columns, c)
	}
}

func (l *lookups) table(t *policy.Table) {
	for i := range t.Scopings {
		s := &t.Scopings[i]
		if p := l.scope.Shape.Presence(s.Dimension); p != rewrite.Absent && p != rewrite.All {
			l.scoping(t, s)
		}
	}
}

func (l *lookups) scoping(t *policy.Table, s *policy.Scoping) {
	for _, way := range ways(s) {
		if !l.insert {
			l.add(t, way.Column)
		}
		if way.Path != nil {
			l.add(way.Path.Target, way.Path.Key)
			l.scoping(way.Path.Target, way.Path.Via)
		}
	}
}
