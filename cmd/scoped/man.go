package main

import (
	"os"
	"regexp"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newManCommand returns the hidden command that writes the manual pages, for those
// who package the command.
func newManCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "the manual pages, into a folder",
		Long:   "scoped man writes the manual pages of every command into a folder, which it makes if need be.",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			root := newRootCommand(nil, nil, nil)
			root.DisableAutoGenTag = true
			for c := range everyCommand(root) {
				c.Long += "\n\n" + indented.ReplaceAllString(c.Annotations[notes], "    $0")
			}
			return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "scoped-pgx"}, args[0])
		},
	}
}

// indented is how lines of examples begin, which Markdown wants to be deeper.
var indented = regexp.MustCompile(`(?m)^ +`)
