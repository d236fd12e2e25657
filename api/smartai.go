package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
)

// smartStrategy is the strategy that these views are about.
const smartStrategy = "smart_ai"

// smartBackend is a listing as smart_ai sees it.
type smartBackend struct {
	Provider        string     `json:"provider"`
	Model           string     `json:"model"`
	Confidence      float64    `json:"confidence"`
	Weight          float64    `json:"weight"`
	EffectiveWeight float64    `json:"effective_weight"`
	Premium         bool       `json:"premium"`
	Healthy         bool       `json:"healthy"`
	Excluded        *string    `json:"excluded"`
	LastSuccess     *string    `json:"last_success"`
	LastError       *errorView `json:"last_error"`
}

type smartModelView struct {
	ID       string         `json:"id"`
	Backends []smartBackend `json:"backends"`
}

// smartWeights shows every smart_ai model, by public name.
func (x *exchange) smartWeights() {
	out := map[string]smartModelView{}
	for _, m := range x.view.rt.Models() {
		if m.Strategy == smartStrategy {
			out[m.Name] = newSmartModelView(m)
		}
	}
	x.json(http.StatusOK, struct {
		Timestamp *string                   `json:"timestamp"`
		Models    map[string]smartModelView `json:"models"`
	}{stamp(time.Now()), out})
}

// smartModel shows one smart_ai model by id or name:
// /smart-ai/models/{model...}/weights. The router's wildcard goes to the end of
// the path, so the last part is looked at here.
func (x *exchange) smartModel() {
	name, ok := strings.CutSuffix(x.rest(), "/weights")
	if !ok || name == "" {
		x.unknownRoute()
		return
	}
	m, ok := x.view.rt.Find(name)
	switch {
	case !ok:
		x.fail(noSuchModel(name))
	case m.Strategy != smartStrategy:
		x.fail(apierror.New(apierror.ModelNotFound, "the model %q does not use the strategy %s", m.Name, smartStrategy))
	default:
		x.json(http.StatusOK, struct {
			Timestamp *string `json:"timestamp"`
			Model     string  `json:"model"`
			smartModelView
		}{stamp(time.Now()), m.Name, newSmartModelView(m)})
	}
}

func newSmartModelView(m *relay.Model) smartModelView {
	v := smartModelView{m.ID, []smartBackend{}}
	for i, c := range candidates(m) {
		v.Backends = append(v.Backends, newSmartBackend(m.Listings[i], c))
	}
	return v
}

func newSmartBackend(l config.Listing, c loadbalance.Candidate) smartBackend {
	h := newHealthView(c.State)
	return smartBackend{
		Provider: l.Provider, Model: l.Model, Confidence: c.Confidence,
		Weight: l.Weight, EffectiveWeight: rounded(c.EffectiveWeight), Premium: c.Premium,
		Healthy: h.Healthy, Excluded: orNull(c.Excluded), LastSuccess: h.LastSuccess, LastError: h.LastError,
	}
}
