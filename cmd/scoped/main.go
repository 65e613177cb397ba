// Command scoped shows what the driver scoped-pgx makes of SQL, and looks after
// policies.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/scoped-pgx/scoped/policy"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// The exit statuses of every command.
const (
	exitOK      = 0 // all is well
	exitNotWell = 1 // the command worked, and what it looked at is not well
	exitFault   = 2 // the command could not work
)

// errNotWell is what a command returns to exit with exitNotWell. It has said
// already what is not well.
var errNotWell = errors.New("not well")

// run carries out a command line, without the program's name, and returns the
// exit status. Results go to stdout, faults to stderr.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand(stdin, stdout, stderr)
	root.SetArgs(args)
	command, err := root.ExecuteC()
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errNotWell):
		return exitNotWell
	}
	report(stderr, command.CommandPath(), err)
	return exitFault
}

// newRootCommand returns the command scoped with all of its commands. They read
// and write only what is passed here, files aside.
func newRootCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "scoped COMMAND",
		Short: "policies for the driver scoped-pgx, and what it makes of SQL",
		Long: `
scoped proposes and checks policies for the driver scoped-pgx, shows what the driver makes of SQL,
and runs SQL through it.`,
		Example: `
  scoped init --dsn postgres://localhost/blog --root site > policy.yaml
  scoped check --policy policy.yaml --dsn postgres://localhost/blog
  echo 'SELECT * FROM post' | scoped rewrite --policy policy.yaml --scope site=1
  scoped shell --policy policy.yaml --dsn postgres://localhost/blog --scope site=1`,
		Annotations: map[string]string{notes: `
The exit status is 0 when all is well, 1 when the command worked and what it looked at is not,
such as a statement that is refused, and 2 when the command could not work; then standard error
says why.`},
		SuggestionsMinimumDistance: 2,
		SilenceErrors:              true,
		SilenceUsage:               true,
		Args: func(root *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(root, args[0])
			}
			return nil
		},
		RunE: func(root *cobra.Command, _ []string) error {
			fmt.Fprint(stderr, help(root))
			return errors.New("a command is missing")
		},
	}
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(
		newInitCommand(),
		newRewriteCommand(),
		newExplainCommand(),
		newShellCommand(),
		newCatalogCommand(),
		newCheckCommand(),
		newSchemaCommand(),
		newManCommand(),
	)
	prepareHelp(root)
	return root
}

// unknownCommand is the fault of a name that no command of a group has.
func unknownCommand(group *cobra.Command, name string) error {
	root := group.Root().Name()
	hint := fmt.Sprintf("%q lists them", root+" help"+strings.TrimPrefix(group.CommandPath(), root))
	if near := group.SuggestionsFor(name); len(near) > 0 {
		hint = fmt.Sprintf("did you mean %s?", strings.Join(near, " or "))
	}
	return fmt.Errorf("there is no command %q; %s", name, hint)
}

// report says on stderr why a command could not work. A reader of the results
// that has gone away need not be told, and the mistakes of a policy are printed
// as they are, because editors find them by their file, line and column.
func report(stderr io.Writer, command string, err error) {
	var mistakes policy.Errors
	switch {
	case errors.Is(err, syscall.EPIPE):
	case errors.As(err, &mistakes):
		fmt.Fprintln(stderr, mistakes)
	default:
		fmt.Fprintf(stderr, "%s: %s\n", command, strings.TrimPrefix(err.Error(), "scoped: "))
	}
}
