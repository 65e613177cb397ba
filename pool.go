package scoped

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/scoped-pgx/scoped/policy"
)

// A PgxPool is a pgxpool.Pool whose statements are guarded. Its methods are
// those of pgx, but for Acquire and AcquireFunc, whose connections are guarded
// too, and for those that would hand out what is not guarded. It has the methods
// of the DBTX interface that sqlc generates for pgx. All of it may be used by
// any number of goroutines.
//
// A statement runs under the scope of its context, or else of its transaction,
// the context of Begin or BeginTx. The context is also what pgx's tracers see.
//
// Rows and Tx have a Conn method in pgx, which returns nil here unless scopes are
// disabled. Names of statements that a hook of the pool has prepared are not
// known, and are refused like other text that is not SQL.
type PgxPool struct {
	pool   *pgxpool.Pool
	engine *engine
}

// Pool guards a pool of pgx with a policy:
//
//	p, err := policy.Load("policy.yaml")
//	…
//	db := scoped.Pool(pool, p)
//	rows, err := db.Query(scoped.With(ctx, "site", 42), "SELECT id FROM post")
//
// The pool itself stays as it is: what uses it is not restricted. A nil pool or
// policy is an error of every statement.
func Pool(pool *pgxpool.Pool, p *policy.Policy, opts ...Option) *PgxPool {
	return &PgxPool{pool: pool, engine: newEngine(p, opts)}
}

// connKey is where a connection of pgx keeps its connData.
const connKey = "github.com/scoped-pgx/scoped"

// connData is what is worked out once for a connection of a pool.
type connData struct {
	modes  *execModes
	recent *recentEntries
	// ready is the engine that has its catalogue, if it wants one.
	ready *engine
}

// acquire returns a connection, and a session for as long as it is kept.
func (p *PgxPool) acquire(ctx context.Context) (*session, *pgxpool.Conn, error) {
	if p.pool == nil {
		return nil, nil, configError("Pool was given no pool", "", nil)
	}
	if err := p.engine.check(); err != nil {
		return nil, nil, err
	}
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	data, ok := conn.Conn().PgConn().CustomData()[connKey].(*connData)
	if !ok {
		data = &connData{modes: newExecModes(conn.Conn()), recent: new(recentEntries)}
		conn.Conn().PgConn().CustomData()[connKey] = data
	}
	s := &session{engine: p.engine, pgx: conn.Conn(), execModes: data.modes, recent: data.recent}
	if data.ready != p.engine {
		if err := p.engine.readCatalog(ctx, conn); err != nil {
			s.release(conn)
			return nil, nil, err
		}
		data.ready = p.engine
	}
	return s, conn, nil
}

// release gives a connection back, or closes it where its settings cannot be
// trusted any more. There may be none.
func (s *session) release(conn *pgxpool.Conn) {
	if conn == nil {
		return
	}
	if s.checkSession() != nil {
		s.close() // the pool makes another one
	}
	conn.Release()
}

// Query is that of pgxpool.Pool, under the scope of ctx.
func (p *PgxPool) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows := p.query(ctx, sql, args)
	return rows, rows.err
}

// QueryRow is that of pgxpool.Pool, under the scope of ctx.
func (p *PgxPool) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return (*pgxRow)(p.query(ctx, sql, args))
}

func (p *PgxPool) query(ctx context.Context, sql string, args []any) *pgxRows {
	s, conn, err := p.acquire(ctx)
	if err != nil {
		return failed(err)
	}
	return s.query(ctx, sql, args, conn)
}

// Exec is that of pgxpool.Pool, under the scope of ctx.
func (p *PgxPool) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	s, conn, err := p.acquire(ctx)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	defer s.release(conn)
	return s.exec(ctx, sql, args)
}

// SendBatch is that of pgxpool.Pool, under the scope of ctx. Every statement of
// the batch is rewritten, or none is sent. The batch itself is not changed.
//
// In a batch that begins a transaction with pgx.Batch.BeginTx, the transaction
// ends by a plain COMMIT, whatever its CommitQuery.
func (p *PgxPool) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	s, conn, err := p.acquire(ctx)
	if err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	return s.sendBatch(ctx, b, conn)
}

// CopyFrom copies rows as the function CopyFrom does, under the scope of ctx.
func (p *PgxPool) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	s, conn, err := p.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer s.release(conn)
	return s.copyFrom(ctx, table, columns, rows)
}

// Begin starts a transaction, whose statements inherit the scope of ctx.
func (p *PgxPool) Begin(ctx context.Context) (pgx.Tx, error) { return p.BeginTx(ctx, pgx.TxOptions{}) }

// BeginTx starts a transaction, whose statements inherit the scope of ctx.
// BeginQuery and CommitQuery are refused, unless scopes are disabled.
func (p *PgxPool) BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error) {
	s, conn, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	tx, err := s.beginTx(ctx, opts)
	if err != nil {
		s.release(conn)
		return nil, err
	}
	tx.conn = conn
	return tx, nil
}

// Acquire returns a guarded connection, which must be released.
func (p *PgxPool) Acquire(ctx context.Context) (*PgxConn, error) {
	s, conn, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	return &PgxConn{session: s, conn: conn}, nil
}

// AcquireFunc calls f with a guarded connection, and releases it afterwards.
func (p *PgxPool) AcquireFunc(ctx context.Context, f func(*PgxConn) error) error {
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return f(c)
}

// RawConn calls f with a connection of the pool that is not guarded. Scopes must
// be disabled in ctx, with a reason, which is logged.
func (p *PgxPool) RawConn(ctx context.Context, f func(*pgx.Conn) error) error {
	return p.AcquireFunc(ctx, func(c *PgxConn) error { return c.RawConn(ctx, f) })
}

// Ping is that of pgxpool.Pool.
func (p *PgxPool) Ping(ctx context.Context) error {
	s, conn, err := p.acquire(ctx)
	if err != nil {
		return err
	}
	defer s.release(conn)
	return conn.Ping(ctx)
}

// Stat is that of pgxpool.Pool.
func (p *PgxPool) Stat() *pgxpool.Stat { return p.pool.Stat() }

// SetPolicy replaces the policy, as that of a Connector does.
func (p *PgxPool) SetPolicy(to *policy.Policy) error { return p.engine.SetPolicy(to) }

// Close closes the pool that is guarded.
func (p *PgxPool) Close() { p.pool.Close() }
