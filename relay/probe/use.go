package probe

import (
	"sync/atomic"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// Use is what one backend is used for. A backend that broke comes back by a probe,
// and what a probe asks it must be able to answer: a model that makes vectors
// refuses every chat, for ever. So it is remembered what each backend was asked for,
// and what it answered. The zero value knows nothing; it is safe for concurrent use.
type Use struct{ asked, served atomic.Uint32 } // sets of endpoints, as bits

// Asked notes that the backend was asked for the endpoint.
func (u *Use) Asked(e dialect.Endpoint) { note(&u.asked, e) }

// Served notes that it answered.
func (u *Use) Served(e dialect.Endpoint) { note(&u.served, e) }

// note adds an endpoint to a set. It is called for every attempt, and seldom
// has anything to add. A message is a chat to whoever answers it, and what makes
// responses shorter makes responses; that tokens can be counted says nothing of
// the model.
func note(set *atomic.Uint32, e dialect.Endpoint) {
	switch {
	case e.Counts():
		return
	case e == dialect.Messages:
		e = dialect.Chat
	case e == dialect.Compact:
		e = dialect.Responses
	}
	if bit := uint32(1) << e; set.Load()&bit == 0 {
		set.Or(bit)
	}
}

// probed are the endpoints that a probe can use, the surest proof first: what
// they ask costs next to nothing.
var probed = [...]dialect.Endpoint{dialect.Chat, dialect.Completions, dialect.Embeddings, dialect.Moderations, dialect.Responses}

// probes are the endpoints that a probe of the backend is to try, in order: the
// first of those that it has answered, else those that it was asked for, else all.
// There may be none: pictures and speech cost too much for a probe.
func (u *Use) probes() []dialect.Endpoint {
	served := u.served.Load()
	set := served
	if set == 0 {
		set = u.asked.Load()
	}
	if set == 0 {
		return probed[:]
	}
	var out []dialect.Endpoint
	for _, e := range probed {
		if set&(1<<e) != 0 {
			out = append(out, e)
		}
	}
	if served != 0 && len(out) > 1 {
		out = out[:1]
	}
	return out
}
