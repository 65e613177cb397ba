package scoped

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// A session is what is known of one connection to the server, whoever runs
// statements on it. It is used by one goroutine at a time, as the connection is.
type session struct {
	*engine
	pgx *pgx.Conn // nil where the connection is not pgx's
	*execModes
	recent *recentEntries // nil for none
	// literals is set where the connection takes arrays only as text.
	literals bool
	// suspect is set where the settings may be wrong: they were, or a statement ran
	// with scopes disabled.
	suspect bool
	// tx is the scope of the context of the transaction that is open.
	tx *scope
	// cursors are the scopes of the cursors of that transaction, by name.
	cursors map[string]*binding
	// names are the texts of what was prepared by pgx, by its name.
	names map[string]string
}

// execModes is what is known of pgx's exec modes on a connection.
type execModes struct {
	// simple is set where the connection's own is the simple protocol, and
	// describes where it is describe_exec.
	simple, describes bool
	// direct is set where describe_exec was found to be safe.
	direct bool
}

func newExecModes(conn *pgx.Conn) *execModes {
	own := conn.Config().DefaultQueryExecMode
	return &execModes{simple: own == pgx.QueryExecModeSimpleProtocol, describes: own == pgx.QueryExecModeDescribeExec}
}

// scope returns the scope under which a statement runs, nil for none.
func (s *session) scope(ctx context.Context) *scope {
	if active := fromContext(ctx); active != nil {
		return active
	}
	return s.tx
}

// enter returns what the scope of a statement means here, or nil where scopes are
// disabled and the statement is to be sent as it is.
func (s *session) enter(ctx context.Context, sql string) (*binding, error) {
	active := s.scope(ctx)
	b, err := s.bind(ctx, active)
	if b == nil && err == nil {
		s.suspect = true
		s.logDisabled(ctx, active, sql)
	}
	return b, err
}

// bind returns what a scope means here, or nil where it is disabled.
func (s *session) bind(ctx context.Context, active *scope) (*binding, error) {
	r := s.rules.Load()
	b := r.unscoped
	switch {
	case active == nil:
	case active.fault != nil:
		fault := *active.fault
		return nil, &fault
	case active.disabled:
		return nil, nil
	default:
		if b = active.bind(r); b.fault != nil {
			fault := *b.fault
			return nil, &fault
		}
		if err := s.allows(ctx, active, b); err != nil {
			return nil, err
		}
	}
	if fault := s.checkSession(); fault != nil {
		s.suspect = true
		return nil, fault
	}
	return b, nil
}

// committed returns what COMMIT answered in a transaction of that scope. A
// deferred trigger may fail on a value.
func (s *session) committed(of *scope, err error) error {
	if err == nil || of != nil && of.disabled || s.rules.Load().policy.ErrorValuesShown() {
		return err
	}
	return hideValues(err)
}

// checkSession returns the fault of a session under which the server reads a
// text differently from our parser: another end of a string literal, or
// characters of which a byte is a quote. Both settings are reported by the
// server whenever they change, so this asks nothing of it.
func (s *session) checkSession() *Error {
	if s.pgx == nil {
		return nil
	}
	server := s.pgx.PgConn()
	if value := server.ParameterStatus("standard_conforming_strings"); value != "on" {
		return sessionFault("standard_conforming_strings", value, "on")
	}
	if value := server.ParameterStatus("client_encoding"); value != "UTF8" && value != "SQL_ASCII" {
		return sessionFault("client_encoding", value, "UTF8")
	}
	return nil
}

// close closes a connection of pgx that cannot be used any more, whoever keeps it.
func (s *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = s.pgx.Close(ctx)
}

// checkDirect refuses the exec mode describe_exec behind a pooler. That mode sends
// a statement without a name, and executes it in another round trip. Outside a
// transaction a pooler may change the server's connection between the two, and
// the one that is executed is then another client's, with a guard of another
// form: seen with PgBouncer 1.18, where one tenant read and wrote rows of
// another. Behind a pooler the server's process is not the one that the pooler
// announced, because it answers requests to cancel itself.
func (s *session) checkDirect(ctx context.Context) error {
	const idle = 'I' // outside a transaction
	if s.pgx == nil || s.direct || s.pgx.PgConn().TxStatus() != idle {
		return nil
	}
	server := s.pgx.PgConn()
	result := server.ExecParams(ctx, "SELECT pg_catalog.pg_backend_pid()", nil, nil, nil, nil).Read()
	switch {
	case server.IsClosed():
		return nil // as the statement itself will find
	case result.Err != nil:
		return result.Err
	case len(result.Rows) == 1 && string(result.Rows[0][0]) == strconv.FormatUint(uint64(server.PID()), 10):
		s.direct = true
		return nil
	}
	return &Error{
		Code:    CodeSession,
		Message: "the exec mode describe_exec can execute another client's statement behind a pooler, such as there is here",
		Hint:    "use exec, cache_describe or simple_protocol, or a transaction",
	}
}

func sessionFault(name, value, want string) *Error {
	return &Error{
		Code:    CodeSession,
		Message: name + ` is "` + value + `" in this session, so the server may read SQL differently from what was checked`,
		Hint:    "set " + name + " to " + want + " in the data source name, the database and the role, and do not change it",
	}
}
