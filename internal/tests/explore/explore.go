// Package explore walks through everything that may happen in a small world, and
// finds the shortest way to where something is wrong.
//
// The search is stateless: a world can't be copied, only started anew and led
// along the same choices. It goes breadth first, so the first failure is a
// shortest one, and goes on from no state twice. What the world is, and what is
// wrong in it, is the caller's.
package explore

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// World is one run. The same choices lead to the same state, every time.
type World interface {
	// Choices returns how many things may happen next: 0 where all is over. Who
	// always takes the first has to come to an end.
	Choices() int
	// Words tell one of those choices, counted from 0, from the others.
	Words(choice int) string
	// Take has one of those choices happen, and returns what is wrong then.
	Take(choice int) error
	// State is equal where all that may follow is.
	State() string
	// Close stops what still runs.
	Close()
}

// System makes worlds.
type System struct {
	New func() World
	// Within calls body where worlds can live, such as in a bubble of
	// testing/synctest, and returns after it. Several may be under way at a time.
	Within func(body func())
}

// Result is what a search has covered.
type Result struct {
	// Schedules is how many were run, each to a state that may have been known, or
	// to the bound and on to its end. States is how many there are, Ends at how many
	// of them all was over, Longest the most steps to one.
	Schedules, States, Ends, Longest int
	// Cut says that the bound of the steps was reached.
	Cut bool
	// Failure is a shortest schedule on which something is wrong, or nil.
	Failure *Failure
}

// Failure is a schedule that Replay takes, and what is wrong after it.
type Failure struct {
	Schedule []string
	Err      error
}

// Error tells one step a line.
func (f *Failure) Error() string {
	return fmt.Sprintf("%v, after these %d steps:\n%s", f.Err, len(f.Schedule), strings.Join(f.Schedule, "\n"))
}

func (f *Failure) Unwrap() error { return f.Err }

var (
	// ErrEndless is that of a schedule after which the world may come to the same
	// state again.
	ErrEndless = errors.New("this may never end: the same state comes again")
	// ErrState is that of a schedule after which the world is in the same state as
	// after another, and has not as many choices: State says too little.
	ErrState = errors.New("two states are taken for one")
)

// node is a state, and a shortest way to it.
type node struct {
	id, depth       int
	before          *node
	choice, choices int   // the one of before that leads here, and how many there are
	next            []int // the states one step on, by their id
}

func (n *node) path() []int {
	var path []int
	for ; n.before != nil; n = n.before {
		path = append(path, n.choice)
	}
	slices.Reverse(path)
	return path
}

// outcome is what a schedule led to.
type outcome struct {
	state   [sha256.Size]byte
	choices int
	words   []string
	err     error
}

// Search runs every schedule. If steps is above 0, it goes on from no state so
// far from the start: there it always takes the first choice, until all is over.
func (s System) Search(steps int) Result {
	known := map[[sha256.Size]byte]*node{}
	var r Result
	var all, level []*node
	add := func(o outcome, before *node, choice int) *node {
		n := &node{id: len(all), before: before, choice: choice, choices: o.choices}
		if before != nil {
			n.depth = before.depth + 1
		}
		if o.choices == 0 {
			r.Ends++
		}
		all, level = append(all, n), append(level, n)
		known[o.state], r.States, r.Longest = n, len(all), n.depth
		return n
	}
	s.Within(func() { add(s.run(nil, false, false), nil, 0) })
	for len(level) > 0 {
		r.Cut = steps > 0 && level[0].depth >= steps-1
		here := level
		level = nil
		for i, outcomes := range s.expand(here, r.Cut) {
			for choice, o := range outcomes {
				r.Schedules++
				if o.err != nil {
					r.Failure = s.explain(append(here[i].path(), choice), r.Cut, o.err)
					return r
				}
				if r.Cut {
					continue
				}
				n := known[o.state]
				if n == nil {
					n = add(o, here[i], choice)
				} else if n.choices != o.choices {
					r.Failure = s.explain(n.path(), false, ErrState)
					return r
				}
				here[i].next = append(here[i].next, n.id)
			}
		}
	}
	if n := cycle(all); n != nil {
		r.Failure = s.explain(n.path(), false, ErrEndless)
	}
	return r
}

// expand takes every choice of every node, each in a world of its own.
func (s System) expand(nodes []*node, settle bool) [][]outcome {
	found := make([][]outcome, len(nodes))
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			s.Within(func() {
				for i := worker; i < len(nodes); i += workers {
					for choice := range nodes[i].choices {
						found[i] = append(found[i], s.run(append(nodes[i].path(), choice), settle, false))
					}
				}
			})
		})
	}
	wg.Wait()
	return found
}

// run takes the choices of a path, and if it is to settle the first ones after
// that. What it returns has words if they are to be told.
func (s System) run(path []int, settle, tell bool) (o outcome) {
	w := s.New()
	defer w.Close()
	for i := 0; o.err == nil; i++ {
		o.choices = w.Choices()
		if i >= len(path) && (!settle || o.choices == 0) {
			o.state = sha256.Sum256([]byte(w.State()))
			return o
		}
		choice := 0
		if i < len(path) {
			choice = path[i]
		}
		if tell {
			o.words = append(o.words, w.Words(choice))
		}
		o.err = w.Take(choice)
	}
	return o
}

// explain runs a path again, for its words.
func (s System) explain(path []int, settle bool, err error) (f *Failure) {
	s.Within(func() {
		o := s.run(path, settle, true)
		f = &Failure{o.words, cmp.Or(o.err, err)}
	})
	return f
}

// cycle returns the first node from which a way leads back to it, or nil.
func cycle(all []*node) *node {
	before := make([]int, len(all)) // how many steps lead there, from where a cycle may be
	for _, n := range all {
		for _, id := range n.next {
			before[id]++
		}
	}
	var free []*node
	if before[0] == 0 {
		free = append(free, all[0])
	}
	for i := 0; i < len(free); i++ {
		for _, id := range free[i].next {
			if before[id]--; before[id] == 0 {
				free = append(free, all[id])
			}
		}
	}
	for _, n := range all {
		if before[n.id] > 0 && n.leadsBack(all) {
			return n
		}
	}
	return nil
}

func (n *node) leadsBack(all []*node) bool {
	reached := map[int]bool{}
	for ways := []int{n.id}; len(ways) > 0; ways = ways[1:] {
		for _, id := range all[ways[0]].next {
			if id == n.id {
				return true
			}
			if !reached[id] {
				reached[id], ways = true, append(ways, id)
			}
		}
	}
	return false
}

// Replay takes the choices of a schedule, by their words, and returns what is
// wrong with it or after it.
func (s System) Replay(schedule []string) (err error) {
	s.Within(func() {
		w := s.New()
		defer w.Close()
		for i, words := range schedule {
			choice, choices := 0, w.Choices()
			for choice < choices && w.Words(choice) != words {
				choice++
			}
			if choice == choices {
				err = fmt.Errorf("step %d can't happen: %s", i+1, words)
			} else {
				err = w.Take(choice)
			}
			if err != nil {
				return
			}
		}
	})
	return err
}
