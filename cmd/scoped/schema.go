package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgxpool"
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
  scoped schema create acme --policy policy.yaml --dsn postgres://localhost/school
  scoped schema list --policy policy.yaml --dsn postgres://localhost/school
  scoped schema diff --policy policy.yaml --dsn postgres://localhost/school`,
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
	group.AddCommand(
		newSchemaCreateCommand(),
		newSchemaListCommand(),
		newSchemaDropCommand(),
		newSchemaRenameCommand(),
		newSchemaCloneCommand(),
		newSchemaDiffCommand(),
		newSchemaMigrateCommand(),
		newSchemaDumpCommand(),
		newSchemaLoadCommand(),
	)
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

// use calls do with a Manager that has as many connections as it may use at once.
func (f *schemaFlags) use(command *cobra.Command, connections int, do func(context.Context, *schemas.Manager) error) error {
	d, err := f.find(command)
	if err != nil {
		return err
	}
	if connections < 1 {
		return errors.New("--jobs: it takes at least one")
	}
	config, err := pgxpool.ParseConfig(*f.dsn)
	if err != nil {
		return err
	}
	removeOwn(config.ConnConfig)
	config.MaxConns = int32(connections)
	ctx, stop := signal.NotifyContext(command.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	m, err := schemas.New(pool, d)
	if err != nil {
		return err
	}
	return do(ctx, m)
}

// jobsFlag adds --jobs.
func jobsFlag(command *cobra.Command, usage string) *int {
	return command.Flags().Int("jobs", 4, usage)
}

func newSchemaListCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "list --policy FILE [--dsn DSN]",
		Short: "the values, their schemas, and what is in them",
		Long: `
scoped schema list prints the values of the registry and of the schemas that exist, with the
number of their tables and the migrations that they lack.`,
		Example: `
  scoped schema list --policy policy.yaml --dsn postgres://localhost/school
  scoped schema list --policy policy.yaml --format json`,
		Annotations: map[string]string{notes: `
The exit status is 0, or 2 when the command could not work; then standard error says why.`},
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := addSchemaFlags(command)
	sizes := command.Flags().Bool("size", false, "ask for the size of the tables, which takes a while where there are many")
	format := formatFlag(command, "text", "json")
	command.RunE = func(command *cobra.Command, _ []string) error {
		return flags.use(command, 1, func(ctx context.Context, m *schemas.Manager) error {
			list, err := m.List(ctx)
			if err != nil {
				return err
			}
			details, err := m.Details(ctx, *sizes)
			if err != nil {
				return err
			}
			return writeSchemas(command.OutOrStdout(), *format, list, details, *sizes)
		})
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
	Tables     int    `json:"tables"`
	Bytes      int64  `json:"bytes,omitempty"`
	Pending    int    `json:"pending"` // migrations
	Failure    string `json:"failure,omitempty"`
}

func writeSchemas(w io.Writer, format string, list []schemas.Schema, details map[string]*schemas.Details, sizes bool) error {
	p := terminal.NewPrinter(w)
	encoder := json.NewEncoder(p)
	encoder.SetEscapeHTML(false)
	lines := [][]string{{"value", "schema", "tables", "", ""}}
	if sizes {
		lines[0][3] = "size"
	}
	for _, s := range list {
		d := details[s.Name]
		if d == nil {
			d = &schemas.Details{}
		}
		if format == "json" {
			if err := encoder.Encode(schemaLine{s.Value, s.Name, s.Problem, s.Exists, s.Registered, d.Tables, d.Bytes, d.Pending, d.Failure}); err != nil {
				return err
			}
			continue
		}
		line := []string{s.Value, s.Name, "", "", ""}
		var remarks []string
		switch {
		case s.Problem != "":
			remarks = append(remarks, s.Problem)
		case !s.Exists:
			remarks = append(remarks, "does not exist")
		default:
			line[2] = strconv.Itoa(d.Tables)
			if sizes {
				line[3] = size(d.Bytes)
			}
			if !s.Registered {
				remarks = append(remarks, "not in the registry")
			}
			if d.Pending > 0 {
				remarks = append(remarks, fmt.Sprintf("lacks %d of the template's migrations", d.Pending))
			}
			if d.Failure != "" {
				remarks = append(remarks, "a migration failed: "+d.Failure)
			}
		}
		line[4] = strings.Join(remarks, ", ")
		lines = append(lines, line)
	}
	if format == "text" {
		writeColumns(p, lines, 2, 3)
	}
	return p.Flush()
}

// size returns a number of bytes as people read it.
func size(bytes int64) string {
	n, unit := float64(bytes), "B"
	for _, next := range []string{"kB", "MB", "GB", "TB"} {
		if n < 1024 {
			break
		}
		n, unit = n/1024, next
	}
	return fmt.Sprintf("%.3g %s", n, unit)
}

// writeColumns writes lines of columns, of which some are set to the right. The
// first line is their heading.
func writeColumns(p *terminal.Printer, lines [][]string, right ...int) {
	width := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, text := range line {
			line[i] = terminal.Visible(text)
			width[i] = max(width[i], utf8.RuneCountInString(line[i]))
		}
	}
	for n, line := range lines {
		var b strings.Builder
		for i, text := range line {
			if !slices.Contains(right, i) {
				fmt.Fprintf(&b, "%-*s  ", width[i], text)
			} else {
				fmt.Fprintf(&b, "%*s  ", width[i], text)
			}
		}
		text := strings.TrimRight(b.String(), " ")
		if n == 0 {
			text = p.Styled(terminal.Faint, text)
		}
		p.Line(text)
	}
}
