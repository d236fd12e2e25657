package azure

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

func TestResponseAddresses(t *testing.T) {
	f := func(version, create, get, items string) {
		t.Helper()
		d := bound(t, "https://r.openai.azure.com", config.Provider{APIVersion: version, APIKey: config.NewSecret("k")})
		for _, e := range []dialect.Endpoint{dialect.Responses, dialect.InputTokens, dialect.Compact} {
			if !d.Serves(e) {
				t.Errorf("it does not serve %s", e)
			}
		}
		body := dialect.NewBody(0)
		defer body.Release()
		body.Set([]byte(`{"model":"m"}`))
		req, err := d.Encode(t.Context(), &dialect.Request{
			Endpoint: dialect.Responses, Body: body, Model: []byte(`"d"`), Scan: dialect.Scan{ModelValue: dialect.Span{Start: 9, End: 12}},
		})
		if err != nil {
			t.Fatal(err)
		}
		_ = req.Body.Close()
		if got := req.URL.RequestURI(); got != create {
			t.Errorf("%q: made at %s, want %s", version, got, create)
		}
		for _, c := range []struct {
			in   dialect.Stored
			want string
		}{
			{dialect.Stored{Method: http.MethodGet, ID: "resp_1"}, get},
			{dialect.Stored{Method: http.MethodGet, ID: "resp_1", Action: "input_items", Query: url.Values{"limit": {"2"}}}, items},
		} {
			req, err := d.Stored(t.Context(), &c.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := req.URL.RequestURI(); got != c.want || req.Method != c.in.Method || req.Body != nil || req.Header.Get("Api-Key") != "k" || req.Header.Get("Authorization") != "" {
				t.Errorf("%q: kept at %s, want %s; %v", version, got, c.want, req.Header)
			}
		}
	}
	f("", "/openai/v1/responses", "/openai/v1/responses/resp_1", "/openai/v1/responses/resp_1/input_items?limit=2")
	f("preview", "/openai/v1/responses?api-version=preview", "/openai/v1/responses/resp_1?api-version=preview", "/openai/v1/responses/resp_1/input_items?limit=2&api-version=preview")
	f("2025-03-01-preview", "/openai/responses?api-version=2025-03-01-preview", "/openai/responses/resp_1?api-version=2025-03-01-preview", "/openai/responses/resp_1/input_items?limit=2&api-version=2025-03-01-preview")
}
