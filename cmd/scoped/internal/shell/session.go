package shell

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
)

// patience is how long a statement that was cancelled, or a connection that is
// made, may take.
const patience = 10 * time.Second

// A session is the one connection on which statements run. It is the driver's
// own, so that all of them are rewritten or refused.
type session struct {
	db   *sql.DB
	conn *sql.Conn // nil until connected, and after a loss
	// server is the state of the connection. Nothing is sent on it.
	server *pgconn.PgConn
	sent   []sentStatement // for the last statement
}

// A sentStatement is what the server got.
type sentStatement struct {
	sql  string
	args []any
}

// newSession returns a session that connects when it is used first. Notices, and
// notifications as such, are passed to notice.
func newSession(config *pgx.ConnConfig, p *policy.Policy, notice func(*pgconn.Notice), options ...scoped.Option) *session {
	s := &session{}
	config = config.Copy()
	// Results come as text, as the server writes it, and nothing is prepared.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.Tracer = (*recorder)(s)
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notice(n) }
	config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) {
		notice(&pgconn.Notice{
			Severity: "NOTIFICATION",
			Message:  fmt.Sprintf("channel %q, payload %q, from process %d", n.Channel, n.Payload, n.PID),
		})
	}
	// Without this a statement that is cancelled costs the connection.
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: patience}
	}
	base := stdlib.GetConnector(*config, stdlib.OptionAfterConnect(func(_ context.Context, c *pgx.Conn) error {
		s.server = c.PgConn()
		return nil
	}))
	s.db = sql.OpenDB(scoped.NewConnector(base, p, options...))
	s.db.SetMaxIdleConns(-1) // what is closed is closed
	return s
}

// connect connects where there is no connection.
func (s *session) connect(ctx context.Context) (err error) {
	if s.conn == nil {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		s.conn, err = s.db.Conn(ctx)
	}
	return err
}

// query sends one statement and passes its result on. The arguments are its own.
func (s *session) query(ctx context.Context, read func(pgx.Rows) error, sql string, args ...any) error {
	s.sent = nil
	if err := s.connect(ctx); err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		defer rows.Close()
		return read(rows)
	})
	return scoped.SendBatch(ctx, s.conn, batch)
}

// copyFrom is scoped.CopyFrom.
func (s *session) copyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	s.sent = nil
	if err := s.connect(ctx); err != nil {
		return 0, err
	}
	return scoped.CopyFrom(ctx, s.conn, table, columns, rows)
}

// The states of a transaction, as the server reports them.
const (
	idle   = 'I'
	open   = 'T'
	failed = 'E'
)

// state returns the state of the transaction.
func (s *session) state() byte {
	if s.conn == nil || s.server.IsClosed() {
		return idle
	}
	return s.server.TxStatus()
}

// lost reports whether the connection is lost, and forgets it then.
func (s *session) lost() bool {
	if s.conn == nil || !s.server.IsClosed() {
		return false
	}
	s.drop()
	return true
}

// drop closes the connection. The next statement makes another one.
func (s *session) drop() {
	if s.conn != nil {
		_ = s.conn.Close() // whatever that says, it is not used again
		s.conn = nil
	}
}

func (s *session) close() {
	s.drop()
	_ = s.db.Close()
}

// A recorder remembers what is sent on a session.
type recorder session

func (r *recorder) record(sql string, args []any) {
	r.sent = append(r.sent, sentStatement{sql, slices.Clone(args)})
}

// TraceQueryStart records a statement that was sent alone.
func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.record(data.SQL, data.Args)
	return ctx
}

// TraceQueryEnd does nothing.
func (r *recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart records the statements of a batch.
func (r *recorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	for _, q := range data.Batch.QueuedQueries {
		r.record(q.SQL, q.Arguments)
	}
	return ctx
}

// TraceBatchQuery does nothing.
func (r *recorder) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd does nothing.
func (r *recorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// TraceCopyFromStart records rows that are copied into a table.
func (r *recorder) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	r.record("COPY "+data.TableName.Sanitize()+" ("+quoteColumns(data.ColumnNames)+") FROM STDIN", nil)
	return ctx
}

// TraceCopyFromEnd does nothing.
func (r *recorder) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {}

var (
	_ pgx.QueryTracer    = (*recorder)(nil)
	_ pgx.BatchTracer    = (*recorder)(nil)
	_ pgx.CopyFromTracer = (*recorder)(nil)
)

// readCatalog reads the catalogue on a connection of its own, which may do no more.
func readCatalog(ctx context.Context, config *pgx.ConnConfig, p *policy.Policy, logger *slog.Logger) (*catalog.Catalog, error) {
	db := sql.OpenDB(scoped.NewConnector(stdlib.GetConnector(*config), p, scoped.WithLogger(logger)))
	defer db.Close()
	ctx, cancel := context.WithTimeout(ctx, 3*patience)
	defer cancel()
	ctx = scoped.Disable(ctx, `scoped shell reads the catalogue, for completion, \d and look-ups`)
	if err := db.PingContext(ctx); err != nil {
		return nil, err // without what Read says of servers that do answer
	}
	return catalog.ReadFor(ctx, catalog.SQL(db), p)
}
