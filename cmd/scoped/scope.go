package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/scope"
	"github.com/scoped-pgx/scoped/policy"
)

// scopeFlags are --scope and --disabled.
type scopeFlags struct {
	command  *cobra.Command
	scopes   []string
	disabled string
}

func addScopeFlags(command *cobra.Command) *scopeFlags {
	f := &scopeFlags{command: command}
	command.Flags().StringArrayVar(&f.scopes, "scope", nil,
		"a dimension and its values, `DIM=VALUES`: one, several with commas between them, or *; each dimension once. A value"+
			" with a comma in it cannot be written here.")
	completeDimensions(command, "scope")
	command.Flags().StringVar(&f.disabled, "disabled", "",
		"scopes are disabled for a `REASON`, as scoped.Disable does; not together with --scope")
	return f
}

// scope returns what the flags mean under a policy.
func (f *scopeFlags) scope(p *policy.Policy) (*scope.Scope, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	s, err := scope.New(p, f.scopes)
	if err != nil {
		return nil, err
	}
	s.Disabled = f.disabled
	return s, nil
}

// check reports what is wrong with the flags under every policy.
func (f *scopeFlags) check() error {
	switch disabled := f.command.Flags().Changed("disabled"); {
	case disabled && strings.TrimSpace(f.disabled) == "":
		return errors.New("--disabled needs a reason")
	case disabled && len(f.scopes) > 0:
		return errors.New("--disabled and --scope exclude each other")
	}
	return nil
}
