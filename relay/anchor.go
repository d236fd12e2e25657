package relay

import (
	"slices"
	"strings"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/openai"
	"github.com/PPKunOfficial/berry-api/relay/stored"
)

// A response that its provider keeps can be gone on from at that provider alone.
// Here a request finds its way back to it, and each answer is remembered for
// those that follow.

// anchor pins the request to the provider that keeps what it goes on from.
func (x *exchange) anchor() *apierror.Error {
	s := &x.in.Scan
	if !x.rec.Endpoint.Continues() {
		return nil
	}
	for _, from := range [...]struct{ param, id string }{{"previous_response_id", s.Previous}, {"conversation", s.Conversation}} {
		if from.id == "" {
			continue
		}
		h, ok, foreign := x.g.stored.Find(x.rec.User.ID, from.id)
		switch {
		case foreign, ok && x.rt.upstreams[h.Provider] == nil: // somebody else's, or gone with its provider
			return previousNotFound(from.id, from.param)
		case !ok:
			x.adrift = true
		case x.anchored != "" && x.anchored != h.Provider, !x.moor(h.Provider):
			return apierror.New(apierror.InvalidValue, "%s %.100q is kept by a provider that cannot serve this request; use the model that made it",
				from.param, from.id).WithParam(from.param)
		}
	}
	x.adrift = x.adrift && x.anchored == ""
	return nil
}

// moor pins the request to the provider, if its model is served there: the model
// itself, or the one that is meant for longer prompts.
func (x *exchange) moor(provider string) bool {
	if !x.model.listedAt(provider) {
		to := x.fallback()
		if !to.listedAt(provider) {
			return false
		}
		x.model = to
	}
	x.anchored = provider
	return true
}

// previousNotFound is the error that OpenAI answers with too.
func previousNotFound(id, param string) *apierror.Error {
	return apierror.New(apierror.PreviousNotFound, "%s %.100q is not known here: send the whole conversation as input", param, id).WithParam(param)
}

// listedAt reports whether one of the model's listings is at the provider.
func (m *Model) listedAt(provider string) bool {
	return m != nil && slices.ContainsFunc(m.Listings, func(l config.Listing) bool { return l.Provider == provider })
}

// keptElsewhere reports whether an upstream does not know what the request goes
// on from while nobody here knows who does, as after a restart: another provider may.
func (x *exchange) keptElsewhere(fault *apierror.Error) bool {
	return x.adrift && fault.Code == string(apierror.PreviousNotFound)
}

// remember notes who keeps the response that a whole answer is.
func (x *exchange) remember(c *call, body []byte) {
	if x.rec.Endpoint != dialect.Responses {
		return
	}
	if r, ok := openai.ReadResponse(body); ok {
		x.keep(c, r)
	}
}

// rememberStream is remember for a streamed answer whose first content has come.
func (x *exchange) rememberStream(c *call, dec dialect.StreamDecoder) {
	if d, ok := dec.(*openai.Responses); ok && !x.meta.Retold {
		r := d.Response()
		if !d.GoesOn() {
			r.Status = "" // what it consumes is booked at the stream's end, whatever that is
		}
		x.keep(c, r)
	}
}

// goesOn reports whether what the response consumes is not its stream's to book,
// which has ended: it is made in the background and goes on, or was asked for
// meanwhile and is booked. One that is over is remembered again, for some servers
// name it, or its conversation, at its end only.
func (x *exchange) goesOn(c *call, dec dialect.StreamDecoder) bool {
	d, ok := dec.(*openai.Responses)
	if !ok {
		return false
	}
	if d.GoesOn() {
		return true
	}
	r := d.Response()
	h, ok, _ := x.g.stored.Find(x.rec.User.ID, r.ID)
	r.Status = "" // what it consumed is about to be booked, whatever became of it
	x.keep(c, r)
	return ok && h.Settled && d.Background()
}

func (x *exchange) keep(c *call, r openai.Response) {
	if r.Unstored {
		return
	}
	h := stored.Home{
		Provider: c.t.listing.Provider, Backend: c.t.backend,
		Model: x.rec.Model.ID, Name: string(x.meta.Model), Settled: r.Over(),
	}
	for _, id := range []string{r.ID, r.Conversation} {
		if isID(id) {
			x.g.stored.Put(x.rec.User.ID, id, h)
		}
	}
}

// isID reports whether an upstream's id can stand in a path.
func isID(id string) bool {
	return id != "" && id[0] != '.' && !strings.ContainsFunc(id, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.:", r))
	})
}
