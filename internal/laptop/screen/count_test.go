package screen

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestACountIsABarUntilItIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tty := &terminal{t: t, width: 60}
		c := newCount(tty, tty.size, "moved")
		for _, step := range []struct {
			n, of int
			want  string
		}{
			{0, 200, "moved [-------------------------------------------] 0 of 200\n"},
			{50, 200, "moved [==========>-------------------------------] 50 of 200\n"},
			{210, 210, "moved [========================================>] 210 of 210\n"},
		} {
			c.Show(step.n, step.of)
			time.Sleep(time.Second)
			if diff := cmp.Diff(step.want, tty.shown()); diff != "" {
				t.Error(diff)
			}
		}
		c.Close()
		if got := tty.shown(); got != "\n" {
			t.Errorf("left: %q", got)
		}
	})
}
