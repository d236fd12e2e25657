package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeEnv is an environment of its own: nothing of the machine gets in.
func fakeEnv(vars, files map[string]string) Env {
	return Env{
		Lookup: func(name string) (string, bool) {
			v, ok := vars[name]
			return v, ok
		},
		ReadFile: func(path string) ([]byte, error) {
			if text, ok := files[path]; ok {
				return []byte(text), nil
			}
			return nil, errNoFile(path)
		},
	}
}

func TestParse(t *testing.T) {
	got, err := Parse("etc/config.toml", []byte(`
[providers.openai]
base_url = "https://api.openai.com"
api_key = "k"
[[models.m.backends]]
provider = "openai"
model = "gpt-4"
[users.ann]
token = "0123456789abcdef"
`), fakeEnv(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Settings: Default(),
		Providers: map[string]Provider{"openai": {
			ID: "openai", Name: "openai", BaseURL: "https://api.openai.com/v1", APIKey: NewSecret("k"), BackendType: TypeOpenAI,
			Enabled: true, TimeoutSeconds: 30, MaxRetries: 1, HealthCheck: "auto", StreamUsage: true,
		}},
		Models: map[string]Model{"m": {
			ID: "m", Name: "m", Strategy: "weighted_failover", Enabled: true,
			Backends: []Listing{{Provider: "openai", Model: "gpt-4", Weight: 1, Enabled: true, BillingMode: PerToken}},
		}},
		Users: map[string]User{"ann": {
			ID: "ann", Name: "ann", Enabled: true, Token: NewSecret("0123456789abcdef"),
			TokenSHA256: "9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f",
		}},
	}
	if d := cmp.Diff(want, got.Config, cmp.Comparer(func(a, b Secret) bool { return a == b })); d != "" {
		t.Errorf("wrong configuration (-want +got):\n%s", d)
	}
	if len(got.Warnings) != 0 {
		t.Errorf("unexpected warnings: %v", got.Warnings)
	}
}
