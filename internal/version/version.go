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

// Number returns the version, such as 0.1.0: the Makefile's, or else Go's own for a
// program built from a checkout, which names the commit, or else "devel".
func Number() string { return numberOf(number, buildInfo()) }

func numberOf(number string, info *debug.BuildInfo) string {
	main := info.Main.Version
	if main == "(devel)" {
		main = ""
	}
	return cmp.Or(number, strings.TrimPrefix(main, "v"), "devel")
}

// Long returns the version in one line for a person, with the commit, where it is
// known, and Go's version.
func Long() string { return longOf(number, buildInfo()) }

func longOf(number string, info *debug.BuildInfo) string {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	from := runtime.Version()
	if commit := settings["vcs.revision"]; commit != "" {
		changes := ""
		if settings["vcs.modified"] == "true" {
			changes = " and changes"
		}
		from = fmt.Sprintf("commit %.12s%s, %s", commit, changes, from)
	}
	return fmt.Sprintf("%s (%s, %s/%s)", numberOf(number, info), from, runtime.GOOS, runtime.GOARCH)
}

func buildInfo() *debug.BuildInfo {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info
	}
	return &debug.BuildInfo{}
}
