package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"refresh-poller/internal/version"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the program's version",
		GroupID: about.ID,
		Args:    noArguments,
		Run:     func(command *cobra.Command, _ []string) { printVersion(command) },
	}
}

func printVersion(command *cobra.Command) {
	fmt.Fprintln(command.OutOrStdout(), "refresh-poller "+version.Long())
}
