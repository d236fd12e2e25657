// Package mockllm is a fake LLM provider for tests, demonstrations and trying a configuration without a key.
//
// A server listens on loopback, records every request, and answers it in one of two ways:
//
//   - by a [Script]: a list of steps for each request, down to single network writes, resets and hanging
//     connections, so that every way in which a provider can misbehave is a line in a test;
//   - by its [Behaviour]: a believable provider with latency, a failure rate, models and a key, which can be broken
//     and mended while it runs.
//
// A script goes first; the requests that it leaves alone (it returns nil) are answered by the behaviour. Both are
// values that may be replaced at any time, for the requests that arrive after that.
//
// The server speaks HTTP/1.1 on the bare connection rather than through net/http's server, because a script must be
// able to send what a well-behaved server refuses to send.
//
// Words: a step is one thing done on the wire; a frame is the payload of one server-sent event; a request that was
// received is [Seen].
//
// Everybody may use this package; it depends on the standard library only. Every exported function and method is safe
// for concurrent use.
package mockllm
