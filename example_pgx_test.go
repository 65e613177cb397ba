package scoped_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

// exampleServer is stopped with the process.
var exampleServer = sync.OnceValues(func() (*pgtest.Server, error) { return pgtest.Start(context.Background()) })

// blogPool returns a pool of connections to a blog with posts 1 and 2 of sites 1
// and 2, and its policy.
func blogPool(ctx context.Context) (*pgxpool.Pool, *policy.Policy) {
	server, err := exampleServer()
	if err != nil {
		panic(err)
	}
	dsn, err := server.CreateDatabase(ctx, blogSchema)
	if err != nil {
		panic(err)
	}
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		panic(err)
	}
	p, err := policy.Parse("policy.yaml", []byte(examplePolicy))
	if err != nil {
		panic(err)
	}
	return pool, p
}

func ExamplePool() {
	ctx := context.Background()
	pool, p := blogPool(ctx)
	db := scoped.Pool(pool, p)
	defer db.Close()

	ctx = scoped.With(ctx, "site", 1)
	rows, _ := db.Query(ctx, "SELECT title FROM post")
	titles, err := pgx.CollectRows(rows, pgx.RowTo[string])
	fmt.Println(titles, err)

	// A transaction hands its scope down.
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		_, err := tx.Exec(context.Background(), "UPDATE post SET site_id = $1", 2)
		return err
	})
	fmt.Println(errors.Is(err, scoped.ErrViolation))

	// Output:
	// [I was stabbed] <nil>
	// true
}

func ExampleCopyFrom() {
	ctx := context.Background()
	pool, p := blogPool(ctx)
	defer pool.Close()
	db := sql.OpenDB(scoped.NewConnector(stdlib.GetPoolConnector(pool), p))
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		panic(err)
	}
	defer conn.Close()

	ctx = scoped.With(ctx, "site", 1)
	titles := [][]any{{"Et tu"}, {"Veni"}, {"Vidi"}}
	fmt.Println(scoped.CopyFrom(ctx, conn, pgx.Identifier{"post"}, []string{"title"}, pgx.CopyFromRows(titles)))
	// Post 2 belongs to another site.
	_, err = scoped.CopyFrom(ctx, conn, pgx.Identifier{"comment"}, []string{"post_id"}, pgx.CopyFromRows([][]any{{1}, {2}}))
	fmt.Println(errors.Is(err, scoped.ErrViolation))
	_, err = scoped.CopyTo(ctx, conn, os.Stdout, "COPY (SELECT title FROM post ORDER BY id) TO STDOUT")
	fmt.Println(err)

	// Output:
	// 3 <nil>
	// true
	// I was stabbed
	// Et tu
	// Veni
	// Vidi
	// <nil>
}

func ExampleSendBatch() {
	ctx := context.Background()
	pool, p := blogPool(ctx)
	defer pool.Close()
	db := sql.OpenDB(scoped.NewConnector(stdlib.GetPoolConnector(pool), p))
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		panic(err)
	}
	defer conn.Close()

	var posts, comments int
	batch := new(pgx.Batch)
	batch.Queue("SELECT count(*) FROM post").QueryRow(func(row pgx.Row) error { return row.Scan(&posts) })
	batch.Queue("SELECT count(*) FROM comment WHERE post_id = ANY($1)", []int{1, 2}).QueryRow(func(row pgx.Row) error { return row.Scan(&comments) })
	err = scoped.SendBatch(scoped.With(ctx, "site", 1), conn, batch)
	fmt.Println(posts, comments, err)

	// Output: 1 1 <nil>
}
