package relay

import (
	"net/http"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// Many servers of OpenAI's format have its chats and not its responses. A backend
// that turns one down for that is asked again at once, by a chat request, and
// then by chat requests only, until it is worth another try.

// chatsOnlyFor is how long a backend without responses is not asked for one. A
// new configuration ends it too.
const chatsOnlyFor = time.Hour

// hasResponses reports whether the backend is not known to lack them.
func (u *use) hasResponses() bool {
	until := u.chatsOnly.Load()
	return until == 0 || time.Now().UnixNano() >= until
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
// server has no responses, and it can be made again as a chat request.
func (x *exchange) responsesRefused(c *call, v verdict) bool {
	if c.in.Endpoint != dialect.Responses || !v.unoffered || x.goesOnFrom() || x.left() || !lacksRoute(c.a.Status, v.err) {
		return false
	}
	if x.translate(c) != nil { // what it says a chat cannot
		return false
	}
	c.inChat = true
	c.t.use.Asked(dialect.Chat)
	return true
}

// lacksRoute reports whether an answer says that the server does not know the
// path. A 404 may as well speak of what the request names: a model, a
// deployment, an earlier response, one of its items.
func lacksRoute(status int, fault *apierror.Error) bool {
	if status != http.StatusNotFound {
		return unofferedStatus(status)
	}
	text := strings.ToLower(fault.Code + " " + fault.Message)
	if fault.Param != "" || strings.Contains(text, "previous_response") {
		return false
	}
	if strings.Contains(text, "responses") { // the path, or what it is called
		return true
	}
	for _, word := range []string{"model", "deployment", "engine", "item", "conversation"} {
		if strings.Contains(text, word) {
			return false
		}
	}
	return true
}
