package scoped

import (
	"fmt"
	"maps"
	"slices"

	"github.com/scoped-pgx/scoped/rewrite"
)

// The rows of a cursor are those of the scope of its DECLARE, whoever fetches
// them. So a connection remembers the scope of every cursor that it declared in
// the transaction, and refuses to use one under another scope, or one that it
// does not know. To forget a cursor costs a refusal at worst; to know one under a
// wrong scope would cost a leak. A cursor is therefore known only once the server
// has accepted its DECLARE.

// useCursors refuses a statement that would use a cursor of another scope.
func (s *session) useCursors(sql string, uses []rewrite.CursorUse, b *binding) error {
	known := s.cursors
	for i, use := range uses {
		switch use.Op {
		case rewrite.FetchCursor, rewrite.CurrentOfCursor, rewrite.CloseCursor:
			declared, ok := known[use.Name]
			if ok && sameScope(declared, b) {
				break
			}
			refusal := &Error{
				Code:     CodeScope,
				Message:  fmt.Sprintf("the cursor %q was declared under another scope or policy", use.Name),
				Hint:     "use it under the scope and policy of its DECLARE, or declare one of your own",
				Position: rewrite.PositionAt(sql, use.Offset),
			}
			if !ok {
				refusal.Code = CodeStatement
				refusal.Message = fmt.Sprintf("the cursor %q was not declared in this transaction with scopes enabled", use.Name)
				refusal.Hint = "declare it before, in the same transaction and under the same scope"
			}
			return refusal
		}
		if i+1 < len(uses) { // for those that follow
			if i == 0 {
				known = maps.Clone(known)
			}
			known = withUse(known, use, b)
		}
	}
	return nil
}

// withUse returns the cursors that are known after a use that succeeded.
func withUse(known map[string]*binding, use rewrite.CursorUse, b *binding) map[string]*binding {
	switch use.Op {
	case rewrite.DeclareCursor:
		if known == nil {
			known = make(map[string]*binding)
		}
		known[use.Name] = b
	case rewrite.CloseCursor:
		delete(known, use.Name)
	case rewrite.CloseAllCursors:
		return nil
	}
	return known
}

// usedCursors remembers what became of the cursors of a statement. Of one that
// failed, or of which that is not known yet, it cannot be told which of its parts
// were carried out.
func (s *session) usedCursors(call *call, succeeded bool) {
	if call.entry == nil || len(call.entry.rewrite.Cursors) == 0 {
		return
	}
	for _, use := range call.entry.rewrite.Cursors {
		if use.Op == rewrite.DeclareCursor && !succeeded {
			if declared, ok := s.cursors[use.Name]; ok && !sameScope(declared, call.binding) {
				delete(s.cursors, use.Name)
			}
			continue
		}
		s.cursors = withUse(s.cursors, use, call.binding)
	}
	const idle = 'I' // outside a transaction
	if succeeded && s.pgx != nil && s.pgx.PgConn().TxStatus() == idle {
		s.cursors = nil
	}
}

// sendAsIs forgets the cursors where a text that is sent with scopes disabled may
// declare one anew. What a query rewriter makes of the text is not known.
func (s *session) sendAsIs(sql string, mayBeRewritten bool) {
	if len(s.cursors) > 0 && (mayBeRewritten || !rewrite.KeepsCursors(sql)) {
		s.cursors = nil
	}
}

// declares reports whether a statement that returns no rows declares a cursor.
func (c *call) declares() bool {
	return c.entry != nil && slices.ContainsFunc(c.entry.rewrite.Cursors, func(use rewrite.CursorUse) bool {
		return use.Op == rewrite.DeclareCursor
	})
}

// sameScope reports whether two bindings mean the same, under one policy.
func sameScope(a, b *binding) bool {
	if a == b {
		return true
	}
	if a.rules != b.rules || a.shape != b.shape || len(a.values) != len(b.values) {
		return false
	}
	for i := range a.values {
		switch v := a.values[i].(type) {
		case []int64:
			w, ok := b.values[i].([]int64)
			if !ok || !slices.Equal(slices.Sorted(slices.Values(v)), slices.Sorted(slices.Values(w))) {
				return false
			}
		case []string:
			w, ok := b.values[i].([]string)
			if !ok || !slices.Equal(slices.Sorted(slices.Values(v)), slices.Sorted(slices.Values(w))) {
				return false
			}
		default:
			if a.values[i] != b.values[i] {
				return false
			}
		}
	}
	return true
}
