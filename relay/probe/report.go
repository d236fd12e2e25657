package probe

import (
	"slices"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// Report is what one check of a provider, or one test of a backend, found.
type Report struct {
	Provider string // provider id
	Model    string // the upstream's name of the model; "" when the provider as a whole was checked
	// Check is what was done: CheckedModels, CheckedChat, CheckedConnection,
	// CheckedNothing; "" when nothing could be done.
	Check        string
	OK           bool
	Kind         loadbalance.Kind // Success when OK, or when nothing was asked
	Status       int              // the provider's HTTP status; 0 if none came
	FirstContent time.Duration    // from the start to the first content of an answer; 0 if there was none
	Duration     time.Duration    // from the start to the end
	Usage        dialect.Usage    // of an answer
	Models       []string         // what the provider's model list names, in its order
	// Message says what is wrong and what to do about it; with OK it is a
	// remark or "". It never holds a credential.
	Message string
}

// What a Report's check was.
const (
	CheckedModels     = "models" // the provider's model list was read
	CheckedChat       = "chat"   // a chat of one short message, or what else a Test asks for
	CheckedConnection = "tcp"    // a connection, with TLS where the URL is https
	CheckedNothing    = "off"    // nothing: the provider's health_check is off
)

// Test says which backend is to be tried, and how.
type Test struct {
	Provider string           // provider id
	Model    string           // the upstream's name of the model
	Endpoint dialect.Endpoint // what is asked for, one of TestedEndpoints
	Stream   bool             // ask for a streamed answer; chats only
}

// TestedEndpoints are what a Test can ask a backend for, because that costs next to
// nothing. The slice is the caller's.
func TestedEndpoints() []dialect.Endpoint { return slices.Clone(probed[:]) }
