package api

// chat relays a chat completion.
func (x *exchange) chat() {
	x.served = true
	if x.view.bodies {
		x.serveRecorded()
		return
	}
	x.server.gateway.Serve(x.w, x.r, x.view.rt, &x.rec)
}
