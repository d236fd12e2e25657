package api

import (
	"net/http"

	"github.com/PPKunOfficial/berry-api/relay"
)

// relay has the request answered by a backend of the model that it names.
func (x *exchange) relay() {
	x.served = true
	if d := x.server.decisions.take(); d != nil {
		x.rec.Decision = &d.pick
		defer x.server.decisions.keep(d, &x.rec)
	}
	x.carry((*relay.Gateway).Serve)
}

// serving is how relay serves a request.
type serving func(*relay.Gateway, http.ResponseWriter, *http.Request, *relay.Runtime, *relay.Record)

// carry serves the request, and notes the bodies if they are to be logged.
func (x *exchange) carry(serve serving) {
	w := x.relayed()
	if x.view.bodies {
		x.serveRecorded(w, serve)
	} else {
		serve(x.server.gateway, w, x.r, x.view.rt, &x.rec)
	}
	// One that left may only have ended its side of the connection, and reads on:
	// net/http would end the answer for it in order, or make an empty one.
	if x.rec.Disconnected {
		panic(http.ErrAbortHandler)
	}
}

// relayed is what an answer is written to that may take its time.
func (x *exchange) relayed() http.ResponseWriter {
	if x.r.ProtoMajor > 1 {
		return newPatientWriter(x.w)
	}
	if x.clumps = clumpsOver(x.w, x.r); x.clumps != nil {
		return x.clumps
	}
	return x.w
}
