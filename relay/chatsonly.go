package relay

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// Many servers of OpenAI's format have its chats and not its responses. A backend
// that turns one down for that is asked again at once, by a chat request, and
// then by chat requests only, until it is worth another try.

// How long a backend without responses is not asked for one. A new configuration
// ends it too.
const (
	chatsOnlyFor = time.Hour
	// missingFor is for one that had them before: something in front of it may
	// have answered.
	missingFor = time.Minute
)

// hasResponses reports whether the backend is not known to lack them.
func (u *use) hasResponses() bool {
	until := u.chatsOnly.Load()
	return until == 0 || time.Now().UnixNano() >= until
}

// served notes how the backend has answered a request: as it was, or by a chat
// after it had turned it down.
func (u *use) served(c *call) {
	u.Served(c.in.Endpoint)
	switch {
	case c.inChat && u.responds.Load():
		u.chatsOnly.Store(time.Now().Add(missingFor).UnixNano())
	case c.inChat:
		u.chatsOnly.Store(time.Now().Add(chatsOnlyFor).UnixNano())
	case c.in.Endpoint == dialect.Responses:
		u.responds.Store(true)
		u.chatsOnly.Store(0)
	}
}

// learn forgets which backends lack responses.
func (u *uses) learn() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, one := range u.all {
		one.chatsOnly.Store(0)
	}
}

// goesOnFrom reports whether the request needs what a provider keeps.
func (x *exchange) goesOnFrom() bool {
	return x.in.Scan.Previous != "" || x.in.Scan.Conversation != ""
}

// responsesRefused reports whether the backend turned the request down because its
// server has no responses, and it can be made again as a chat request. If it
// cannot, the verdict says what to send instead.
func (x *exchange) responsesRefused(c *call, v *verdict) bool {
	// A provider that keeps what the request goes on from has them.
	if c.in.Endpoint != dialect.Responses || !v.unoffered || x.anchored != "" || x.left() || !lacksRoute(c.a.Status, v.err) {
		return false
	}
	if err := x.translate(c); err != nil {
		v.err = clientFault(err)
		return false
	}
	c.inChat = true
	c.t.use.Asked(dialect.Chat)
	return true
}

// noRoute are words of an answer about the path; namesThing are those of a 404
// about what the request names: a model, a deployment, an earlier response, one of
// its items, what only the account has.
var (
	noRoute    = [...]string{"responses", "url", "path", "route"}
	namesThing = [...]string{"model", "deployment", "engine", "item", "conversation", "with id", "container", "organization", "project", "endpoints found"}
)

// lacksRoute reports whether an answer says that the server does not know the
// path.
func lacksRoute(status int, fault *apierror.Error) bool {
	text, param := strings.ToLower(fault.Code+" "+fault.Message), strings.ToLower(fault.Param)
	switch {
	case strings.Contains(text+param, "previous_response"):
		return false
	case status != http.StatusNotFound, strings.Contains(text, noRoute[0]):
		return true
	case param != "" && param != "none": // which some servers say for none
		return slices.Contains(noRoute[:], param)
	}
	return !slices.ContainsFunc(namesThing[:], func(word string) bool { return strings.Contains(text, word) })
}
