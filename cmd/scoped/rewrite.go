package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
)

const rewriteHelp = `scoped rewrite shows what becomes of SQL under a policy and a scope, or why it is
refused. It needs no database.

  scoped rewrite --policy FILE [--scope DIM=VALUE[,VALUE…]]… [--disabled REASON]
                 [--catalog FILE] [--format text|json] [FILE…]

For example:

  scoped rewrite --policy policy.yaml --scope site=1 posts.sql       one site
  scoped rewrite --policy policy.yaml --scope site=1,2 posts.sql     several
  scoped rewrite --policy policy.yaml --scope 'site=*' posts.sql     explicitly unrestricted
  scoped rewrite --policy policy.yaml --scope site=1 --scope user=7  two dimensions, standard input
  scoped rewrite --policy policy.yaml --disabled 'nightly export'    scopes disabled: sent as it is
  scoped rewrite --policy policy.yaml posts.sql                      no scope

  --policy FILE       the policy; required
  --scope DIM=VALUES  the value of a dimension, or several with commas between them, or *; each
                      dimension once. A value with a comma in it cannot be written here.
  --disabled REASON   as scoped.Disable does; not together with --scope
  --catalog FILE      the catalogue of the database's tables, as "scoped catalog" prints it
  --format text       for people, the default: the input is SQL with a semicolon between the
                      statements. A comment such as "-- name: GetPost :one" names a statement,
                      otherwise its number does. A file has at most 16 MiB.
  --format json       for programs, one line for each line, in the same order:
                      {"name": "GetPost", "sql": "SELECT * FROM post WHERE id = $1"}
                      {"name": "GetPost", "sql": "SELECT …", "args": [1], "tables":
                       [{"table": "public.post", "access": "read", "guard": "…"}], "error": null}
                      args are appended behind the statement's own arguments; several values of a
                      dimension are a list. When refused, sql is "", args and tables are [], and
                      error is {"code", "message", "position", "hint"}; position counts the
                      characters of the statement from 1 and is 0 where there is no place.
                      "sql" is required, "name" is not, and any other key is a fault. Blank lines
                      are skipped.
  FILE                - or none is standard input

The exit status is 0 when all statements are accepted, 1 when any is refused, and 2 when the
command could not work; then standard error says why. Text is in colour on a terminal, unless
NO_COLOR is set.
`

// maxFile bounds a file of SQL, which is read whole, in bytes.
const maxFile = 16 << 20

// options are the command line of scoped rewrite.
type options struct {
	policy   string
	scopes   []string
	disabled *string
	catalog  string
	format   string
	files    []string
}

// runRewrite carries out scoped rewrite and returns its exit status.
func runRewrite(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	refused, err := rewriteFiles(args, stdin, stdout)
	switch {
	case err != nil:
		return report(stderr, "scoped rewrite", err)
	case refused:
		return exitRefused
	}
	return exitOK
}

// report says on stderr why a command could not work. A reader of the results
// that has gone away need not be told, and the mistakes of a policy are printed
// as they are, because editors find them by their file, line and column.
func report(stderr io.Writer, command string, err error) int {
	var mistakes policy.Errors
	switch {
	case errors.Is(err, syscall.EPIPE):
	case errors.As(err, &mistakes):
		fmt.Fprintln(stderr, mistakes)
	default:
		fmt.Fprintf(stderr, "%s: %s\n", command, strings.TrimPrefix(err.Error(), "scoped: "))
	}
	return exitFault
}

// rewriteFiles rewrites what the command line names and reports whether
// anything was refused.
func rewriteFiles(args []string, stdin io.Reader, stdout io.Writer) (refused bool, err error) {
	o, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		_, err = io.WriteString(stdout, rewriteHelp)
		return false, err
	}
	if err != nil {
		return false, err
	}
	p, err := policy.Load(o.policy)
	if err != nil {
		return false, err
	}
	s, err := newScope(p, o.scopes)
	if err != nil {
		return false, err
	}
	s.disabled = o.disabled != nil
	if o.catalog != "" {
		c, err := catalog.Load(o.catalog)
		if err != nil {
			return false, err
		}
		s.catalog = c
	}

	out := bufio.NewWriter(stdout)
	var f format = &textFormat{scope: s, out: out, colour: colourful(stdout)}
	if o.format == "json" {
		f = &jsonFormat{scope: s, out: out}
	}
	for _, name := range o.files {
		if err := readFile(name, stdin, f.read); err != nil {
			return false, err
		}
	}
	return f.finish()
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

// parseOptions reads the command line. Options may stand behind files, and two
// hyphens end them.
func parseOptions(args []string) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.policy, "policy", "", "")
	flags.StringVar(&o.catalog, "catalog", "", "")
	flags.StringVar(&o.format, "format", "text", "")
	flags.Func("scope", "", func(value string) error {
		o.scopes = append(o.scopes, value)
		return nil
	})
	flags.Func("disabled", "", func(value string) error {
		o.disabled = &value
		return nil
	})
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		rest := flags.Args()
		if parsed := len(args) - len(rest); parsed > 0 && args[parsed-1] == "--" {
			o.files = append(o.files, rest...)
			break
		}
		if len(rest) > 0 {
			o.files = append(o.files, rest[0])
			rest = rest[1:]
		}
		args = rest
	}
	if len(o.files) == 0 {
		o.files = []string{"-"}
	}
	switch {
	case o.policy == "":
		return nil, errors.New("--policy FILE is missing; \"scoped rewrite -h\" shows how to use the command")
	case o.format != "text" && o.format != "json":
		return nil, fmt.Errorf("--format %s: the formats are text and json", o.format)
	case o.disabled != nil && strings.TrimSpace(*o.disabled) == "":
		return nil, errors.New("--disabled needs a reason")
	case o.disabled != nil && len(o.scopes) > 0:
		return nil, errors.New("--disabled and --scope exclude each other")
	}
	return o, nil
}
