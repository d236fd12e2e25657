package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay"
)

// anthropic reports whether a client of Anthropic's asks: it says which version
// of that API it speaks.
func (x *exchange) anthropic() bool {
	_, ok := x.r.Header["Anthropic-Version"]
	return ok
}

// format is the one in which the caller is told of a failure.
func (x *exchange) format() relay.Format {
	if x.route.shared && (x.anthropic() || strings.HasPrefix(strings.TrimPrefix(x.r.URL.Path, "/v1"), "/messages")) {
		return relay.FormatAnthropic
	}
	return x.route.format
}

// claudeModel is a model in Anthropic's form.
type claudeModel struct {
	Type        string `json:"type"`
	ID          string `json:"id"`
	DisplayName string `json:"display_name"`
	CreatedAt   string `json:"created_at"`
}

func newClaudeModel(name string) claudeModel {
	return claudeModel{Type: "model", ID: name, DisplayName: name, CreatedAt: *stamp(time.Unix(modelCreated, 0))}
}

// The models on a page of Anthropic's list.
const (
	usualPage   = 20
	longestPage = 1000
)

// claudeModels lists what the caller may use in Anthropic's form, page by page.
func (x *exchange) claudeModels() {
	var all []claudeModel
	for _, m := range x.view.rt.Models() {
		if mayUse(x.rec.User, m) {
			all = append(all, newClaudeModel(m.Name))
		}
	}
	list := struct {
		Data    []claudeModel `json:"data"`
		HasMore bool          `json:"has_more"`
		FirstID *string       `json:"first_id"`
		LastID  *string       `json:"last_id"`
	}{}
	var e *apierror.Error
	if list.Data, list.HasMore, e = x.claudePage(all); e != nil {
		x.fail(e)
		return
	}
	if n := len(list.Data); n > 0 {
		list.FirstID, list.LastID = &list.Data[0].ID, &list.Data[n-1].ID
	}
	x.json(http.StatusOK, list)
}

// claudePage is the part of all that the query asks for, and whether there is
// more in its direction.
func (x *exchange) claudePage(all []claudeModel) (page []claudeModel, more bool, e *apierror.Error) {
	query, limit := x.r.URL.Query(), usualPage
	if v := query.Get("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > longestPage {
			return nil, false, apierror.New(apierror.InvalidValue, "limit must be a number from 1 to %d", longestPage).WithParam("limit")
		}
		limit = n
	}
	at := func(name string) (int, *apierror.Error) {
		i := slices.IndexFunc(all, func(m claudeModel) bool { return m.ID == query.Get(name) })
		if i < 0 {
			return 0, apierror.New(apierror.InvalidValue, "%s names no model of the list", name).WithParam(name)
		}
		return i, nil
	}
	page = append([]claudeModel{}, all...) // [], not null, when there is none
	switch {
	case query.Has("after_id"):
		i, e := at("after_id")
		if e != nil {
			return nil, false, e
		}
		page = page[i+1:]
	case query.Has("before_id"):
		i, e := at("before_id")
		if e != nil {
			return nil, false, e
		}
		from := max(i-limit, 0)
		return page[from:i], from > 0, nil
	}
	n := min(limit, len(page))
	return page[:n], n < len(page), nil
}
