package relay_test

import (
	"math"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// What a model's requests usually use is known after a reload too: smart_ai
// compares costs by it.
func TestReloadKeepsTheUsualUsage(t *testing.T) {
	const reply = `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},` +
		`"finish_reason":"stop"}],"usage":{"prompt_tokens":90000,"completion_tokens":10,"total_tokens":90010}}`
	b := start(t, setup{
		toml:    usual + "[models.priced]\nbackends = [{ provider = \"u1\", model = \"m\", input_price = 2.0 }]\n",
		scripts: map[string]mockllm.Script{"u1": mockllm.Always(mockllm.JSON(200, nil, reply))},
	})
	cost := func() float64 {
		t.Helper()
		m, ok := b.gw.Current().Model("priced")
		if !ok {
			t.Fatal("the model is gone")
		}
		return m.Balancer.Snapshot()[0].Cost
	}
	fresh := cost()
	for range 20 {
		b.post(ask("priced", ""))
	}
	learnt := cost()
	if learnt < 5*fresh {
		t.Fatalf("a request costs %v at first and %v later", fresh, learnt)
	}
	b.change(func(p *config.Provider) { p.MaxRetries = 0 })
	if got := cost(); math.Abs(got-learnt) > 1e-9 {
		t.Errorf("after a reload a request costs %v, before it %v", got, learnt)
	}
}
