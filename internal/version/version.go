// Package version tells which version of Refresh Poller a program was built from.
package version

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// number is set by the Makefile's builds, with -ldflags.
var number string

// Number returns the version without a leading v, such as 0.1.0: the Makefile's,
// or else Go's own for a program built from a checkout, which names the commit, or
// else "devel".
func Number() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return numberOf(number, info)
}

func numberOf(number string, info *debug.BuildInfo) string {
	main := strings.TrimPrefix(info.Main.Version, "v")
	if main == "(devel)" {
		main = ""
	}
	return cmp.Or(number, main, "devel")
}

// Long returns the version in one line for a person, with the commit, where it is
// known, and Go's version.
func Long() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return longOf(number, info)
}

func longOf(number string, info *debug.BuildInfo) string {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	commit := ""
	if revision := settings["vcs.revision"]; revision != "" {
		commit = fmt.Sprintf("commit %.12s", revision)
		if settings["vcs.modified"] == "true" {
			commit += " and changes"
		}
		commit += ", "
	}
	return fmt.Sprintf("%s (%s%s, %s/%s)", numberOf(number, info), commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
