package api

import (
	"net/http"
	"strings"

	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// storedRoutes are those for a response that a provider keeps, also without /v1.
func storedRoutes() (all []*route) {
	for _, prefix := range []string{"/v1/", "/"} {
		at := prefix + dialect.Responses.Path() + "/:id"
		for _, rt := range []route{
			{method: http.MethodGet, path: at},
			{method: http.MethodDelete, path: at},
			{method: http.MethodPost, path: at + "/cancel"},
			{method: http.MethodGet, path: at + "/input_items"},
		} {
			rt.access, rt.serve = accessUser, (*exchange).stored
			rt.endpoint, rt.format = dialect.Responses, relay.FormatOf(dialect.Responses)
			all = append(all, &rt)
		}
	}
	return all
}

// stored has the provider asked for a response that it keeps. None of these
// requests needs a body, so that one is not waited for.
func (x *exchange) stored() {
	x.served = true
	x.leaveBody()
	_, rest, _ := strings.Cut(x.r.URL.Path, "/"+dialect.Responses.Path()+"/")
	x.rec.Stored.ID, x.rec.Stored.Action, _ = strings.Cut(rest, "/")
	x.carry((*relay.Gateway).ServeStored)
}
