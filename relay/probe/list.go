package probe

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// maxList bounds a model list that is held in memory.
const maxList = 8 << 20

// list reads the provider's model list.
func (p *Probe) list(ctx context.Context) result {
	r := p.readList(ctx)
	if p.Heard != nil {
		p.Heard(p.reading(r))
	}
	return r
}

func (p *Probe) readList(ctx context.Context) result {
	req, err := p.up.Dialect.List(ctx)
	if err != nil {
		return p.failed(CheckedModels, loadbalance.Caller, "the request for the model list cannot be made: %v", err)
	}
	resp, err := p.roundTrip(req)
	if err != nil {
		return p.broken(ctx, CheckedModels, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return p.refused(CheckedModels, resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxList+1))
	switch {
	case err != nil:
		return p.broken(ctx, CheckedModels, err)
	case len(body) > maxList:
		return p.failed(CheckedModels, loadbalance.Server, `the model list has more than %d bytes; set health_check to "tcp"`, maxList)
	}
	models, ok := p.up.Dialect.ReadList(body)
	if !ok {
		r := p.failed(CheckedModels, loadbalance.Server,
			`GET %s answered with something other than a model list; is base_url right? If it is, set health_check to "tcp"`, req.URL.Path)
		r.Status = resp.StatusCode
		return r
	}
	r := p.passed(CheckedModels)
	r.Status, r.Models = resp.StatusCode, models
	return r
}

// names is a model list that many models are looked up in.
type names map[string]bool

func namesOf(r result) names {
	all := make(names, len(r.Models))
	for _, m := range r.Models {
		all[m] = true
	}
	return all
}

// has reports whether the list names a model. Ollama takes a name without a tag
// for the one tagged latest, but lists it with the tag.
func (n names) has(model string) bool { return n[model] || n[model+":latest"] }

// named turns a list that was read into a failure when it does not name a
// model that it should. An empty list says nothing.
func (p *Probe) named(r result, all names, models ...string) result {
	if !r.OK || len(all) == 0 {
		return r
	}
	var missing []string
	for _, m := range models {
		if !all.has(m) {
			missing = append(missing, fmt.Sprintf("%q", m))
		}
	}
	if len(missing) == 0 {
		return r
	}
	r.OK, r.Kind = false, loadbalance.Model
	r.Message = p.masked(fmt.Sprintf("the provider's model list does not name %s; correct the model in the backends that list it, or disable them",
		strings.Join(missing, ", ")))
	return r
}
