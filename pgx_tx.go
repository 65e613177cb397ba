package scoped

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

var _ pgx.Tx = (*pgxTx)(nil)

// beginTx starts a transaction by pgx.
func (s *session) beginTx(ctx context.Context, opts pgx.TxOptions) (*pgxTx, error) {
	active := fromContext(ctx)
	b, err := s.bind(ctx, active) // better here than at each of its statements
	if err != nil {
		return nil, err
	}
	if b != nil {
		if err := checkTxOptions(opts); err != nil {
			return nil, err
		}
	}
	base, err := s.pgx.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return s.begun(base, active), nil
}

// begun returns the transaction that the session is in from now on.
func (s *session) begun(base pgx.Tx, active *scope) *pgxTx {
	s.tx, s.cursors = active, nil
	return &pgxTx{base: base, session: s, scope: active}
}

// checkTxOptions refuses options of which pgx would make SQL that nobody has
// looked at.
func checkTxOptions(opts pgx.TxOptions) error {
	fault := &Error{Code: CodeStatement}
	switch {
	case opts.BeginQuery != "" || opts.CommitQuery != "":
		fault.Message = "BeginQuery and CommitQuery are not accepted while scopes are enabled"
		fault.Hint = "use IsoLevel, AccessMode and DeferrableMode, or disable scopes: scoped.Disable(ctx, reason)"
		return fault
	}
	switch opts.IsoLevel {
	case "", pgx.Serializable, pgx.RepeatableRead, pgx.ReadCommitted, pgx.ReadUncommitted:
	default:
		fault.Message = "the isolation level is none of pgx's"
	}
	switch opts.AccessMode {
	case "", pgx.ReadWrite, pgx.ReadOnly:
	default:
		fault.Message = "the access mode is none of pgx's"
	}
	switch opts.DeferrableMode {
	case "", pgx.Deferrable, pgx.NotDeferrable:
	default:
		fault.Message = "the deferrable mode is none of pgx's"
	}
	if fault.Message == "" {
		return nil
	}
	fault.Hint = "use the constants of package pgx"
	return fault
}

// A pgxTx guards a transaction of pgx, or a savepoint, which pgx calls a pseudo
// nested one.
type pgxTx struct {
	base    pgx.Tx
	session *session
	scope   *scope        // that of the context in which it began, nil for none
	outer   *pgxTx        // nil unless it is a savepoint
	conn    *pgxpool.Conn // released at its end; nil for none
	closed  bool
}

// isClosed reports whether it has ended, and the connection may be in use by
// somebody else.
func (t *pgxTx) isClosed() bool { return t.closed || t.outer != nil && t.outer.isClosed() }

// inherit returns ctx with the transaction's scope, unless it has one.
func (t *pgxTx) inherit(ctx context.Context) context.Context {
	if t.scope == nil || fromContext(ctx) != nil {
		return ctx
	}
	return context.WithValue(ctx, scopeKey{}, t.scope)
}

// Begin sets a savepoint. Its statements inherit the scope of ctx, or else that
// of the transaction.
func (t *pgxTx) Begin(ctx context.Context) (pgx.Tx, error) {
	if t.isClosed() {
		return nil, pgx.ErrTxClosed
	}
	active := t.scope
	if own := fromContext(ctx); own != nil {
		active = own
	}
	if _, err := t.session.bind(ctx, active); err != nil {
		return nil, err
	}
	base, err := t.base.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &pgxTx{base: base, session: t.session, scope: active, outer: t}, nil
}

func (t *pgxTx) Commit(ctx context.Context) error {
	defer t.end()
	return t.session.committed(t.scope, t.base.Commit(ctx))
}

func (t *pgxTx) Rollback(ctx context.Context) error {
	defer t.end()
	return t.base.Rollback(ctx)
}

func (t *pgxTx) end() {
	if t.closed {
		return
	}
	t.closed = true
	if t.outer == nil {
		t.session.tx, t.session.cursors = nil, nil
	}
	t.session.release(t.conn)
}

