// Kumo serves kumo, an emulator of AWS, on a free port of loopback, for its
// EventBridge. It prints the port and serves until its input ends, so that it never
// outlives the test that started it. Where KUMO_HOST and KUMO_PORT say, its rules find
// the queues.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sivchari/kumo"
)

func main() {
	server := kumo.NewServer()
	fmt.Println(server.URL[strings.LastIndex(server.URL, ":")+1:])
	io.Copy(io.Discard, os.Stdin) // its end is all that is waited for
}
