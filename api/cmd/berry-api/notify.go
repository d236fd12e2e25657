package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

// What a service manager is told, in systemd's protocol: datagrams to the
// socket that NOTIFY_SOCKET names.
const (
	stateReady    = "READY=1\nSTATUS=Serving"
	stateStopping = "STOPPING=1\nSTATUS=Draining"
	stateRefused  = "STATUS=Serving; the new configuration was refused, the log says why"
)

// notifier tells the service manager how the server is. The zero value tells nobody.
type notifier struct {
	socket string
	stderr io.Writer
}

func newNotifier(stderr io.Writer) notifier {
	return notifier{socket: os.Getenv("NOTIFY_SOCKET"), stderr: stderr}
}

// tell does not fail: a server that cannot be watched serves all the same.
func (n notifier) tell(state string) {
	if n.socket == "" {
		return
	}
	c, err := net.Dial("unixgram", n.socket)
	if err == nil {
		_, err = io.WriteString(c, state)
		_ = c.Close()
	}
	if err != nil {
		fmt.Fprintf(n.stderr, "⚠️  cannot tell the service manager (NOTIFY_SOCKET): %v\n", err)
	}
}
