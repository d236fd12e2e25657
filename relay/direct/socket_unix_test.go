//go:build unix

package direct

import "testing"

// A connection that has nothing to read and nothing unread has no storage.
func TestWaitingWithoutStorage(t *testing.T) {
	near, far := tcp(t)
	c := newConn(nil, near)
	var came bool
	try := func() {
		t.Helper()
		if err := c.in.sock.raw.Control(func(fd uintptr) { came = c.in.sock.once(fd) }); err != nil {
			t.Fatal(err)
		}
	}
	if try(); came || c.in.b != nil {
		t.Errorf("nothing was sent: %v, %d bytes of storage", came, len(c.in.b))
	}
	if _, err := far.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := c.in.fill(); err != nil || string(c.in.bytes()) != "hello" {
		t.Fatalf("%q, %v", c.in.bytes(), err)
	}
	c.in.skip(2)
	if try(); came || string(c.in.bytes()) != "llo" {
		t.Errorf("with something unread: %v, %q", came, c.in.bytes())
	}
	c.in.skip(3)
	if _, err := far.Write([]byte("!")); err != nil {
		t.Fatal(err)
	}
	if err := c.in.fill(); err != nil || string(c.in.bytes()) != "!" {
		t.Fatalf("%q, %v", c.in.bytes(), err)
	}
	if c.in.skip(1); c.in.r != c.in.w {
		t.Fatal("something is left unread")
	}
	c.in.r, c.in.w = 0, 0 // as fill begins
	if try(); came || c.in.b != nil {
		t.Errorf("all was read: %v, %d bytes of storage", came, len(c.in.b))
	}
}
