package main

import "github.com/spf13/cobra"

// complete has a shell complete a flag's value to one of the names.
func complete(command *cobra.Command, flag string, names ...string) {
	completeFunc(command, flag, cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
}

// completeFiles has a shell complete a flag's value to a file with one of the
// extensions, or to a folder that may hold one.
func completeFiles(command *cobra.Command, flag string, extensions ...string) {
	completeFunc(command, flag, cobra.FixedCompletions(extensions, cobra.ShellCompDirectiveFilterFileExt))
}

// completeDimensions has a shell complete a flag's value to the dimensions of the
// policy, where the command line names one before that can be read.
func completeDimensions(command *cobra.Command, flag string) {
	completeFunc(command, flag, func(command *cobra.Command, _ []string, _ string) (names []string, _ cobra.ShellCompDirective) {
		const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		flag := command.Flags().Lookup("policy")
		if flag == nil {
			return nil, directive
		}
		p, err := loadPolicy(command, flag.Value.String())
		if err != nil {
			return nil, directive
		}
		for _, d := range p.Dimensions() {
			names = append(names, cobra.CompletionWithDesc(d.Name+"=", string(d.Type)))
		}
		return names, directive
	})
}

// completeFunc panics where the command has no such flag.
func completeFunc(command *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := command.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err)
	}
}
