package main

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped"
)

// A user is who has logged in.
type user struct {
	name    string
	admin   bool
	schools []string // that they are a member of
}

type userKey struct{}

func userOf(ctx context.Context) *user {
	u, _ := ctx.Value(userKey{}).(*user)
	return u
}

var errNotMember = errors.New("not a member of the school")

// allow is asked by the driver before a scope is first used: members may switch
// among their schools, and administrators may choose any.
func allow(ctx context.Context, _ string, school any) error {
	u := userOf(ctx)
	if u != nil && (u.admin || slices.Contains(u.schools, fmt.Sprint(school))) {
		return nil
	}
	return errNotMember
}

const cookieName = "session"

// session gives a request its user, and the scope of the school that the user chose.
func (s *server) session(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie(cookieName)
		if err != nil {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		u, school := new(user), ""
		// These tables are shared, so no scope is needed.
		err = s.db.QueryRow(r.Context(), `
			SELECT a.name, a.admin, coalesce(s.school, ''), ARRAY(SELECT m.school FROM membership m WHERE m.account_id = a.id)
			FROM session s JOIN account a ON a.id = s.account_id WHERE s.token = $1`,
			cookie.Value).Scan(&u.name, &u.admin, &school, &u.schools)
		if errors.Is(err, pgx.ErrNoRows) {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		ctx := context.WithValue(r.Context(), userKey{}, u)
		if school != "" {
			ctx = scoped.With(ctx, "school", school)
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// schools lists those that the user may choose.
func (s *server) schools(w http.ResponseWriter, r *http.Request) error {
	u := userOf(r.Context())
	rows, err := s.db.Query(r.Context(), "SELECT slug, name FROM school WHERE $1 OR slug = ANY ($2) ORDER BY slug", u.admin, u.schools)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var slug, name string
		if err := rows.Scan(&slug, &name); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s: %s\n", slug, name)
	}
	return rows.Err()
}

// chooseSchool switches to a school. That a user may not is found by the first
// statement under its scope.
func (s *server) chooseSchool(w http.ResponseWriter, r *http.Request) error {
	school := r.FormValue("school")
	ctx := scoped.With(r.Context(), "school", school)
	var name string
	if err := s.db.QueryRow(ctx, "SELECT name FROM school WHERE slug = $1", school).Scan(&name); err != nil {
		return err
	}
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return err
	}
	if _, err := s.db.Exec(ctx, "UPDATE session SET school = $1 WHERE token = $2", school, cookie.Value); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "a school is chosen")
	fmt.Fprintln(w, name)
	return nil
}

func (s *server) logIn(w http.ResponseWriter, r *http.Request) error {
	id, err := authenticate(r.Context(), s.db, r.FormValue("name"), r.FormValue("password"))
	if err != nil {
		return err
	}
	token := rand.Text()
	if _, err := s.db.Exec(r.Context(), "INSERT INTO session (token, account_id) VALUES ($1, $2)", token, id); err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return nil
}

var errWrongPassword = errors.New("the name or the password is wrong")

// authenticate returns the account of a name and password.
func authenticate(ctx context.Context, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, name, password string) (id int64, err error) {
	var salt, stored []byte
	err = db.QueryRow(ctx, "SELECT id, salt, password FROM account WHERE name = $1", name).Scan(&id, &salt, &stored)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, errWrongPassword
	}
	if err != nil {
		return 0, err
	}
	given, err := derive(password, salt)
	if err == nil && subtle.ConstantTimeCompare(given, stored) == 0 {
		err = errWrongPassword
	}
	return id, err
}

var iterations = 600_000 // fewer in tests

func derive(password string, salt []byte) ([]byte, error) {
	return pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
}

// newLogger returns a log whose records say who did something, and in which school.
func newLogger(h slog.Handler) *slog.Logger {
	return slog.New(scoped.LogHandler(userHandler{h}))
}

type userHandler struct{ slog.Handler }

func (h userHandler) Handle(ctx context.Context, record slog.Record) error {
	if u := userOf(ctx); u != nil {
		record.AddAttrs(slog.String("user", u.name))
	}
	return h.Handler.Handle(ctx, record)
}

func (h userHandler) WithAttrs(attributes []slog.Attr) slog.Handler {
	return userHandler{h.Handler.WithAttrs(attributes)}
}

func (h userHandler) WithGroup(name string) slog.Handler {
	return userHandler{h.Handler.WithGroup(name)}
}
