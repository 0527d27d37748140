package version

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestTheVersionIsTheBuildsOrElseGos(t *testing.T) {
	go126 := "(" + runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH + ")"
	stamped := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}, {Key: "vcs.modified", Value: "true"}}
	tests := map[string]struct {
		number       string
		info         debug.BuildInfo
		short, shown string
	}{
		"set":                     {"0.1.0", debug.BuildInfo{Main: debug.Module{Version: "v0.0.0-20251203235115-0123456789ab+dirty"}, Settings: stamped}, "0.1.0", "0.1.0 (commit 0123456789ab and changes, " + go126[1:]},
		"set, of no checkout":     {"0.1.0", debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "0.1.0", "0.1.0 " + go126},
		"of a checkout":           {"", debug.BuildInfo{Main: debug.Module{Version: "v0.0.0-20251203235115-0123456789ab"}, Settings: stamped[:1]}, "0.0.0-20251203235115-0123456789ab", "0.0.0-20251203235115-0123456789ab (commit 0123456789ab, " + go126[1:]},
		"of a checkout, with tag": {"", debug.BuildInfo{Main: debug.Module{Version: "v0.2.0"}}, "0.2.0", "0.2.0 " + go126},
		"of files":                {"", debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "devel", "devel " + go126},
		"of a test":               {"", debug.BuildInfo{}, "devel", "devel " + go126},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := numberOf(tt.number, &tt.info); got != tt.short {
				t.Errorf("got %q, want %q", got, tt.short)
			}
			if got := longOf(tt.number, &tt.info); got != tt.shown {
				t.Errorf("got %q, want %q", got, tt.shown)
			}
		})
	}
}
