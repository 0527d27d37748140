package connection

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// nothingUnacknowledged reports whether the peer has acknowledged all that was
// written to a connection of TCP: of that the output queue is what is "not sent +
// not acked" (SIOCOUTQ in include/uapi/linux/sockios.h).
func nothingUnacknowledged(conn net.Conn) bool {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	queued := -1
	err = raw.Control(func(fd uintptr) {
		if n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); err == nil {
			queued = n
		}
	})
	return err == nil && queued == 0
}
