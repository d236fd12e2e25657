package api

import "net/http"

// relay has the request answered by a backend of the model that it names.
func (x *exchange) relay() {
	x.served = true
	if d := x.server.decisions.take(); d != nil {
		x.rec.Decision = &d.pick
		defer x.server.decisions.keep(d, &x.rec)
	}
	w := http.ResponseWriter(x.w)
	switch {
	case x.r.ProtoMajor > 1:
		w = newPatientWriter(w)
	case x.clumps.over(x.w, x.r):
		w = &x.clumps
	}
	if x.view.bodies {
		x.serveRecorded(w)
	} else {
		x.server.gateway.Serve(w, x.r, x.view.rt, &x.rec)
	}
	if x.rec.Error != nil {
		x.clumps.letGo()
	}
}
