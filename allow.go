package scoped

import (
	"context"
	"database/sql/driver"
	"fmt"
	"log/slog"

	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// WithAllowScope has allow asked whether a scope may be used, so that a user of
// several tenants can switch among theirs and to no other:
//
//	scoped.WithAllowScope(func(ctx context.Context, dimension string, value any) error {
//		if !userOf(ctx).belongsTo(dimension, value) {
//			return errors.New("not a member")
//		}
//		return nil
//	})
//
// It is asked with the context of the first statement, or BeginTx, under a scope,
// once for each dimension and value: an int64, a string, or All. A scope that it
// allows is not asked about again on the same connector or pool. An error refuses
// the statement with an Error of CodeScope that wraps it, and the next statement
// asks again. Disable is no scope on a dimension and is not asked about.
//
// It is asked while the statement has its connection, and so had better not read
// the database: read what the user belongs to before, and put it into the context.
// If it does read, it needs scopes disabled and another pool, lest statements and
// what is read for them wait for each other's connections.
//
// Both answers are logged, with the scope and the statement's context, so that a
// handler can add who it was: refusals at level Warn, with the error as the reason,
// and scopes that are allowed at level Info, a line for each request where each
// makes a scope.
func WithAllowScope(allow func(ctx context.Context, dimension string, value any) error) Option {
	return func(e *engine) { e.allow = allow }
}

type allowScope func(ctx context.Context, dimension string, value any) error

// allows asks whether a scope may be used. It returns the refusal, or nil.
func (e *engine) allows(ctx context.Context, s *scope, b *binding) error {
	if e.allow == nil || s.seenBy(e) {
		return nil
	}
	for _, d := range b.rules.policy.Dimensions() {
		for _, value := range b.valuesOf(d) {
			err := e.allow(ctx, d.Name, value)
			if err == nil {
				continue
			}
			e.log(ctx, s, slog.LevelWarn, "a scope is not allowed",
				slog.String("dimension", d.Name), slog.Any("value", loggable(value)), slog.String("reason", err.Error()))
			return &Error{
				Code:      CodeScope,
				Dimension: d.Name,
				Message:   fmt.Sprintf("scope on dimension %q: %v is not allowed: %v", d.Name, loggable(value), err),
				Hint:      "use a scope that the program's WithAllowScope accepts",
				Err:       err,
			}
		}
	}
	if s.see(e) {
		e.log(ctx, s, slog.LevelInfo, "a scope is allowed")
	}
	return nil
}

// valuesOf returns the values of a dimension, each for itself.
func (b *binding) valuesOf(d *policy.Dimension) []driver.Value {
	switch b.shape.Presence(d) {
	case rewrite.Absent:
		return nil
	case rewrite.All:
		return []driver.Value{All}
	}
	return each(b.values[d.Index])
}
