package openai

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"

	"github.com/tidwall/gjson"
)

// List implements dialect.Dialect.
func (d *Dialect) List(ctx context.Context) (*http.Request, error) {
	h := maps.Clone(d.plain)
	delete(h, "Content-Type")
	req := &http.Request{
		Method: http.MethodGet, URL: d.list, Host: d.list.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
	}
	return req.WithContext(ctx), nil
}

// ReadList implements dialect.Dialect: OpenAI's object with the list under
// data, or the bare list that some providers send instead.
func (d *Dialect) ReadList(body []byte) ([]string, bool) {
	if !json.Valid(body) {
		return nil, false
	}
	list := gjson.ParseBytes(body)
	if list.IsObject() {
		list = list.Get("data")
	}
	if !list.IsArray() {
		return nil, false
	}
	ids := []string{}
	for _, m := range list.Array() {
		if id := m.Get("id"); id.Type == gjson.String && id.Str != "" {
			ids = append(ids, id.Str)
		}
	}
	return ids, true
}
