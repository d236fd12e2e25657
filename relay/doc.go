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
//
// What needs neither a gateway nor a request under way is a package of its own:
// relay/scan reads bodies, relay/upstream is a provider made ready, relay/dialect
// its wire format, relay/probe checks it, relay/stored knows who keeps a response.
// The files here are what is left, the two that hold each other:
//
//	gateway runtime build reuse     a configuration made ready, and taken over by a reload
//	offer uses                      a model as an endpoint sees it; what its backends were seen to do
//	checks discovery discovered     checks of providers, and the models that their lists name
//
//	serve request record            one request, from its body to what is told of it
//	format header                   in which form, and with which header, its client is answered
//	ledger attempt classify         the attempts: which is next, making one, judging it
//	translation clientform chatsonly  a request in another form than its backend's
//	count                           how many tokens one would be, counted or estimated
//	gate                            the commit, and the limits in time
//	plain raw media                 answers: whole ones, bytes, images and sound
//	stream streamend burst          streamed ones: event by event, their ends, few writes for many
//	readon resume stopping          a client that left, a stream that broke, a server that stops
//	anchor revisit                  responses that a provider keeps: going on from one, asking for one
package relay
