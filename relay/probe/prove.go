package probe

import (
	"context"
	"net/http"
)

// chats tries each model in turn until one fails. Without a model there is
// only the connection to try.
func (p *Probe) chats(ctx context.Context, models []string) result {
	if len(models) == 0 {
		r := p.connect(ctx)
		if r.OK {
			r.Message = "no backend of it may be tried with a chat, so that only the connection was checked"
		}
		return r
	}
	var r result
	for _, m := range models {
		if r, _ = p.prove(ctx, m, new(Use)); !r.OK {
			break
		}
	}
	return r
}

// prove asks the model for what its use says, one thing after the other until it
// answers one, which its use then knows; ok is false when there is nothing to ask.
// It goes on from what the model refuses, not from what fails: a model that makes
// vectors says so of a chat. If none is answered the first one's result counts,
// with which a refused question passes where the model was seen to answer such.
func (p *Probe) prove(ctx context.Context, model string, u *Use) (r result, ok bool) {
	for _, e := range u.probes() {
		if !p.up.Dialect.Serves(e) {
			continue
		}
		one := p.chat(ctx, question{endpoint: e, model: model, tokens: probeTokens})
		if !ok || one.OK {
			r, ok = one, true
		}
		if one.OK {
			u.Served(e)
		}
		if one.OK || !refusal(one.Status) {
			break
		}
	}
	return r, ok
}

// refusal reports whether a model that answers with status may be asked for
// something else with more success.
func refusal(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusUnprocessableEntity, http.StatusNotImplemented:
		return true
	}
	return false
}
