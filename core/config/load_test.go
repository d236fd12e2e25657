package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bySecret lets cmp look into secrets.
var bySecret = cmp.Comparer(func(a, b Secret) bool { return a == b })

// fakeEnv is an environment of its own: nothing of the machine gets in.
func fakeEnv(vars, files map[string]string) Env {
	return Env{
		Lookup: func(name string) (string, bool) {
			v, ok := vars[name]
			return v, ok
		},
		ReadFile: func(path string) ([]byte, error) {
			if text, ok := files[filepath.ToSlash(path)]; ok {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
	}
}

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// provider is a provider with the defaults, as it is after loading.
func provider(id, url string, change func(*Provider)) Provider {
	p := Provider{
		ID: id, Name: id, BaseURL: url, BackendType: TypeOpenAI, Enabled: true, TimeoutSeconds: 2.5, MaxRetries: 1,
		HealthCheck: "auto", Reasoning: true, StreamUsage: true, TokenLimit: TokenLimitAsSent,
	}
	if change != nil {
		change(&p)
	}
	return p
}

// TestEverything compares the whole of what a file with every way of writing
// things becomes.
func TestEverything(t *testing.T) {
	const name = "testdata/good/everything.toml"
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(name, data, fakeEnv(testVars, testFiles))
	if err != nil {
		t.Fatal(err)
	}
	settings := Default()
	settings.BindAddress = "unix:/run/berry.sock"
	settings.MaxConnections = 1000
	settings.MaxRequestBodyBytes = 1 << 20
	settings.RequestTimeoutSeconds = 2.5
	settings.ConnectTimeoutSeconds = 10
	settings.CORSAllowedOrigins = []string{"*"}
	settings.TrustedProxies = []string{"10.0.0.0/8", "::1"}
	settings.TLS = TLS{CertFile: filepath.Join("testdata", "good", "tls", "cert.pem"), KeyFile: "/etc/key.pem"}
	settings.MaskAPIKeys = false
	settings.LogLevel = "debug"
	settings.HSTS = true
	want := &Config{
		Settings: settings,
		Providers: map[string]Provider{
			"bare": provider("bare", "https://bare.example/v1", func(p *Provider) {
				p.APIKey, p.APIKeyFile, p.Enabled = NewSecret("key-from-a-file"), "secrets/key", false
			}),
			"slash": provider("slash", "http://slash.example:8080/v1", func(p *Provider) {
				p.APIKey, p.Headers = NewSecret("key-from-a-variable"), Headers{"X-Key": "a-key-from-a-variable-$-$-d"}
			}),
			"path": provider("path", "https://path.example/api/paas/v4", func(p *Provider) {
				p.APIKey, p.APIKeyFile = NewSecret("key-from-an-absolute-path"), "/run/secrets/absolute"
			}),
			"azure": provider("azure", "https://NAME.OpenAI.Azure.com", func(p *Provider) {
				p.BackendType, p.APIVersion, p.Headers = TypeAzure, "2024-10-21", Headers{"X-Other": "o"}
			}),
			"azure2": provider("azure2", "https://name.cognitiveservices.azure.com", func(p *Provider) {
				p.BackendType, p.APIVersion, p.TokenLimit = TypeAzure, "2024-10-21", "max_completion_tokens"
			}),
			"claude": provider("claude", "https://api.anthropic.com", func(p *Provider) {
				p.BackendType, p.TimeoutSeconds = TypeClaude, 5
			}),
			"gemini": provider("gemini", "https://g.example/v1beta", func(p *Provider) { p.BackendType = TypeGemini }),
		},
		Models: map[string]Model{
			"weird id / with : everything": {
				ID: "weird id / with : everything", Name: "org/model:tag", Aliases: []string{"llm.example"},
				Strategy: "weighted_failover", Enabled: true,
				Backends: []Listing{
					{
						Provider: "slash", Model: "m/1:a", Weight: 100, Priority: 10, Enabled: true, Tags: []string{"a", "b"},
						BillingMode: PerToken, InputPrice: 0.15, OutputPrice: 1,
					},
					{Provider: "bare", Model: "m", Weight: 1, BillingMode: PerRequest, RequestPrice: 0.01},
				},
			},
			"dead": {
				ID: "dead", Name: "dead", Strategy: "weighted_failover", Enabled: true, ContextFallback: "weird id / with : everything",
				Backends: []Listing{{Provider: "bare", Model: "m", Weight: 1, Enabled: true, BillingMode: PerToken}},
			},
			"off": {ID: "off", Name: "off", Strategy: "weighted_failover"},
		},
		Users: map[string]User{
			"file": {
				ID: "file", Name: "file", Enabled: true, Token: NewSecret("token-from-a-file-1"), TokenFile: "secrets/token",
				TokenSHA256: hashOf("token-from-a-file-1"), AllowedModels: []string{"dead", "org/model:tag", "llm.example", "deed"},
			},
			"hash": {ID: "hash", Name: "hash", TokenSHA256: "3b5d5c3712955042212316173ccf37be8000000000000000000000000000000f"},
			"short": {
				ID: "short", Name: "short", Enabled: true, Token: NewSecret("short"), TokenSHA256: hashOf("short"),
				RateLimit: RateLimit{RequestsPerMinute: 10, RequestsPerHour: 10, RequestsPerDay: 10, TokensPerMinute: 1, ConcurrentRequests: 1},
			},
		},
	}
	if d := cmp.Diff(want, got.Config, bySecret); d != "" {
		t.Errorf("wrong configuration (-want +got):\n%s", d)
	}
	if got.Path != name || got.SHA256 != hashOf(string(data)) {
		t.Errorf("got path %q and hash %s", got.Path, got.SHA256)
	}
}

// TestDefault spells the defaults out once more: a slip in a tag must not go
// unnoticed.
func TestDefault(t *testing.T) {
	want := Settings{
		BindAddress: "127.0.0.1:3000", MaxRequestBodyBytes: 64 << 20,
		RequestTimeoutSeconds: 30, NonStreamTimeoutSeconds: 600, StreamIdleTimeoutSeconds: 60, ConnectTimeoutSeconds: 10,
		MaxRetries: 3, MaxInternalRetries: 2, RetryBudgetRatio: 0.2,
		HealthCheckIntervalSeconds: 30, HealthCheckTimeoutSeconds: 10, RecoveryCheckIntervalSeconds: 120,
		CircuitBreakerFailureThreshold: 5, CircuitBreakerTimeoutSeconds: 60,
		ShutdownGraceSeconds: 30, StreamKeepaliveSeconds: 15, StreamResume: "off", OnClientDisconnect: "cancel",
		LogLevel: "info", LogFormat: "auto", MaskAPIKeys: true, PublicStatus: true,
		SmartAI: SmartAI{
			InitialConfidence: 0.8, MinConfidence: 0.05, EnableTimeDecay: true, LightweightCheckIntervalSeconds: 600,
			ExplorationRatio: 0.2, NonPremiumStabilityBonus: 1.1,
			ConfidenceAdjustments: ConfidenceAdjustments{
				SuccessBoost: 0.1, NetworkErrorPenalty: 0.3, AuthErrorPenalty: 0.8, RateLimitPenalty: 0.1,
				ServerErrorPenalty: 0.2, ModelErrorPenalty: 0.3, TimeoutPenalty: 0.2,
			},
		},
	}
	if d := cmp.Diff(want, Default()); d != "" {
		t.Errorf("wrong defaults (-want +got):\n%s", d)
	}
	cfg, _ := mustLoad(t, "empty.toml", nil)
	if d := cmp.Diff(want, cfg.Settings); d != "" {
		t.Errorf("an empty file has other settings (-want +got):\n%s", d)
	}
}

// TestEleven counts what a file with eleven different mistakes reports.
func TestEleven(t *testing.T) {
	data, err := os.ReadFile("testdata/bad/eleven.toml")
	if err != nil {
		t.Fatal(err)
	}
	problems := failure(t, "eleven.toml", data)
	if len(problems) != 11 {
		t.Errorf("got %d problems, want 11:\n%v", len(problems), problems)
	}
	messages := make(map[string]bool)
	for _, p := range problems {
		messages[p.Message] = true
		if p.Line < 2 || p.Column < 1 || p.File != "eleven.toml" || p.Key == "" || p.Excerpt == "" {
			t.Errorf("not everything is there: %+v", p)
		}
	}
	if len(messages) != 11 {
		t.Errorf("got %d different messages, want 11: %q", len(messages), slices.Sorted(maps.Keys(messages)))
	}
}

// TestEnvironment checks the variables that go before the file.
func TestEnvironment(t *testing.T) {
	const file = "[settings]\nbind_address = \"127.0.0.1:1\"\nmax_connections = 2\n"
	f := func(vars map[string]string, want string) {
		t.Helper()
		got, err := Parse("c.toml", []byte(file), fakeEnv(vars, nil))
		result := fmt.Sprint(err)
		if err == nil {
			result = fmt.Sprint(got.Config.Settings.BindAddress, " ", got.Config.Settings.MaxConnections)
		}
		if result != want {
			t.Errorf("%v: got %s\nwant %s", vars, result, want)
		}
	}
	f(nil, "127.0.0.1:1 2")
	f(map[string]string{"BIND_ADDRESS": "", "MAX_CONNECTIONS": ""}, "127.0.0.1:1 2")
	f(map[string]string{"BIND_ADDRESS": "0.0.0.0:3000", "MAX_CONNECTIONS": "1000"}, "0.0.0.0:3000 1000")
	f(map[string]string{"BIND_ADDRESS": "3000"}, "c.toml:2:16: settings.bind_address: the environment variable BIND_ADDRESS must be host:port, [IPv6]:port or unix:/path\n"+
		`    bind_address = "127.0.0.1:1"`)
	f(map[string]string{"MAX_CONNECTIONS": "many"}, "c.toml:3:19: settings.max_connections: the environment variable MAX_CONNECTIONS must be a whole number from 0 to 10000000\n"+
		"    max_connections = 2")
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("key", "from a real file\n")
	t.Setenv("BERRY_TEST_TOKEN", "from-the-real-environment")
	t.Setenv("BIND_ADDRESS", "")
	t.Setenv("MAX_CONNECTIONS", "")
	path := write("config.toml", "[providers.a]\nbase_url = \"https://a.example\"\napi_key_file = \"key\"\n[users.u]\ntoken = \"${BERRY_TEST_TOKEN}\"\n")
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if key := got.Config.Providers["a"].APIKey.Reveal(); key != "from a real file" {
		t.Errorf("got the key %q", key)
	}
	if token := got.Config.Users["u"].Token.Reveal(); token != "from-the-real-environment" {
		t.Errorf("got the token %q", token)
	}

	if _, err := Load(filepath.Join(dir, "nowhere.toml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: got %v", err)
	}
	bad := write("bad.toml", "[providers.a]\nbase_url = 5\n")
	if _, err := Load(bad); !strings.HasPrefix(fmt.Sprint(err), bad+":2:12: providers.a.base_url: must be a string") {
		t.Errorf("a bad file: got %v", err)
	}
	huge := write("huge.toml", strings.Repeat("#", maxFileBytes+1))
	if _, err := Load(huge); fmt.Sprint(err) != fmt.Sprintf("%s:1:1: the file has more than %d bytes", huge, maxFileBytes) {
		t.Errorf("a huge file: got %v", err)
	}
}

// TestProtectedFile gives the reason, but not the path, of a secret file that
// cannot be read: the path may come out of a variable.
func TestProtectedFile(t *testing.T) {
	env := fakeEnv(map[string]string{"WHERE": "canary"}, nil)
	env.ReadFile = func(path string) ([]byte, error) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
	}
	_, err := Parse("c.toml", []byte("[users.u]\ntoken_file = \"${WHERE}\"\n"), env)
	want := "c.toml:2:14: users.u.token_file: cannot read the file: permission denied\n    token_file = \"${WHERE}\""
	if fmt.Sprint(err) != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestSeconds(t *testing.T) {
	if got := Seconds(2.5).Duration(); got != 2500*time.Millisecond {
		t.Errorf("2.5 seconds are %v", got)
	}
}

// A name is no file, not even where there is one of that name.
func TestAgainWithoutAFile(t *testing.T) {
	env := Env{ReadFile: func(string) ([]byte, error) { return nil, nil }}
	loaded, err := Parse("demo", nil, env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := loaded.Again(); err == nil || err.Error() != "the configuration is not from a file: there is nothing to read again" {
		t.Errorf("%v", err)
	}
}

func TestStrategiesOfAnEmbedder(t *testing.T) {
	const text = "[providers.p]\nbase_url = \"http://x\"\n[models.m]\nstrategy = \"nearest\"\nbackends = [{ provider = \"p\", model = \"x\" }]\n"
	env := Env{Strategies: []string{"nearest"}, ReadFile: func(string) ([]byte, error) { return []byte(text), nil }}
	loaded, err := env.Load("x.toml")
	if err != nil {
		t.Fatal(err)
	}
	again, err := loaded.Again()
	if err != nil || again.Config.Models["m"].Strategy != "nearest" {
		t.Errorf("%v, %v", again, err)
	}
	if _, err := Parse("x.toml", []byte(text), Env{}); err == nil || !strings.Contains(err.Error(), `"nearest" is not one of`) {
		t.Errorf("without it: %v", err)
	}
}
