package relay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay"
)

// bigConfig is a configuration of 1000 users, 200 models and 1000 backends at 100
// providers, and one more model that has all the backends. weight is that of the
// first model's listings.
func bigConfig(tb testing.TB, weight int) *config.Config {
	tb.Helper()
	const users, models, providers, perProvider, listed = 1000, 200, 100, 10, 5
	var b strings.Builder
	for p := range providers {
		fmt.Fprintf(&b, "[providers.p%d]\nbase_url = \"http://127.0.0.1:1/v1\"\napi_key = \"provider-key-%d\"\n", p, p)
	}
	backend := func(k, weight int) {
		k %= providers * perProvider
		fmt.Fprintf(&b, "  { provider = \"p%d\", model = \"plain-%d\", weight = %d, priority = %d, input_price = %d.5 },\n",
			k/perProvider, k%perProvider, weight, k%3, 1+k%4)
	}
	for m := range models {
		fmt.Fprintf(&b, "[models.m%d]\nname = \"model-%d\"\nstrategy = \"smart_ai\"\nbackends = [\n", m, m)
		for i := range listed {
			w := 1 + i
			if m == 0 {
				w = weight
			}
			backend(m*listed+i, w)
		}
		b.WriteString("]\n")
	}
	b.WriteString("[models.wide]\nbackends = [\n")
	for k := range providers * perProvider {
		backend(k, 1)
	}
	b.WriteString("]\n")
	for u := range users {
		fmt.Fprintf(&b, "[users.u%d]\ntoken = \"token-of-the-benchmark-%06d\"\nallowed_models = [\"m%d\", \"m%d\"]\n"+
			"rate_limit = { requests_per_minute = 600, concurrent_requests = 20 }\n", u, u, u%models, (u+1)%models)
	}
	loaded, err := config.Parse("big.toml", []byte(b.String()), config.Env{})
	if err != nil {
		tb.Fatal(err)
	}
	return loaded.Config
}

// BenchmarkReload is Gateway.Reload of a large configuration in which the weights
// of one model change.
func BenchmarkReload(b *testing.B) {
	turns := []*config.Config{bigConfig(b, 1), bigConfig(b, 2)}
	g, err := relay.New(turns[0], relay.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 1; b.Loop(); i++ {
		if err := g.Reload(turns[i%2]); err != nil {
			b.Fatal(err)
		}
	}
}
