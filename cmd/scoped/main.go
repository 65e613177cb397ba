// Command scoped shows what the driver scoped-pgx makes of SQL.
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// The exit statuses of every subcommand.
const (
	exitOK      = 0 // all is well
	exitRefused = 1 // the command worked, and what it looked at is not well
	exitFault   = 2 // the command could not work
)

const help = `scoped shows what the driver scoped-pgx makes of SQL. Only "scoped catalog" needs a database.

  scoped rewrite   what a statement becomes under a policy and a scope, or why it is refused
  scoped catalog   the catalogue of a database's tables, for those who rewrite with one
  scoped help      this text; "scoped help rewrite" and "scoped rewrite -h" explain a subcommand

For example:

  echo 'SELECT * FROM post' | scoped rewrite --policy policy.yaml --scope site=1
`

// run carries out a command line, without the program's name, and returns the
// exit status. Results go to stdout, faults to stderr.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, help)
		return exitFault
	}
	switch args[0] {
	case "rewrite":
		return runRewrite(args[1:], stdin, stdout, stderr)
	case "catalog":
		return runCatalog(args[1:], stdout, stderr)
	case "help", "-h", "-help", "--help":
		return runHelp(args[1:], stdout, stderr)
	}
	return unknown(args[0], stderr)
}

func runHelp(args []string, stdout, stderr io.Writer) int {
	text := help
	if len(args) > 0 {
		switch args[0] {
		case "rewrite":
			text = rewriteHelp
		case "catalog":
			text = catalogHelp
		default:
			return unknown(args[0], stderr)
		}
	}
	if _, err := io.WriteString(stdout, text); err != nil {
		return report(stderr, "scoped", err)
	}
	return exitOK
}

func unknown(name string, stderr io.Writer) int {
	fmt.Fprintf(stderr, "scoped: there is no subcommand %q; \"scoped help\" lists them\n", name)
	return exitFault
}
