// Schools serves schools and their pupils: accounts live once, and classes, pupils
// and marks in a schema for each school. A school signs up, its members log in and
// switch among the schools that they belong to, and an administrator chooses any.
//
//	go run . [-dsn URL] [-listen address]
//
// Without a database it starts a PostgreSQL of its own, with three schools in it.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

var (
	//go:embed policy.yaml
	rules []byte
	//go:embed schema.sql
	schema string
)

// A server serves all schools.
type server struct {
	db     *scoped.PgxPool // guarded
	owner  *pgxpool.Pool   // the same connections, unguarded: for signUp
	policy *policy.Policy
	log    *slog.Logger
}

func newServer(ctx context.Context, dsn string, log *slog.Logger) (*server, error) {
	p, err := policy.Parse("policy.yaml", rules)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		return nil, err
	}
	return &server{
		db:     scoped.Pool(pool, p, scoped.WithAllowScope(allow), scoped.WithLogger(log)),
		owner:  pool,
		policy: p,
		log:    log,
	}, nil
}

func (s *server) handler() http.Handler {
	members := http.NewServeMux()
	members.Handle("GET /schools", s.handle(s.schools))
	members.Handle("POST /school", s.handle(s.chooseSchool))
	members.Handle("GET /pupils", s.handle(s.pupils))
	members.Handle("POST /pupils", s.handle(s.addPupil))
	members.Handle("POST /pupils/{id}/marks", s.handle(s.addMark))
	mux := http.NewServeMux()
	mux.Handle("POST /signup", s.handle(s.signUp))
	mux.Handle("POST /login", s.handle(s.logIn))
	mux.Handle("/", s.session(members))
	return http.NewCrossOriginProtection().Handler(mux)
}

// handle answers errors.
func (s *server) handle(f func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var e *pgconn.PgError
	switch {
	case errors.Is(err, errWrongPassword):
		http.Error(w, errWrongPassword.Error(), http.StatusUnauthorized)
	case errors.Is(err, errNotMember):
		http.Error(w, errNotMember.Error(), http.StatusForbidden)
	case errors.Is(err, pgx.ErrNoRows):
		http.Error(w, "there is no such school", http.StatusNotFound)
	case errors.Is(err, scoped.ErrScopeRequired):
		http.Error(w, "choose a school first", http.StatusConflict)
	case errors.As(err, &e) && e.Code[:2] == "23": // integrity constraint violation
		http.Error(w, e.ConstraintName, http.StatusBadRequest)
	default:
		s.log.ErrorContext(r.Context(), "a request fails", slog.Any("error", err))
		http.Error(w, "", http.StatusInternalServerError)
	}
}

func main() {
	dsn := flag.String("dsn", "", "the URL of a database with schema.sql in it, as its owner")
	listen := flag.String("listen", "localhost:8080", "the address to serve")
	flag.Parse()
	if err := run(context.Background(), *dsn, *listen); err != nil {
		fmt.Fprintln(os.Stderr, "schools:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dsn, listen string) error {
	demo := dsn == ""
	if demo {
		postgres, err := pgtest.Start(ctx)
		if err != nil {
			return err
		}
		defer postgres.Stop()
		if dsn, err = postgres.CreateDatabase(ctx, schema); err != nil {
			return err
		}
	}
	s, err := newServer(ctx, dsn, newLogger(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	defer s.owner.Close()
	if demo {
		if err := s.addDemo(ctx); err != nil {
			return err
		}
	}
	fmt.Println("serving http://" + listen)
	return http.ListenAndServe(listen, s.handler())
}

// addDemo makes three schools: ann belongs to two of them, bob to the third, and
// root administers all. Their passwords are their names.
func (s *server) addDemo(ctx context.Context) error {
	for _, c := range []struct{ account, school, title, pupil string }{
		{"ann", "north", "North School", "Nora"},
		{"ann", "south", "South School", "Sven"},
		{"bob", "harbour", "Harbour School", "Hanna"},
	} {
		if err := s.createSchool(ctx, c.account, c.account, c.school, c.title); err != nil {
			return err
		}
		member := context.WithValue(ctx, userKey{}, &user{name: c.account, schools: []string{c.school}})
		_, err := s.db.Exec(scoped.With(member, "school", c.school), `
			WITH c AS (INSERT INTO class (name) VALUES ('1a') RETURNING id)
			INSERT INTO pupil (name, class_id) SELECT $1, id FROM c`, c.pupil)
		if err != nil {
			return err
		}
	}
	return s.addAdministrator(ctx, "root", "root")
}