func (t *pgxTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows := t.query(ctx, sql, args)
	return rows, rows.err
}

func (t *pgxTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return (*pgxRow)(t.query(ctx, sql, args))
}

func (t *pgxTx) query(ctx context.Context, sql string, args []any) *pgxRows {
	if t.isClosed() {
		return failed(pgx.ErrTxClosed)
	}
	return t.session.query(t.inherit(ctx), sql, args, nil)
}

func (t *pgxTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if t.isClosed() {
		return pgconn.CommandTag{}, pgx.ErrTxClosed
	}
	return t.session.exec(t.inherit(ctx), sql, args)
}

func (t *pgxTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	switch {
	case t.isClosed():
		return pgx.FailedBatchResults(b, pgx.ErrTxClosed)
	case begins(b):
		return pgx.FailedBatchResults(b, errors.New("scoped: a batch cannot begin a transaction inside one"))
	}
	return t.session.sendBatch(t.inherit(ctx), b, nil)
}

func (t *pgxTx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	if t.isClosed() {
		return 0, pgx.ErrTxClosed
	}
	return t.session.copyFrom(t.inherit(ctx), table, columns, rows)
}

// Conn returns the connection where the transaction began with scopes disabled,
// and nil otherwise.
func (t *pgxTx) Conn() *pgx.Conn {
	if !t.isDisabled("pgx.Tx.Conn") {
		return nil
	}
	return t.base.Conn()
}

// LargeObjects are not guarded, so they are closed to every transaction that did
// not begin with scopes disabled.
func (t *pgxTx) LargeObjects() pgx.LargeObjects {
	if t.isDisabled("pgx.Tx.LargeObjects") {
		return t.base.LargeObjects()
	}
	closed := new(pgx.Batch)
	closed.BeginTx(pgx.TxOptions{})
	return pgx.FailedBatchResults(closed, pgx.ErrTxClosed).Tx().LargeObjects()
}

// isDisabled reports whether the transaction began with scopes disabled, and logs
// the reason for which something is handed out that is not guarded.
func (t *pgxTx) isDisabled(what string) bool {
	if t.scope == nil || t.scope.fault != nil || !t.scope.disabled {
		return false
	}
	t.session.logDisabled(context.Background(), t.scope, what)
	t.session.cursors = nil
	return true
}

// Prepare prepares a statement for the scope of ctx or of the transaction. The
// name serves as a text in this transaction and others of the same connection,
// under whatever scope, and is the statement's only with scopes enabled if they
// are now.
func (t *pgxTx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	if t.isClosed() {
		return nil, pgx.ErrTxClosed
	}
	return t.session.prepare(t.inherit(ctx), name, sql)
}

// prepare prepares a statement by pgx, under its own text as a name, as
// database/sql does: there is one for each shape of scope that it runs under.
func (s *session) prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	b, err := s.enter(ctx, sql)
	if err != nil {
		return nil, err
	}
	delete(s.names, name)
	if b == nil {
		return s.pgx.Prepare(ctx, name, sql)
	}
	e, comment := s.entry(b, sql)
	switch {
	case e.rewrite == nil:
		return nil, e.error()
	case e.rewrite.Literal:
		return nil, severalPrepared()
	}
	rw := e.rewrite
	text := rw.SQL + comment
	sent, err := s.pgx.Prepare(ctx, text, text)
	if err != nil {
		return nil, (&call{entry: e, rewrite: rw, binding: b}).mapError(err)
	}
	if s.names == nil {
		s.names = make(map[string]string)
	}
	s.names[name] = sql
	fields := len(sent.Fields)
	if rw.Check {
		fields--
	}
	return &pgconn.StatementDescription{
		Name: name, SQL: sql, ParamOIDs: sent.ParamOIDs[:rw.Params], Fields: sent.Fields[:fields],
	}, nil
}

// text returns the text of a statement of which the user may pass the name.
func (s *session) text(sql string) string {
	if text, ok := s.names[sql]; ok {
		return text
	}
	return sql
}
