//go:build !linux

package connection

import "net"

// nothingUnacknowledged reports false: only Linux is asked.
func nothingUnacknowledged(net.Conn) bool { return false }
