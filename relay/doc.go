// Package relay carries a client's request to a backend and its answer back:
// it is what a configuration means, made ready to serve.
//
// A Gateway holds the current Runtime, one configuration made ready, and the
// fleet of backends that outlives reloads. Serve takes one request through one
// straight pipe: read and scan the body, find the model, check what the user
// may do, then pick a backend, send, judge the outcome and, where that helps,
// try again, until the first content is written to the client. That moment is
// the commit: after it nothing is retried, and a failure is an error frame
// inside the stream.
//
// api calls Serve from its handlers and implements Observer; berry-cli uses a
// Runtime's CheckProvider and TestBackend. relay knows net/http and nothing of
// routers, loggers or metric libraries. All exported methods are safe for
// concurrent use unless they say otherwise.
package relay
