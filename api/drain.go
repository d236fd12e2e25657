package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// drainOrEnable takes a backend out of traffic by hand, or back:
// /admin/backends/{provider}/{model...}/drain and /enable. The router's wildcard
// goes to the end of the path, so the last part is looked at here. Requests that
// are under way on the backend are not touched.
func (x *exchange) drainOrEnable() {
	path := x.rest()
	name, drain := strings.CutSuffix(path, "/drain")
	if !drain {
		var ok bool
		if name, ok = strings.CutSuffix(path, "/enable"); !ok {
			x.unknownRoute()
			return
		}
	}
	st, ok := x.server.servedAt(name)
	fleet := x.server.gateway.Fleet()
	switch {
	case !ok:
	case drain:
		ok = fleet.Drain(st.ID)
	default:
		ok = fleet.Enable(st.ID)
	}
	if ok {
		st, ok = fleet.Backend(st.ID)
	}
	if !ok {
		x.fail(apierror.New(apierror.NotFound, "no model lists a backend %q; GET /admin/backend-health shows those that are served", clip(name)))
		return
	}
	message := "Backend enabled by hand"
	if drain {
		message = "Backend drained by hand"
	}
	n := x.server.log.line(targetLoadbalance, levelWarn, message)
	n.fields.Str("request_id", x.rec.RequestID).Str("user", x.rec.User.ID).Str("backend", st.ID).Str("provider", st.Group)
	n.send()
	x.json(http.StatusOK, struct {
		Timestamp *string `json:"timestamp"`
		Backend   string  `json:"backend"`
		healthView
	}{stamp(time.Now()), st.ID, newHealthView(st)})
}

// servedAt finds a served backend by provider/model.
func (s *Server) servedAt(name string) (loadbalance.State, bool) {
	for _, st := range s.served() {
		if st.Group+"/"+upstreamModel(st) == name {
			return st, true
		}
	}
	return loadbalance.State{}, false
}
