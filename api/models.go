package api

import (
	"net/http"
	"strings"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/relay"
)

// modelCreated is the moment that every model shows as its creation, which
// Berry cannot know: clients want an integer that stays the same.
const modelCreated = 1677610602

// modelObject is a model in OpenAI's form.
type modelObject struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func newModelObject(name string, m *relay.Model) modelObject {
	return modelObject{ID: name, Object: "model", Created: modelCreated, OwnedBy: ownerOf(m)}
}

// models lists what the caller may use.
func (x *exchange) models() {
	if x.anthropic() {
		x.claudeModels()
		return
	}
	list := struct {
		Object string        `json:"object"`
		Data   []modelObject `json:"data"`
	}{"list", []modelObject{}}
	for _, m := range x.view.rt.Models() {
		if mayUse(x.rec.User, m) {
			list.Data = append(list.Data, newModelObject(m.Name, m))
		}
	}
	x.json(http.StatusOK, list)
}

// model answers for one model by its name or an alias, under the name asked
// for. One that the caller may not use does not exist to it.
func (x *exchange) model() {
	name := x.rest()
	if name == "" {
		x.models()
		return
	}
	m, ok := x.view.rt.Model(name)
	if !ok || !mayUse(x.rec.User, m) {
		e := noSuchModel(name).WithParam("model")
		e.Message += "; GET /v1/models lists those you may use"
		x.fail(e)
		return
	}
	if x.anthropic() {
		x.json(http.StatusOK, newClaudeModel(name))
		return
	}
	x.json(http.StatusOK, newModelObject(name, m))
}

func noSuchModel(name string) *apierror.Error {
	return apierror.New(apierror.ModelNotFound, "the model %q does not exist", clip(strings.ToValidUTF8(name, "\ufffd")))
}

// mayUse reports whether a chat request of u for m would get as far as a pick.
func mayUse(u *auth.User, m *relay.Model) bool {
	if !u.MayUse(m.ID) {
		return false
	}
	if len(m.Listings) == 0 {
		return true // it answers 503, whoever asks
	}
	for i := range m.Listings {
		if u.MayUseTags(m.Listings[i].Tags) {
			return true
		}
	}
	return false
}
