package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
	"github.com/scoped-pgx/scoped/schemas"
)

func newSchemaDumpCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "dump {VALUE | --schema NAME} --file FILE --policy FILE [--dsn DSN]",
		Short: "write the schema of a value to a file, with its rows",
		Long: `
scoped schema dump writes the schema of a value and its rows, as they are at one time, to a file
that scoped schema load reads.`,
		Example: `
  scoped schema dump acme --file acme.zip --policy policy.yaml --dsn postgres://localhost/school`,
		Annotations: map[string]string{notes: `
The file is a zip file with the definitions and, for each table, what COPY writes. A file of that
name is replaced when all is written.

The exit status is 0, or 2 when the command could not work; then standard error says why.`},
		Args:              oneSchema,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := addSchemaFlags(command)
	path := command.Flags().String("file", "", "the `FILE` that is written; required")
	completeFiles(command, "file", "zip")
	schemaFlag(command)
	command.RunE = func(command *cobra.Command, args []string) error {
		if *path == "" {
			return errors.New("--file FILE is missing; " + seeHelp(command))
		}
		return flags.use(command, 1, func(ctx context.Context, m *schemas.Manager) error {
			value, err := valueOf(command, m, args)
			if err != nil {
				return err
			}
			// The rows are no one else's business, and a half of them is no one's.
			file, err := os.CreateTemp(filepath.Dir(*path), "."+filepath.Base(*path)+".*")
			if err != nil {
				return err
			}
			defer os.Remove(file.Name())
			done := terminal.Progress(command.ErrOrStderr(), "dumping")
			err = errors.Join(m.Dump(ctx, value, file), file.Close())
			done()
			if err != nil {
				return err
			}
			return os.Rename(file.Name(), *path)
		})
	}
	return command
}

func newSchemaLoadCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "load {VALUE | --schema NAME} --file FILE --policy FILE [--dsn DSN]",
		Short: "make the schema of a value from such a file",
		Long: `
scoped schema load makes the schema of a value from what scoped schema dump wrote, of this value
or another, here or in another database, and enters the value into the registry, in one
transaction.`,
		Example: `
  scoped schema load acme --file acme.zip --policy policy.yaml --dsn postgres://localhost/school
  scoped schema load --schema t_acme_2 --file acme.zip --policy policy.yaml`,
		Annotations: map[string]string{notes: `
The schema must not exist, and is never the template. What the file refers to outside of the
schema, such as roles and rows of other tables, must exist. The file holds SQL that is run: load
only what you trust. The migrations that the schema lacks are then run by scoped schema migrate.

The exit status is 0, or 2 when the command could not work; then standard error says why.`},
		Args:              oneSchema,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := addSchemaFlags(command)
	path := command.Flags().String("file", "", "the `FILE` that is read; required")
	completeFiles(command, "file", "zip")
	schemaFlag(command)
	command.RunE = func(command *cobra.Command, args []string) error {
		if *path == "" {
			return errors.New("--file FILE is missing; " + seeHelp(command))
		}
		file, err := os.Open(*path)
		if err != nil {
			return err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		return flags.use(command, 1, func(ctx context.Context, m *schemas.Manager) error {
			value, err := valueOf(command, m, args)
			if err != nil {
				return err
			}
			defer terminal.Progress(command.ErrOrStderr(), "loading")()
			return m.Load(ctx, value, file, info.Size())
		})
	}
	return command
}

// schemaFlag adds --schema, for valueOf.
func schemaFlag(command *cobra.Command) {
	command.Flags().String("schema", "", "the `NAME` of the schema, in the place of the value")
}

// oneSchema is the Args of a command that takes a value, or --schema.
func oneSchema(command *cobra.Command, args []string) error {
	if named := command.Flags().Changed("schema"); named == (len(args) > 0) || len(args) > 1 {
		return errors.New("it takes one value, or --schema NAME; " + seeHelp(command))
	}
	return nil
}

// valueOf returns the value of a command, or that of the schema which --schema names.
func valueOf(command *cobra.Command, m *schemas.Manager, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	name, err := command.Flags().GetString("schema")
	if err != nil {
		return "", err
	}
	s := m.Dimension().Schemas
	if name == s.Template {
		return "", fmt.Errorf("--schema: the schema %s is the template, which belongs to no value", name)
	}
	value, ok := s.Value(name)
	if !ok {
		return "", fmt.Errorf("--schema: the schema %q is no value's: those are named %s", name, s.Pattern())
	}
	return value, nil
}
