//go:build unix

package direct

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// socket is the system's side of a connection.
type socket struct {
	look  func(fd uintptr) bool
	quiet bool // what it found

	raw  syscall.RawConn // nil for a connection that has none
	once func(fd uintptr) bool
	n    int // what it found
	err  error
}

// open makes s the system's side of nc, whose bytes go to in.
func (s *socket) open(nc net.Conn, in *buffer) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	var b [1]byte
	s.raw = raw
	s.look = func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		s.quiet = errors.Is(err, syscall.EAGAIN)
		return true
	}
	s.once = func(fd uintptr) bool {
		room := in.borrow()
		for {
			n, err := syscall.Read(int(fd), room)
			errno, _ := err.(syscall.Errno) //nolint:errorlint // it is the system's own, and every read comes by here
			switch {
			case errno == syscall.EINTR:
				continue
			case errno == syscall.EAGAIN:
				in.giveBack()
				return false
			case err != nil:
				n, err = 0, os.NewSyscallError("read", err)
			case n == 0:
				err = io.EOF
			}
			s.n, s.err = n, err
			return true
		}
	}
}

// alive reports whether an idle connection can be used: the other side has
// neither closed it nor said anything. It does not block.
func (s *socket) alive() bool {
	if s.raw == nil {
		return true
	}
	s.quiet = false
	return s.raw.Read(s.look) == nil && s.quiet
}

// read waits until there is something and reads it into the buffer's room, which
// is borrowed only then. It is false for a connection that cannot do so.
func (s *socket) read() (n int, ok bool, err error) {
	if s.raw == nil {
		return 0, false, nil
	}
	if err := s.raw.Read(s.once); err != nil {
		return 0, true, err
	}
	return s.n, true, s.err
}
