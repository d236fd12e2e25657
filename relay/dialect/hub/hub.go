// Package hub is what the forms of requests that are put into OpenAI's chat
// format have in common on their way there and back: what such a chat request
// is, what a target takes of it, and how its chunks are read again.
//
// A form is how a client speaks: Anthropic's messages, OpenAI's responses. A
// block is one piece of an answer: text, reasoning, a tool call.
//
// The packages messages and responses are built on it; relay says the target.
package hub

// Target is what a request put into the chat format is for.
type Target struct {
	Model  string // to be named in it
	Effort string // how much to reason, in words that the model takes; "" for nothing said
	// Bookkeeping says that the provider wants to know what is not the model's
	// concern: for whom it works, how much that may cost, what to find again in its
	// cache. Some servers refuse a request that tells them.
	Bookkeeping bool
	// Reasoning says that the provider wants its own reasoning back.
	Reasoning bool
}
