package scoped_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"github.com/DATA-DOG/go-sqlmock"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/policy"
)

const examplePolicy = `
version: 1
dimensions:
  site: {type: bigint}
tables:
  site: shared
  post: {site: site_id}
  comment: {site: post_id -> post}
`

// printing opens a database that prints every statement it is sent. A program
// has pgx in its place:
//
//	db, err := sql.Open("scoped-pgx", "postgres://localhost/blog?scope_policy=policy.yaml")
func printing() *sql.DB {
	dsn := fmt.Sprint("mock_", mocks.Add(1))
	show := sqlmock.QueryMatcherFunc(func(_, sent string) error {
		fmt.Println("sent:", sent)
		return nil
	})
	base, mock, err := sqlmock.NewWithDSN(dsn, sqlmock.QueryMatcherOption(show))
	if err != nil {
		panic(err)
	}
	for range 10 {
		mock.ExpectExec("").WillReturnResult(sqlmock.NewResult(0, 1))
	}
	p, err := policy.Parse("policy.yaml", []byte(examplePolicy))
	if err != nil {
		panic(err)
	}
	connector := scoped.NewConnector(dsnConnector{base.Driver(), dsn}, p,
		scoped.WithLogger(slog.New(slog.DiscardHandler)))
	return sql.OpenDB(connector)
}

func Example() {
	db := printing()
	const query = "DELETE FROM post WHERE title = $1"

	_, err := db.ExecContext(context.Background(), query, "draft")
	fmt.Println(errors.Is(err, scoped.ErrScopeRequired))

	ctx := scoped.With(context.Background(), "site", 42)
	_, err = db.ExecContext(ctx, query, "draft")
	fmt.Println(err)

	// Output:
	// true
	// sent: DELETE FROM public.post WHERE (post.site_id = $2::bigint) AND (title = $1)
	// <nil>
}

func ExampleWith() {
	db := printing()
	ctx := scoped.With(context.Background(), "site", 42)
	// The new row belongs to the scope.
	_, _ = db.ExecContext(ctx, "INSERT INTO post (title) VALUES ($1)", "Et tu")
	// A fault of the scope is told by the statement, and nothing is sent.
	_, err := db.ExecContext(scoped.With(ctx, "site", "42"), "DELETE FROM post")
	fmt.Println(errors.Is(err, scoped.ErrRefused))

	// Output:
	// sent: INSERT INTO public.post (title, site_id) VALUES ($1, $2::bigint)
	// true
}

func ExampleAnyOf() {
	db := printing()
	ctx := scoped.With(context.Background(), "site", scoped.AnyOf(1, 2))
	_, _ = db.ExecContext(ctx, "UPDATE post SET title = upper(title)")

	// Output:
	// sent: UPDATE public.post SET title = upper(title) WHERE post.site_id = ANY($1::bigint[])
}

func ExampleDisable() {
	db := printing()
	ctx := scoped.With(context.Background(), "site", 42)
	_, _ = db.ExecContext(scoped.Disable(ctx, "monthly cleaning"), "TRUNCATE post CASCADE")
	// Scopes are disabled in that context only.
	_, err := db.ExecContext(ctx, "TRUNCATE post CASCADE")
	fmt.Println(errors.Is(err, scoped.ErrRefused))

	// Output:
	// sent: TRUNCATE post CASCADE
	// true
}

func ExampleError() {
	db := printing()
	ctx := scoped.With(context.Background(), "site", 42)
	_, err := db.ExecContext(ctx, "DELETE FROM post\nUSING secret")
	var refusal *scoped.Error
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Code, refusal.Table, refusal.Position.Line, refusal.Position.Column)
	}

	// Output:
	// table secret 2 7
}
