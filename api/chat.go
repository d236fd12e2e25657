package api

// chat relays a chat completion.
func (x *exchange) chat() {
	x.served = true
	if d := x.server.decisions.take(); d != nil {
		x.rec.Decision = &d.pick
		defer x.server.decisions.keep(d, &x.rec)
	}
	if x.view.bodies {
		x.serveRecorded()
		return
	}
	x.server.gateway.Serve(x.w, x.r, x.view.rt, &x.rec)
}
