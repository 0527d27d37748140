package schedule_test

import (
	"fmt"
	"time"

	"refresh-poller/internal/schedule"
)

// A job of an hour, at the template's defaults.
func ExampleNext() {
	polls, age := 1, time.Duration(0)
	for age < time.Hour {
		age += schedule.Next(schedule.Moment{
			Polls: polls, Min: 5 * time.Second, Max: 300 * time.Second, Until: 24*time.Hour - age,
		})
		polls++
	}
	fmt.Printf("seen to be over at the poll %d, after %s\n", polls, age)
	// Output: seen to be over at the poll 22, after 1h4m20s
}
