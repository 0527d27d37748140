package screen

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"refresh-poller/internal/milvus"
)

func TestARowDropsWhatMattersLeastWhereThereIsNoRoom(t *testing.T) {
	now := time.Now()
	v := &view{begun: now.Add(-90 * time.Second), seen: now, entry: entry{
		title: "4495038292745093130", jobKind: milvus.ExternalCollection, state: "RefreshInProgress", progress: 42, delay: 299 * time.Second, reason: "files are listed",
	}}
	for width, want := range map[int]string{
		40:  "4495038292745093130  42 %  in progress",
		52:  "4495038292745093130 [===>-----]  42 %  in progress",
		53:  "4495038292745093130  42 %  in progress    next 4m59s",
		60:  "4495038292745093130 [=>--]  42 %  in progress    next 4m59s",
		68:  "4495038292745093130 [=>--]  42 %  in progress     1m30s  next 4m59s",
		80:  "4495038292745093130 [======>---------]  42 %  in progress     1m30s  next 4m59s",
		160: "4495038292745093130 [=======>----------]  42 %  in progress     1m30s  next 4m59s   files are listed",
	} {
		if diff := cmp.Diff(want, v.row(width, 19, now, false)); diff != "" {
			t.Errorf("%d: %s", width, diff)
		}
	}
}

func TestALongTitleLeavesTheOtherColumnsTheirRoom(t *testing.T) {
	now := time.Now()
	v := &view{begun: now, seen: now, entry: entry{title: "production_external_books_of_2024", jobKind: milvus.ExternalCollection, state: "RefreshInProgress", progress: 42, delay: 9 * time.Second}}
	for width, want := range map[int]string{
		60:  "production_externa… [=>--]  42 %  in progress    next 9s",
		80:  "production_external… [=====>---------]  42 %  in progress        0s  next 9s",
		160: "production_external_books_of_2024 [=======>----------]  42 %  in progress        0s  next 9s",
	} {
		if diff := cmp.Diff(want, v.row(width, len(v.title), now, false)); diff != "" {
			t.Errorf("%d: %s", width, diff)
		}
	}
}

func TestNoRowIsWiderThanItsCells(t *testing.T) {
	now := time.Now()
	for width := 1; width < 200; width++ {
		v := &view{begun: now.Add(-time.Hour), seen: now, entry: read(polled("progress", 100, "errorKind", "temporary", "error", strings.Repeat("错x", 200), "delaySeconds", 5))}
		for _, titles := range []int{1, 19, 255} {
			if text := v.row(width, titles, now, false); runewidth.StringWidth(text) > width {
				t.Errorf("%q is wider than %d", text, width)
			}
		}
	}
}

func TestARowShowsAnEndAtAGlance(t *testing.T) {
	now := time.Now()
	for outcome, want := range map[milvus.Outcome]string{
		milvus.Succeeded:      "\x1b[32m1   7 %  ✓ completed\x1b[m",
		milvus.Failed:         "\x1b[31m1   7 %  ✗ completed\x1b[m",
		milvus.AwaitingCommit: "\x1b[33m1   7 %  ! completed\x1b[m",
		"":                    "\x1b[33m1   7 %  ! completed\x1b[m",
	} {
		v := &view{begun: now, seen: now, entry: entry{title: "1", jobKind: "import", state: "Completed", progress: 7, ended: true, outcome: outcome}}
		if diff := cmp.Diff(want, v.row(26, 1, now, true)); diff != "" {
			t.Error(outcome, diff)
		}
	}
}

func TestALongStateUsesTheSpaceBeforeTheAge(t *testing.T) {
	now := time.Now()
	v := &view{begun: now.Add(-9 * time.Second), seen: now, entry: entry{title: "1", jobKind: "import", state: "IndexBuilding", progress: 7, delay: time.Second}}
	want := "1 [----]   7 %  index building     9s  next 1s"
	if diff := cmp.Diff(want, v.row(50, 1, now, false)); diff != "" {
		t.Error(diff)
	}
}

func TestTheStatusStandsBelowTheRowsToTheEnd(t *testing.T) {
	shown := onBars(t, 80, func(s *Screen, tty *terminal) {
		s.Status(func() string { return "queue: 1" })
		s.Expect(jobID, "ext_books")
		time.Sleep(time.Second)
		poll(s, append(completed, "collection", "ext_books")...)
	})
	want := "ext_books [==================] 100 %  ✓ completed        0s\nqueue: 1\n"
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Error(diff)
	}
}
