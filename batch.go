package scoped

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

var _ pgx.BatchResults = (*batchResults)(nil)

// begins reports whether a batch begins a transaction with BeginTx.
func begins(b *pgx.Batch) bool { return pgx.FailedBatchResults(b, errors.New("not sent")).Tx() != nil }

// sendBatch sends a batch by pgx. The connection, if there is one, is released
// with the results, or with the transaction that the batch begins.
func (s *session) sendBatch(ctx context.Context, b *pgx.Batch, conn *pgxpool.Conn) pgx.BatchResults {
	r := &batchResults{session: s, calls: make([]call, b.Len())}
	sent, err := r.plan(ctx, b)
	if err != nil {
		s.release(conn)
		return pgx.FailedBatchResults(b, err)
	}
	r.base = s.pgx.SendBatch(ctx, sent)
	for i := range r.calls {
		s.usedCursors(&r.calls[i], false)
	}
	if tx := r.base.Tx(); tx != nil {
		r.tx = s.begun(tx, fromContext(ctx))
		r.tx.conn = conn
	} else {
		r.conn = conn
	}
	return r
}

// plan returns the batch that is sent in the place of the user's. Where scopes
// are disabled that is the user's own.
func (r *batchResults) plan(ctx context.Context, b *pgx.Batch) (*pgx.Batch, error) {
	s, first := r.session, ""
	if b.Len() > 0 {
		first = b.QueuedQueries[0].SQL
	}
	bound, err := s.enter(ctx, first)
	if err != nil {
		return nil, err
	}
	if bound == nil {
		for _, q := range b.QueuedQueries {
			s.sendAsIs(q.SQL, len(q.Arguments) > 0 && isOption(q.Arguments[0]))
		}
		return b, nil
	}

	// A statement may use the cursors that those before it declare.
	cursors := s.cursors
	s.cursors = maps.Clone(cursors)
	defer func() { s.cursors = cursors }()
	sent := new(pgx.Batch)
	for i, q := range b.QueuedQueries {
		c, args, err := s.callUnder(ctx, bound, s.text(q.SQL), q.Arguments, forBatch)
		if err != nil {
			return nil, fmt.Errorf("statement %d of the batch: %w", i+1, err)
		}
		for _, use := range c.rewrite.Cursors {
			s.cursors = withUse(s.cursors, use, bound)
		}
		if s.simple {
			c.interpolated = true // the server counts in the text of them all
		}
		r.calls[i] = c
		if i == 0 && begins(b) {
			sent.BeginTx(pgx.TxOptions{BeginQuery: c.sql})
		} else {
			sent.Queue(c.sql, args...)
		}
		sent.QueuedQueries[i].Fn = r.callback(q)
	}
	return sent, nil
}

// callback returns what pgx calls when the response to a query of the user's is
// received. It shows him our results in the place of pgx's.
func (r *batchResults) callback(q *pgx.QueuedQuery) func(pgx.BatchResults) error {
	return func(pgx.BatchResults) error {
		if q.Fn == nil {
			_, err := r.Exec()
			return err
		}
		err := q.Fn(r)
		if err != nil {
			r.err = err
		}
		return err
	}
}

// batchResults are pgx's results of a batch as the user shall see them.
type batchResults struct {
	base    pgx.BatchResults
	session *session
	calls   []call
	next    int      // the call whose result is next
	rows    *pgxRows // of the last query
	tx      *pgxTx   // nil where the batch begins none
	conn    *pgxpool.Conn
	err     error // the first error, as the user has seen it
	closed  bool
}

// take returns the call whose result is read now, or the last one.
func (r *batchResults) take() call {
	if r.rows != nil && r.err == nil {
		r.err = r.rows.Err()
	}
	switch {
	case len(r.calls) == 0:
		return call{}
	case r.next < len(r.calls):
		r.next++
	}
	return r.calls[r.next-1]
}

// fail returns an error that pgx reports with the result of a call. The first
// error comes again and again, and that of a statement which cannot be prepared
// comes with the first result.
func (r *batchResults) fail(c call, err error) error {
	if err == nil || r.err != nil {
		return r.err
	}
	var unprepared pgx.ErrPreprocessingBatch
	if errors.As(err, &unprepared) {
		for _, other := range r.calls {
			if other.sql == unprepared.SQL() {
				c = other
				break
			}
		}
	}
	r.err = c.mapError(err)
	return r.err
}

func (r *batchResults) Exec() (pgconn.CommandTag, error) {
	c := r.take()
	tag, err := r.base.Exec()
	if err != nil {
		return tag, r.fail(c, err)
	}
	return tag, nil
}

func (r *batchResults) Query() (pgx.Rows, error) {
	rows := r.query()
	return rows, rows.err
}

func (r *batchResults) QueryRow() pgx.Row { return (*pgxRow)(r.query()) }

func (r *batchResults) query() *pgxRows {
	c := r.take()
	base, err := r.base.Query()
	if err != nil {
		return failed(r.fail(c, err))
	}
	r.rows = &pgxRows{base: base, call: c, session: r.session}
	return r.rows
}

func (r *batchResults) Close() error {
	if r.closed {
		return r.err
	}
	err := r.base.Close()
	r.closed = true
	last := r.take()
	if err == nil {
		r.err = nil
		for i := range r.calls {
			r.session.usedCursors(&r.calls[i], true)
		}
	} else {
		r.fail(last, err)
	}
	if r.tx != nil && r.session.pgx.PgConn().TxStatus() == 'I' {
		r.session.tx, r.session.cursors = nil, nil // it did not begin
	}
	r.session.release(r.conn)
	return r.err
}

func (r *batchResults) Tx() pgx.Tx {
	if r.tx == nil {
		return nil
	}
	return r.tx
}
