package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

func main() {
	for _, l := range []struct {
		l time.Duration
		n int
	}{{0, 500}, {20 * time.Millisecond, 50}, {50 * time.Millisecond, 50}} {
		c, err := compare(l.l, l.n)
		fmt.Printf("%+v %.3f %v\n", c, c.ratio(), err)
	}
	p, err := runProcess(context.Background(), os.Args[1], 21, 300)
	fmt.Printf("%+v %v\n", p, err)
	z, err := zipped(os.Args[1])
	fmt.Println(z, err)
}
