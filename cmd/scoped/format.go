package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// formatFlag adds --format, which is one of the names, the first by default.
func formatFlag(command *cobra.Command, names ...string) *string {
	f := &choice{value: names[0], names: names}
	command.Flags().Var(f, "format", "how results are written, `"+strings.Join(names, "|")+"`")
	complete(command, "format", names...)
	return &f.value
}

// A choice is a flag's value that is one of some names.
type choice struct {
	value string
	names []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return "string" }

func (c *choice) Set(value string) error {
	if !slices.Contains(c.names, value) {
		last := len(c.names) - 1
		return fmt.Errorf("the formats are %s and %s", strings.Join(c.names[:last], ", "), c.names[last])
	}
	c.value = value
	return nil
}
