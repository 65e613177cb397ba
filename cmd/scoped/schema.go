package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/schemas"
)

func newSchemaCommand() *cobra.Command {
	group := &cobra.Command{
		Use:   "schema COMMAND",
		Short: "the schemas of a dimension whose values choose one",
		Long: `
scoped schema looks after the schemas of a dimension whose values choose one. It connects as the
owner of the schemas or as a superuser, and not through the driver. docs/schemas.md says more.`,
		Example: `
  scoped schema list --policy policy.yaml --dsn postgres://localhost/school`,
		Annotations: map[string]string{notes: `
The exit status is 0 when all is well, 1 when the command worked and what it looked at is not, and
2 when the command could not work; then standard error says why.`},
		SuggestionsMinimumDistance: 2,
		Args: func(group *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(group, args[0])
			}
			return nil
		},
		RunE: func(group *cobra.Command, _ []string) error {
			fmt.Fprint(group.ErrOrStderr(), help(group))
			return errors.New("a command is missing")
		},
	}
	group.AddCommand(newSchemaListCommand(), newSchemaMigrateCommand())
	return group
}

// schemaFlags are what every command about schemas has.
type schemaFlags struct {
	policy, dsn, dimension *string
}

func addSchemaFlags(command *cobra.Command) *schemaFlags {
	f := &schemaFlags{policy: policyFlag(command), dsn: dsnFlag(command)}
	f.dimension = command.Flags().String("dimension", "", "the `DIMENSION` whose schemas are meant, where the policy has several")
	return f
}

// find returns the dimension that is meant.
func (f *schemaFlags) find(command *cobra.Command) (*policy.Dimension, error) {
	p, err := loadPolicy(command, *f.policy)
	if err != nil {
		return nil, err
	}
	return f.findIn(p)
}

func (f *schemaFlags) findIn(p *policy.Policy) (*policy.Dimension, error) {
	var names []string
	var found *policy.Dimension
	for _, d := range p.Dimensions() {
		if d.Schemas != nil && (*f.dimension == "" || *f.dimension == d.Name) {
			names = append(names, d.Name)
			found = d
		}
	}
	switch {
	case len(names) > 1:
		return nil, fmt.Errorf("say which dimension with --dimension: %s", strings.Join(names, ", "))
	case found == nil && *f.dimension != "":
		return nil, fmt.Errorf("--dimension: the policy has no dimension %q whose values choose schemas", *f.dimension)
	case found == nil:
		return nil, errors.New("the policy has no dimension whose values choose schemas; docs/schemas.md shows one")
	}
	return found, nil
}

func newSchemaListCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "list --policy FILE [--dsn DSN]",
		Short: "the values, their schemas, and whether they exist and are registered",
		Long: `
scoped schema list prints the values of the registry and of the schemas that exist.`,
		Example: `
  scoped schema list --policy policy.yaml --dsn postgres://localhost/school
  scoped schema list --policy policy.yaml --format json`,
		Annotations: map[string]string{notes: `
The exit status is 0, or 2 when the command could not work; then standard error says why.`},
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := addSchemaFlags(command)
	format := formatFlag(command, "text", "json")
	command.RunE = func(command *cobra.Command, _ []string) error {
		d, err := flags.find(command)
		if err != nil {
			return err
		}
		conn, err := connect(command.Context(), *flags.dsn)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(command.Context()))
		m, err := schemas.New(conn, d)
		if err != nil {
			return err
		}
		list, err := m.List(command.Context())
		if err != nil {
			return err
		}
		return writeSchemas(command.OutOrStdout(), *format, list)
	}
	return command
}

// schemaLine is a schema for programs. Its form is stable.
type schemaLine struct {
	Value      string `json:"value"`
	Schema     string `json:"schema"`
	Problem    string `json:"problem,omitempty"`
	Exists     bool   `json:"exists"`
	Registered bool   `json:"registered"`
}

func writeSchemas(w io.Writer, format string, list []schemas.Schema) error {
	if format == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		for _, s := range list {
			if err := encoder.Encode(schemaLine{s.Value, s.Name, s.Problem, s.Exists, s.Registered}); err != nil {
				return err
			}
		}
		return nil
	}
	p := terminal.NewPrinter(w)
	for _, s := range list {
		state := ""
		switch {
		case s.Problem != "":
			state = s.Problem
		case !s.Exists:
			state = "does not exist"
		case !s.Registered:
			state = "not in the registry"
		}
		p.Line(fmt.Sprintf("%-24s %-24s %s", terminal.Visible(s.Value), terminal.Visible(s.Name), state))
	}
	return p.Flush()
}
