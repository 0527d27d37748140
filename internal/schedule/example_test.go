package schedule_test

import (
	"fmt"
	"time"

	"refresh-poller/internal/schedule"
)

// A job of an hour that tells no progress, at the template's defaults.
func ExampleNext() {
	polls, age := 1, time.Duration(0)
	for age < time.Hour {
		age += schedule.Next(schedule.Moment{
			WatchID: "059f36b4-87a3-44ab-83d2-661975830a7d", Polls: polls, Watched: age,
			Min: 2 * time.Second, Max: 300 * time.Second, Until: 24*time.Hour - age,
		})
		polls++
	}
	fmt.Printf("seen to be over at the poll %d, after %s\n", polls, age)
	// Output: seen to be over at the poll 37, after 1h1m21s
}
