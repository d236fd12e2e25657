package api

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/PPKunOfficial/berry-api/relay"
)

// ownerOf is what a model shows as its owner: the providers whose lists name
// it, or Berry for one of the configuration.
func ownerOf(m *relay.Model) string {
	if !m.Discovered {
		return "berry-api"
	}
	ids := make([]string, len(m.Listings))
	for i, l := range m.Listings {
		ids[i] = l.Provider
	}
	slices.Sort(ids)
	return strings.Join(ids, ",")
}

// discoveryView is what is known of a discovering provider's model list.
type discoveryView struct {
	Models    int     `json:"models"`   // that the list named when it was last read
	LeftOut   int     `json:"left_out"` // names that are not served
	LastRead  *string `json:"last_read"`
	LastTried *string `json:"last_tried"`
	Error     *string `json:"error"` // why the last try failed: what is served is the last list that was read
}

// discoveries are the lists of all discovering providers, by id.
func (s *Server) discoveries() map[string]discoveryView {
	out := map[string]discoveryView{}
	for _, d := range s.gateway.Discoveries() {
		out[d.Provider] = discoveryView{
			Models: len(d.Models), LeftOut: d.LeftOut,
			LastRead: stamp(d.ReadAt), LastTried: stamp(d.TriedAt), Error: orNull(d.Failure),
		}
	}
	return out
}

// writeDiscoveries writes the gauges of the discovering providers.
func (s *Server) writeDiscoveries(b *bytes.Buffer) {
	all := s.gateway.Discoveries()
	gauge := func(name string, value func(relay.Discovery) float64) {
		for _, d := range all {
			fmt.Fprintf(b, "%s{%s} %g\n", name, labels("provider", d.Provider), value(d))
		}
	}
	gauge("berry_discovered_models", func(d relay.Discovery) float64 { return float64(len(d.Models)) })
	gauge("berry_discovery_successful", func(d relay.Discovery) float64 {
		return number(d.Failure == "" && !d.ReadAt.IsZero())
	})
	for _, d := range all {
		read := int64(0)
		if !d.ReadAt.IsZero() {
			read = d.ReadAt.Unix()
		}
		fmt.Fprintf(b, "berry_discovery_last_read_timestamp_seconds{%s} %d\n", labels("provider", d.Provider), read)
	}
}

// shownNames bounds the names of models in a line of the log.
const shownNames = 20

// discovered logs what became of a discovering provider's list.
func (l *logger) discovered(d relay.Discovery) {
	lv, message := levelInfo, "Discovered models"
	if d.Failure != "" {
		lv, message = levelWarn, "Model list cannot be read, the models that it named last stay"
	}
	n := l.line(targetRelay, lv, message)
	n.fields.Str("provider", d.Provider).Int("models", len(d.Models))
	if d.Failure != "" {
		n.fields.Str("error", d.Failure)
	}
	for _, part := range []struct {
		name  string
		names []string
	}{{"added", d.Added}, {"removed", d.Removed}} {
		if len(part.names) > 0 {
			n.fields.Int(part.name+"_count", len(part.names)).Strs(part.name, part.names[:min(len(part.names), shownNames)])
		}
	}
	if d.LeftOut > 0 {
		n.fields.Int("left_out", d.LeftOut)
	}
	n.send()
}
