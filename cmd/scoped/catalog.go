package main

import (
	"context"
	"errors"
	"flag"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/catalog"
)

const catalogHelp = `scoped catalog prints the catalogue of a database's tables, which "scoped rewrite --catalog"
and the driver's scope_catalog read. It changes nothing, and needs no right but to connect.

  scoped catalog [--dsn DSN] [--schema NAME]…

For example:

  scoped catalog --dsn postgres://localhost/blog > catalog.json
  PGHOST=localhost PGDATABASE=blog scoped catalog > catalog.json

  --dsn DSN      a URL or keyword=value, as for psql. What it leaves out is taken from PGHOST,
                 PGPASSWORD and so on; a password does not belong on a command line.
  --schema NAME  only the tables of this schema; may be given several times. Without it, those
                 of all schemas but the system's.

The file is sorted and has one column a line, to be kept beside the schema and compared in
reviews. Print it again after each migration. The exit status is 0, or 2 when the command
could not work; then standard error says why.
`

// runCatalog carries out scoped catalog and returns its exit status.
func runCatalog(args []string, stdout, stderr io.Writer) int {
	if err := printCatalog(args, stdout); err != nil {
		return report(stderr, "scoped catalog", err)
	}
	return exitOK
}

func printCatalog(args []string, stdout io.Writer) error {
	var dsn string
	var schemas []string
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&dsn, "dsn", "", "")
	flags.Func("schema", "", func(value string) error {
		schemas = append(schemas, value)
		return nil
	})
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, err = io.WriteString(stdout, catalogHelp)
		return err
	}
	if err == nil && flags.NArg() > 0 {
		err = errors.New("it takes no files; \"scoped catalog -h\" shows how to use the command")
	}
	if err != nil {
		return err
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	c, err := catalog.Read(ctx, conn, schemas...)
	if err != nil {
		return err
	}
	_, err = c.WriteTo(stdout)
	return err
}
