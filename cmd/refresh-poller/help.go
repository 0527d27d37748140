package main

import (
	"github.com/spf13/cobra"
)

// newHelp is cobra's, whose own takes an unknown command for no fault.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Explain a command",
		GroupID: about.ID,
		ValidArgsFunction: func(help *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var names []cobra.Completion
			for _, command := range help.Root().Commands() {
				if command.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(command.Name(), command.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(help *cobra.Command, args []string) error {
			command, rest, _ := help.Root().Find(args)
			if len(rest) > 0 {
				return noCommand(help.Root(), rest[0])
			}
			command.InitDefaultHelpFlag() // which the text has only then, like the next
			command.InitDefaultVersionFlag()
			return command.Help()
		},
	}
}
