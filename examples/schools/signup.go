package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/schemas"
)

// signUp makes an account, if the name has none, and a school with its schema, of
// which it becomes a member.
func (s *server) signUp(w http.ResponseWriter, r *http.Request) error {
	ctx, school := r.Context(), r.FormValue("school")
	if _, err := s.policy.Dimension("school").Schemas.Name(school); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil
	}
	if err := s.createSchool(ctx, r.FormValue("name"), r.FormValue("password"), school, r.FormValue("title")); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "a school signs up", "school", school, "account", r.FormValue("name"))
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintln(w, school)
	return nil
}

// createSchool does all of it or nothing. Schemas are made by the owner of the
// database, not through the guard.
func (s *server) createSchool(ctx context.Context, name, password, school, title string) error {
	return pgx.BeginFunc(ctx, s.owner, func(tx pgx.Tx) error {
		id, err := account(ctx, tx, name, password)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO school (slug, name) VALUES ($1, $2)", school, title); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO membership (account_id, school) VALUES ($1, $2)", id, school); err != nil {
			return err
		}
		m, err := schemas.New(tx, s.policy.Dimension("school"))
		if err != nil {
			return err
		}
		return m.Create(ctx, school)
	})
}

// account returns the account of a name and password, which it makes if there is
// none of that name.
func account(ctx context.Context, tx pgx.Tx, name, password string) (id int64, err error) {
	salt := make([]byte, 16)
	rand.Read(salt)
	derived, err := derive(password, salt)
	if err != nil {
		return 0, err
	}
	_, err = tx.Exec(ctx, "INSERT INTO account (name, salt, password) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING", name, salt, derived)
	if err != nil {
		return 0, err
	}
	return authenticate(ctx, tx, name, password)
}

// addAdministrator makes an account that may choose any school.
func (s *server) addAdministrator(ctx context.Context, name, password string) error {
	return pgx.BeginFunc(ctx, s.owner, func(tx pgx.Tx) error {
		id, err := account(ctx, tx, name, password)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE account SET admin = true WHERE id = $1", id)
		return err
	})
}
