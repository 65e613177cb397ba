package scoped

import (
	"context"
	"errors"
	"io"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped/rewrite"
)

// copyTo runs a COPY … TO STDOUT by pgx.
func (s *session) copyTo(ctx context.Context, w io.Writer, sql string) (pgconn.CommandTag, error) {
	b, err := s.enter(ctx, sql)
	switch {
	case err != nil:
		return pgconn.CommandTag{}, err
	case b == nil:
		s.sendAsIs(sql, false)
		return s.pgx.PgConn().CopyTo(ctx, w, sql)
	}
	c, err := s.planCopyTo(b, sql)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	tag, err := s.pgx.PgConn().CopyTo(ctx, w, c.sql)
	return tag, c.mapError(err)
}

// planCopyTo rewrites the query of a COPY on its own. The values are literals,
// because COPY has no parameters.
func (s *session) planCopyTo(b *binding, sql string) (call, error) {
	copying, err := rewrite.ParseCopy(sql, func(schema, table string) []string { return s.copied(b, schema, table) })
	if err != nil {
		return call{}, err
	}
	e := b.rules.cache.get(copying.Query, b)
	if e.rewrite == nil {
		err := e.error()
		if refusal := (*Error)(nil); errors.As(err, &refusal) {
			refusal.Position = copying.Position(refusal.Position)
		}
		return call{}, err
	}
	literal, err := withLiterals(e.rewrite, b)
	if err != nil {
		return call{}, err
	}
	text, err := copying.With(literal.SQL)
	if err != nil {
		return call{}, err
	}
	return call{
		sql: text, entry: e, rewrite: literal, binding: b, before: copying.Before(),
		interpolated: copying.Table, // the user has no such query
	}, nil
}

// copied returns the columns that COPY … TO copies where it names none.
func (s *session) copied(b *binding, schema, name string) []string {
	listed := b.rules.policy.Table(schema, name)
	if s.catalog == nil || listed == nil {
		return nil
	}
	t := s.catalog.Table(listed.Schema, listed.Name)
	if t == nil {
		return nil
	}
	var columns []string
	for _, c := range t.Columns {
		if c.Generated == "" {
			columns = append(columns, c.Name)
		}
	}
	return columns
}
