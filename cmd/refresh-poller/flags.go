package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// variableKey marks a flag that an environment variable stands in for.
const variableKey = "variable"

// bind has the flag take its value from the environment variable where it is not
// given, and its help say so.
func bind(flags *pflag.FlagSet, name, variable string) {
	flag := flags.Lookup(name)
	flag.Usage += " [" + variable + "]"
	_ = flags.SetAnnotation(name, variableKey, []string{variable}) // fails without the flag, as above
}

// completeWith has shells offer the words for a flag, and never the names of files.
func completeWith[T ~string](command *cobra.Command, flag string, words ...T) {
	var all []cobra.Completion
	for _, word := range words {
		all = append(all, string(word))
	}
	_ = command.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(all, cobra.ShellCompDirectiveNoFileComp))
}

// readEnvironment sets the flags that are not given from their variables. An
// empty variable is one that is not set.
func readEnvironment(flags *pflag.FlagSet, environ map[string]string) error {
	var faults []string
	flags.VisitAll(func(flag *pflag.Flag) {
		for _, variable := range flag.Annotations[variableKey] {
			if value := environ[variable]; value != "" && !flag.Changed {
				if err := flags.Set(flag.Name, value); err != nil {
					faults = append(faults, variable+" "+right(flag, err))
				}
			}
		}
	})
	if len(faults) > 0 {
		return failure{exitBadArgument, strings.Join(faults, "\n")}
	}
	return nil
}

// flagFailure is cobra's error on flags in one sentence. It repeats no value.
func flagFailure(command *cobra.Command, err error) error {
	text := "a flag can't be read"
	if _, ok := errors.AsType[*pflag.NotExistError](err); ok {
		text = "there is no such flag"
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		text = "--" + e.GetFlag().Name + " needs a value"
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		text = "--" + e.GetFlag().Name + " " + right(e.GetFlag(), err)
	}
	return failure{exitBadArgument, fmt.Sprintf("%s: %s --help lists the flags", text, command.CommandPath())}
}

// right says what is right for the flag whose value err is about: what its own
// Set says, which begins with "must".
func right(flag *pflag.Flag, err error) string {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		err = e.Unwrap()
	}
	if flag.Value.Type() == "bool" {
		return "must be true or false"
	}
	return err.Error()
}
