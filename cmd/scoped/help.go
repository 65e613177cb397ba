package main

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/spf13/cobra"
)

// notes is the annotation of a command with what its help says last: forms, and
// the exit statuses.
const notes = "notes"

// helpWidth is the width of help, in characters.
const helpWidth = 98

// prepareHelp gives root and all of its commands a help that teaches by example,
// and faults that lead to it.
func prepareHelp(root *cobra.Command) {
	root.SetHelpCommand(newHelpCommand(root))
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		return fmt.Errorf("%w; %s", err, seeHelp(command))
	})
	root.SetHelpFunc(func(command *cobra.Command, _ []string) {
		io.WriteString(command.OutOrStdout(), help(command))
	})
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.Short = "what has bash, zsh, fish or PowerShell complete the command"
	}
	for command := range everyCommand(root) {
		command.DisableFlagsInUseLine = true
		command.Flags().SortFlags = false
		command.InitDefaultHelpFlag()
		command.Flags().Lookup("help").Hidden = true
	}
}

// everyCommand returns root and all of its commands, and theirs.
func everyCommand(root *cobra.Command) iter.Seq[*cobra.Command] {
	return func(yield func(*cobra.Command) bool) {
		if !yield(root) {
			return
		}
		for _, command := range root.Commands() {
			for c := range everyCommand(command) {
				if !yield(c) {
					return
				}
			}
		}
	}
}

func newHelpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: `this text; "scoped help rewrite" and "scoped rewrite -h" explain a command`,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			if len(args) == 0 {
				for _, command := range root.Commands() {
					if !command.Hidden {
						names = append(names, cobra.CompletionWithDesc(command.Name(), command.Short))
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(command *cobra.Command, args []string) error {
			about, rest, err := root.Find(args)
			if err == nil && about.HasSubCommands() && len(rest) > 0 {
				err = unknownCommand(about, rest[0])
			}
			if err != nil {
				return err
			}
			_, err = io.WriteString(command.OutOrStdout(), help(about))
			return err
		},
	}
}

// seeHelp is the end of a fault in a command line.
func seeHelp(command *cobra.Command) string {
	return fmt.Sprintf("%q shows how to use the command", command.CommandPath()+" -h")
}

// noArguments is the Args of a command that takes none.
func noArguments(command *cobra.Command, args []string) error {
	if len(args) > 0 {
		return errors.New("it takes no arguments; " + seeHelp(command))
	}
	return nil
}

// someArguments is the Args of a command that takes one or more.
func someArguments(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("it takes arguments; " + seeHelp(command))
	}
	return nil
}

// help returns the help of a command.
func help(command *cobra.Command) string {
	var b strings.Builder
	section := func(text string) {
		if text = strings.Trim(text, "\n"); text != "" {
			b.WriteString("\n" + text + "\n")
		}
	}
	b.WriteString(strings.Trim(command.Long, "\n") + "\n")
	section("  " + command.UseLine())
	if command.Example != "" {
		section("For example:\n\n" + strings.Trim(command.Example, "\n"))
	}
	section(commands(command))
	section(command.LocalFlags().FlagUsagesWrapped(helpWidth))
	section(command.Annotations[notes])
	return b.String()
}

func commands(command *cobra.Command) string {
	var b strings.Builder
	for _, c := range command.Commands() {
		if !c.Hidden {
			fmt.Fprintf(&b, "  %s %-10s  %s\n", command.CommandPath(), c.Name(), c.Short)
		}
	}
	return b.String()
}
