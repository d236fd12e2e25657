package api

import "net/http"

// chat relays a chat completion.
func (x *exchange) chat() {
	x.served = true
	if d := x.server.decisions.take(); d != nil {
		x.rec.Decision = &d.pick
		defer x.server.decisions.keep(d, &x.rec)
	}
	w := http.ResponseWriter(x.w)
	if x.r.ProtoMajor > 1 {
		w = newPatientWriter(w)
	}
	if x.view.bodies {
		x.serveRecorded(w)
		return
	}
	x.server.gateway.Serve(w, x.r, x.view.rt, &x.rec)
}
