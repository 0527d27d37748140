package version

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestTheLongVersionNamesTheCommitWhereItIsKnown(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	of := runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH + ")"
	tests := map[string]struct {
		settings []debug.BuildSetting
		want     string
	}{
		"of a checkout":         {[]debug.BuildSetting{{Key: "vcs.revision", Value: commit}}, Number + " (commit 0123456789ab, " + of},
		"of a changed checkout": {[]debug.BuildSetting{{Key: "vcs.revision", Value: commit}, {Key: "vcs.modified", Value: "true"}}, Number + " (commit 0123456789ab and changes, " + of},
		"of files":              {nil, Number + " (" + of},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := long(&debug.BuildInfo{Settings: tt.settings}); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
