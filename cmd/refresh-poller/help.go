package main

import (
	"fmt"
	"strings"

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
			command.InitDefaultHelpFlag() // which the text has only then
			return command.Help()
		},
	}
}

// usage is cobra's, with lines of 80 columns at most. Cobra has a template for that,
// but a template may call any method by its name, so the linker could leave none
// out: the program would be two thirds larger.
func usage(command *cobra.Command) error {
	var text strings.Builder
	fmt.Fprintf(&text, "Usage:\n  %s\n", command.UseLine())
	if command.HasAvailableSubCommands() {
		fmt.Fprintf(&text, "  %s [command]\n", command.CommandPath())
	}
	if command.HasExample() {
		fmt.Fprintf(&text, "\nExamples:\n%s\n", command.Example)
	}
	for _, group := range command.Groups() {
		fmt.Fprintf(&text, "\n%s\n", group.Title)
		for _, sub := range command.Commands() {
			if sub.GroupID == group.ID {
				fmt.Fprintf(&text, "  %-*s %s\n", sub.NamePadding(), sub.Name(), sub.Short)
			}
		}
	}
	fmt.Fprintf(&text, "\nFlags:\n%s", command.LocalFlags().FlagUsagesWrapped(80))
	if command.HasAvailableSubCommands() {
		fmt.Fprintf(&text, "\nUse \"%s [command] --help\" for more information about a command.\n", command.CommandPath())
	}
	_, err := fmt.Fprint(command.OutOrStderr(), text.String())
	return err
}
