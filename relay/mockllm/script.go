package mockllm

import (
	"net/http"
	"sync/atomic"
)

// A Script decides the steps of one request. nil leaves the request to the server's behaviour; an empty list that is
// not nil closes the connection without a byte. Requests on several connections call it concurrently. It owns r.
type Script func(r *Seen) []Step

// Always does the same for every request; without steps it leaves them to the behaviour.
func Always(steps ...Step) Script {
	return func(*Seen) []Step { return steps }
}

// Attempts hands the first request that it is asked about to the first script, the second one to the second, and so
// on; the last script has all that follow. Without scripts everything is left to the behaviour.
func Attempts(scripts ...Script) Script {
	var asked atomic.Int64
	return func(r *Seen) []Step {
		if len(scripts) == 0 {
			return nil
		}
		n := min(int(asked.Add(1)), len(scripts))
		return scripts[n-1](r)
	}
}

// OnChat limits a script to chat completions; model lists and the rest are left to the behaviour.
func OnChat(script Script) Script {
	return func(r *Seen) []Step {
		if r.Method != http.MethodPost || r.Path != chatPath {
			return nil
		}
		return script(r)
	}
}

// Leave is the script that leaves every request to the server's behaviour; of use inside Attempts.
func Leave(*Seen) []Step { return nil }
