package main

import (
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

var completions = map[string]func(root *cobra.Command, to io.Writer) error{
	"bash":       func(root *cobra.Command, to io.Writer) error { return root.GenBashCompletionV2(to, true) },
	"fish":       func(root *cobra.Command, to io.Writer) error { return root.GenFishCompletion(to, true) },
	"powershell": (*cobra.Command).GenPowerShellCompletionWithDesc,
	"zsh":        (*cobra.Command).GenZshCompletion,
}

func newCompletion() *cobra.Command {
	shells := slices.Sorted(maps.Keys(completions))
	return &cobra.Command{
		Use:   "completion " + strings.Join(shells, "|"),
		Short: "Print a script that completes commands and flags in a shell",
		Long:  "Print a script that completes commands and flags in a shell. That of bash needs\nthe package bash-completion.",
		Example: `  source <(refresh-poller completion bash)
  refresh-poller completion zsh > "${fpath[1]}/_refresh-poller"
  refresh-poller completion fish | source`,
		GroupID:   about.ID,
		ValidArgs: shells,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || completions[args[0]] == nil {
				return failure{exitBadArgument, "give one shell: " + strings.Join(shells, ", ")}
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			if err := completions[args[0]](command.Root(), command.OutOrStdout()); err != nil {
				return failure{exitNotWritten, err.Error()}
			}
			return nil
		},
	}
}
