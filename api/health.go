package api

import (
	"net/http"
	"time"

	"github.com/PPKunOfficial/berry-api/relay"
)

// count is how many of something there are, and how many of them are healthy.
type count struct {
	Total   int `json:"total"`
	Healthy int `json:"healthy"`
}

// condition is the health of the whole: healthy if every enabled model has a
// backend that is usable and not marked unhealthy, unhealthy if none has.
type condition struct {
	status    string
	providers count // those that a model lists
	models    count
}

const (
	healthy   = "healthy"
	degraded  = "degraded"
	unhealthy = "unhealthy"
)

func conditionOf(rt *relay.Runtime) condition {
	var c condition
	providers := map[string]bool{} // whether one of its backends is healthy
	for _, m := range rt.Models() {
		good := false
		for _, b := range candidates(m) {
			fine := b.Healthy && b.Excluded == ""
			good = good || fine
			providers[b.Group] = providers[b.Group] || fine
		}
		c.models.Total++
		if good {
			c.models.Healthy++
		}
	}
	for _, good := range providers {
		c.providers.Total++
		if good {
			c.providers.Healthy++
		}
	}
	switch c.models.Healthy {
	case c.models.Total:
		c.status = healthy
	case 0:
		c.status = unhealthy
	default:
		c.status = degraded
	}
	return c
}

// health answers load balancers and people.
func (x *exchange) health() {
	c := conditionOf(x.view.rt)
	status := http.StatusOK
	if c.status == unhealthy {
		status = http.StatusServiceUnavailable
	}
	s := x.server
	x.json(status, struct {
		Status    string  `json:"status"`
		Timestamp *string `json:"timestamp"`
		Version   string  `json:"version"`
		Uptime    int64   `json:"uptime_seconds"`
		Providers count   `json:"providers"`
		Models    count   `json:"models"`
	}{c.status, stamp(time.Now()), s.version, s.uptime(), c.providers, c.models})
}

// v1Health is the same under the API's prefix, in fewer words.
func (x *exchange) v1Health() {
	c := conditionOf(x.view.rt)
	word, status := "ok", http.StatusOK
	if c.status == unhealthy {
		word, status = "error", http.StatusServiceUnavailable
	}
	x.json(status, struct {
		Status    string  `json:"status"`
		Available int     `json:"models_available"`
		Timestamp *string `json:"timestamp"`
		Providers count   `json:"providers"`
		Models    count   `json:"models"`
	}{word, c.models.Healthy, stamp(time.Now()), c.providers, c.models})
}

// livez answers as long as the process can.
func (x *exchange) livez() { x.text(http.StatusOK, "ok") }

// readyz answers whether requests should be sent here: not while draining, nor
// before the models of discovering providers are known or were asked for in vain.
func (x *exchange) readyz() {
	if !x.server.ready.Load() || !x.server.gateway.Discovered() {
		x.text(http.StatusServiceUnavailable, "not ready")
		return
	}
	x.text(http.StatusOK, "ready")
}

func (s *Server) uptime() int64 { return int64(time.Since(s.start) / time.Second) }
