// Package version tells which version of Refresh Poller a program was built from.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Number is the version: the only place where it is set. Tests hold the template's
// output and metadata, the changelog and a release's tag to it.
const Number = "0.3.0"

// Long returns the version in one line for a person, with the commit, where Go has
// stamped it, and Go's version.
func Long() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return long(info)
}

func long(info *debug.BuildInfo) string {
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
	return fmt.Sprintf("%s (%s, %s/%s)", Number, from, runtime.GOOS, runtime.GOARCH)
}
