package main

import (
	"bufio"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
)

func newRewriteCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "rewrite --policy FILE [--scope DIM=VALUE[,VALUE…]]… [FILE…]",
		Short: "what a statement becomes under a policy and a scope, or why it is refused",
		Long: `
scoped rewrite shows what becomes of SQL under a policy and a scope, or why it is refused. It
reads files, of which - or none is standard input, and needs no database.`,
		Example: `
  scoped rewrite --policy policy.yaml --scope site=1 posts.sql       one site
  scoped rewrite --policy policy.yaml --scope site=1,2 posts.sql     several
  scoped rewrite --policy policy.yaml --scope 'site=*' posts.sql     explicitly unrestricted
  scoped rewrite --policy policy.yaml --scope site=1 --scope user=7  two dimensions, standard input
  scoped rewrite --policy policy.yaml --disabled 'nightly export'    scopes disabled: sent as it is
  scoped rewrite --policy policy.yaml posts.sql                      no scope
  scoped rewrite --policy policy.yaml --scope site=1 --warm posts.sql > warm.jsonl`,
		Annotations: map[string]string{notes: `
With --format text, for people, the input is SQL with a semicolon between the statements. A
comment such as "-- name: GetPost :one" names a statement, otherwise its number does. A file
has at most 16 MiB.

With --format json, for programs, each line is answered by one, in the same order:

  {"name": "GetPost", "sql": "SELECT * FROM post WHERE id = $1"}
  {"name": "GetPost", "sql": "SELECT …", "args": [1], "tables":
   [{"table": "public.post", "access": "read", "guard": "…"}], "error": null}

args are appended behind the statement's own arguments; several values of a dimension are a
list. When refused, sql is "", args and tables are [], and error is {"code", "message",
"position", "hint"}; position counts the characters of the statement from 1 and is 0 where
there is no place. "sql" is required, "name" is not, and any other key is a fault. Blank lines
are skipped.

With --warm each accepted statement is a line for the driver's cache, under the dimensions of
--scope and whether each has one value, many, or all; the values are not part of it. What is
refused is reported on standard error. --format says what the input is. Files for several
scopes may stand behind one another.

  {"sql": "SELECT * FROM post WHERE id = $1", "scopes": [{"site": "one"}]}

The exit status is 0 when all statements are accepted, 1 when any is refused, and 2 when the
command could not work; then standard error says why. Text is in colour on a terminal, unless
NO_COLOR is set.`},
	}
	policyFile := policyFlag(command)
	scopes := addScopeFlags(command)
	catalogFile := catalogFlag(command)
	formatName := formatFlag(command, "text", "json")
	warm := command.Flags().Bool("warm", false, "print the accepted statements for the driver's cache, one a line")
	command.RunE = func(command *cobra.Command, files []string) error {
		p, err := loadPolicy(command, *policyFile)
		if err != nil {
			return err
		}
		s, err := scopes.scope(p)
		if err != nil {
			return err
		}
		if s.Catalog, err = loadCatalog(*catalogFile); err != nil {
			return err
		}
		out := command.OutOrStdout()
		var f format = &textFormat{Printer: terminal.NewPrinter(out), scope: s}
		switch {
		case *warm && s.Disabled != "":
			return errors.New("--warm and --disabled exclude each other: what is sent as it is needs no cache")
		case *warm:
			f = &warmFormat{
				scope: s, queries: *formatName == "json", out: bufio.NewWriter(out), faults: command.ErrOrStderr(),
			}
		case *formatName == "json":
			f = &jsonFormat{scope: s, out: bufio.NewWriter(out)}
		}
		if len(files) == 0 {
			files = []string{"-"}
		}
		for _, name := range files {
			if err := readFile(name, command.InOrStdin(), f.read); err != nil {
				return err
			}
		}
		refused, err := f.finish()
		if err == nil && refused {
			err = errNotWell
		}
		return err
	}
	return command
}

// A format reads statements and writes what becomes of them.
type format interface {
	// read reads a file, which name stands for in results and faults. All that
	// it answers is written when it returns.
	read(file io.Reader, name string) error
	// finish is called behind the last file and reports whether anything was
	// refused.
	finish() (refused bool, err error)
}

// readFile calls read with the file of that name, or standard input.
func readFile(name string, stdin io.Reader, read func(io.Reader, string) error) error {
	if name == "-" {
		return read(stdin, "<stdin>")
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return read(file, name)
}
