package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/draft"
	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
	"github.com/scoped-pgx/scoped/policy"
)

func newInitCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "init [--dsn DSN] [--root TABLE[=DIMENSION]]… [--out FILE [--force] | --update FILE]",
		Short: "a first policy for a database that exists, with the reason for each entry",
		Long: `
scoped init reads the schema of a database, and no row, and writes a policy for it: which column
or path ties each table to its tenant, which tables are the same for everybody, and why. What it
cannot decide is denied. Read what it proposes before you rely on it.

Schemas that hold the same tables are proposed as those of the values of a dimension. Only then
are rows looked at: which unique column lists these values.`,
		Example: `
  scoped init --dsn postgres://localhost/blog                        # which tables could be roots
  scoped init --dsn postgres://localhost/blog --root site > policy.yaml
  scoped init --dsn postgres://localhost/blog --root site --root account=user --out policy.yaml
  scoped init --dsn postgres://localhost/blog --update policy.yaml   # after a migration`,
		Annotations: map[string]string{notes: `
The exit status is 0, 1 without a root and without such schemas, when standard error lists tables
that could be a root, or 2 when the command could not work; then standard error says why, and no
file has changed.`},
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	dsn := dsnFlag(command)
	roots := command.Flags().StringArray("root", nil,
		"the `TABLE` of the tenants, whose rows are the values of a dimension; may be given several times. The dimension is"+
			" named after the table, or as TABLE=DIMENSION says. Names are those of PostgreSQL's catalogue, schema.table"+
			" outside the search path.")
	out := command.Flags().String("out", "", "the `FILE` to write; without it, standard output")
	force := command.Flags().Bool("force", false, "replace the file of --out if there is one")
	update := command.Flags().String("update", "",
		"add the tables that the policy of this `FILE` does not list, and say which of its tables do not exist any more."+
			" What is in the file stays as it is.")
	noSchemas := command.Flags().Bool("no-schemas", false,
		"do not take schemas that hold the same tables for those of the values of a dimension")
	completeFiles(command, "out", "yaml", "yml")
	completeFiles(command, "update", "yaml", "yml")
	command.MarkFlagsMutuallyExclusive("out", "update")
	command.MarkFlagsMutuallyExclusive("no-schemas", "update")
	command.RunE = func(command *cobra.Command, _ []string) error {
		if *force && *out == "" {
			return errors.New("--force is about the file of --out; " + seeHelp(command))
		}
		parsed, err := parseRoots(*roots)
		if err != nil {
			return err
		}
		if *out != "" && !*force {
			if _, err := os.Lstat(*out); err == nil {
				return fmt.Errorf("%s exists; replace it with --force, or add what it lacks with --update %[1]s", *out)
			}
		}
		var given *policy.Policy
		if *update != "" {
			if given, err = policy.Load(*update); err != nil {
				return err
			}
		}
		if *noSchemas {
			given = new(policy.Policy)
		}
		db, err := ask(command, *dsn, "reading the schema", func(ctx context.Context, conn *pgx.Conn) (*draft.Database, error) {
			return draft.Read(ctx, conn, given)
		})
		if err != nil {
			return err
		}
		switch {
		case *update != "":
			return updatePolicy(command.ErrOrStderr(), db, *update, parsed)
		case len(parsed) == 0 && !db.HasSchemas():
			listCandidates(command.ErrOrStderr(), db)
			return errNotWell
		}
		text, err := db.Policy(parsed)
		if err != nil {
			return err
		}
		if *out == "" {
			_, err = io.WriteString(command.OutOrStdout(), text)
			return err
		}
		return writePolicy(*out, text, *force)
	}
	return command
}

func parseRoots(texts []string) ([]draft.Root, error) {
	var roots []draft.Root
	for _, text := range texts {
		r, err := draft.ParseRoot(text)
		if err != nil {
			return nil, err
		}
		roots = append(roots, r)
	}
	return roots, nil
}

// listCandidates says which tables could be roots.
func listCandidates(w io.Writer, db *draft.Database) {
	const most = 8
	candidates := db.Candidates()
	if len(candidates) == 0 {
		fmt.Fprintln(w, "No table's rows can be tenants: none with a key of one column is referred to by another table."+
			"\nName the table with --root if its tenants are referred to without foreign keys.")
		return
	}
	fmt.Fprintln(w, "Which table's rows are the tenants? Name it with --root; for a second dimension, such as users, give --root twice.")
	for i, c := range candidates {
		if i == most {
			fmt.Fprintf(w, "and %d more\n", len(candidates)-most)
			break
		}
		fmt.Fprintf(w, "  %-30s %s\n", terminal.Visible(c.Flag()), c)
	}
}

// writePolicy writes a new file, or replaces one.
func writePolicy(path, text string, replace bool) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if replace {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Close())
}

// updatePolicy adds to a policy's file what it lacks, and says what it did.
func updatePolicy(w io.Writer, db *draft.Database, path string, roots []draft.Root) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	u, err := db.Update(path, string(text), roots)
	if err != nil {
		return err
	}
	for _, v := range u.Vanished {
		fmt.Fprintf(w, "%s:%d: table %s does not exist any more; its entry stays until you remove it\n", path, v.Line, terminal.Visible(v.Table))
	}
	for _, name := range u.Added {
		fmt.Fprintf(w, "%s: added %s\n", path, terminal.Visible(name))
	}
	if len(u.Added) == 0 {
		fmt.Fprintf(w, "%s lists all tables\n", path)
		return nil
	}
	return writePolicy(path, u.Text, true)
}
