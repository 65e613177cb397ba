package rewrite

import (
	"fmt"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/rewrite/builtin"
)

// statement rewrites a statement of any kind. Kinds that are not named here are
// refused.
func (r *rewriter) statement(stmt any) {
	switch n := stmt.(type) {
	case *pgparse.ExplainStmt:
		switch query := pgparse.Unwrap(n.Query).(type) {
		case *pgparse.SelectStmt, *pgparse.InsertStmt, *pgparse.UpdateStmt, *pgparse.DeleteStmt, *pgparse.MergeStmt:
			r.query(query, nil, true)
			r.check, r.returning = false, true // the rows are the plan's
		default:
			r.refuseStatement(query)
		}
	case *pgparse.SelectStmt, *pgparse.InsertStmt, *pgparse.UpdateStmt, *pgparse.DeleteStmt, *pgparse.MergeStmt:
		r.query(n, nil, true)
	case *pgparse.DeclareCursorStmt:
		r.declare(n)
	default:
		if why, hint := r.utility(n); why != "" {
			r.refuse(Error{Code: CodeStatement, Message: why, Hint: hint + "run it with scopes disabled: scoped.Disable(ctx, reason)"}, r.firstToken())
		}
		switch n := n.(type) {
		case *pgparse.VariableShowStmt:
			r.returning = true
		case *pgparse.FetchStmt:
			r.returning = !n.Ismove
		}
		r.useCursors(n)
	}
}

// query rewrites a statement that reads or writes rows. Top is set for the
// statement itself, whose rows are the user's, and not for a WITH query.
func (r *rewriter) query(stmt any, visible *ctes, top bool) {
	if top {
		r.refuseCalls(stmt)
	}
	switch n := stmt.(type) {
	case *pgparse.SelectStmt:
		r.returning = r.returning || top
		if top && limitedToNothing(n) {
			r.empty = true
		}
		r.selectStmt(n, visible, top)
	case *pgparse.InsertStmt:
		r.write(func() { r.insert(n, visible, top) })
	case *pgparse.UpdateStmt:
		r.write(func() { r.update(n, visible, top) })
	case *pgparse.DeleteStmt:
		r.write(func() { r.delete(n, visible, top) })
	case *pgparse.MergeStmt:
		if !top {
			r.refuseConstruct(n.GetRelation().GetLocation(), "a MERGE in a WITH query, which PostgreSQL has from version 17 on",
				"make it a statement of its own, in the same transaction")
			return
		}
		r.write(func() { r.merge(n, visible) })
	default:
		r.refuseStatement(n)
	}
}

// write rewrites a statement that changes rows: it needs its scope even inside
// a query that returns nothing.
func (r *rewriter) write(rewrite func()) {
	empty := r.empty
	r.empty = false
	rewrite()
	r.empty = empty
}

func (r *rewriter) refuseStatement(stmt any) {
	r.refuse(Error{
		Code:    CodeStatement,
		Message: kind(stmt) + " is not accepted here",
		Hint:    "run it with scopes disabled: scoped.Disable(ctx, reason)",
	}, r.firstToken())
}

// firstToken is where a statement begins, as far as errors are concerned.
func (r *rewriter) firstToken() int32 {
	if r.first >= len(r.tokens) {
		return -1
	}
	return r.tokens[r.first].Start
}

// command returns the keywords with which a statement begins, such as CREATE INDEX.
func (r *rewriter) command() string {
	var words []string
	for i := r.first; i < len(r.tokens) && i < r.first+2 && r.tokens[i].KeywordKind != pgparse.KeywordKind_NO_KEYWORD; i++ {
		words = append(words, strings.ToUpper(r.text[r.start(i):r.end(i)]))
	}
	return strings.Join(words, " ")
}

// kind names a statement as SQL does: CreateTableAsStmt is CREATE TABLE AS.
func kind(stmt any) string {
	name := fmt.Sprintf("%T", stmt)
	name = strings.TrimSuffix(name[strings.LastIndexByte(name, '.')+1:], "Stmt")
	var b strings.Builder
	for i, c := range name {
		if i > 0 && 'A' <= c && c <= 'Z' {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return strings.ToUpper(b.String())
}

// utility returns why a statement that neither reads nor writes rows is refused,
// and what can be done beside disabling scopes, or nothing where it is passed as
// it is.
func (r *rewriter) utility(stmt any) (why, hint string) {
	switch n := stmt.(type) {
	case *pgparse.TransactionStmt:
		switch n.Kind {
		case pgparse.TransactionStmtKind_TRANS_STMT_PREPARE,
			pgparse.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED,
			pgparse.TransactionStmtKind_TRANS_STMT_ROLLBACK_PREPARED:
			return "a prepared transaction is not bound to the connection that began it", ""
		}
		return "", ""
	case *pgparse.DeallocateStmt, *pgparse.DiscardStmt, *pgparse.ConstraintsSetStmt,
		*pgparse.FetchStmt, *pgparse.ClosePortalStmt:
		return "", ""
	case *pgparse.VariableSetStmt:
		return setting(n), ""
	case *pgparse.VariableShowStmt:
		if !builtin.Shown(n.Name) {
			return fmt.Sprintf("the setting %q is not on the list of those that may be shown", n.Name), ""
		}
		return "", ""
	case *pgparse.ListenStmt:
		return channel("LISTEN", r.policy.ListenAllowed(), "listen")
	case *pgparse.UnlistenStmt:
		return channel("UNLISTEN", r.policy.ListenAllowed(), "listen")
	case *pgparse.NotifyStmt:
		return channel("NOTIFY", r.policy.NotifyAllowed(), "notify")
	case *pgparse.CopyStmt:
		return "COPY is not accepted as a statement while scopes are enabled", "use scoped.CopyFrom or scoped.CopyTo, or "
	}
	return r.command() + " is not accepted while scopes are enabled", ""
}

// channel answers for a statement on a channel, which every scope shares.
func channel(command string, allowed bool, key string) (why, hint string) {
	if allowed {
		return "", ""
	}
	return command + " is not accepted: its channel belongs to every scope",
		"list it in the policy, allow: [" + key + "], or "
}

func setting(n *pgparse.VariableSetStmt) string {
	switch n.Kind {
	case pgparse.VariableSetKind_VAR_SET_MULTI:
		if n.Name == "TRANSACTION" || n.Name == "SESSION CHARACTERISTICS" {
			return ""
		}
	case pgparse.VariableSetKind_VAR_SET_VALUE, pgparse.VariableSetKind_VAR_SET_DEFAULT, pgparse.VariableSetKind_VAR_RESET:
		if builtin.Setting(n.Name) {
			return ""
		}
	}
	if n.Name == "" {
		return "RESET ALL is not accepted while scopes are enabled"
	}
	return fmt.Sprintf("the setting %q is not on the list of those that may be changed while scopes are enabled", n.Name)
}
