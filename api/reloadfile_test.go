package api_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/api"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// startFile serves the configuration of a file, which is returned too.
func startFile(t *testing.T, env config.Env, one, two mockllm.Script) (*berry, string) {
	t.Helper()
	b := &berry{t: t, log: &syncBuffer{}, one: mockllm.Start(t, one), two: mockllm.Start(t, two)}
	path := filepath.Join(t.TempDir(), "config.toml")
	writeFile(t, path, b.text(usual))
	if env.Lookup == nil {
		env.Lookup = func(string) (string, bool) { return "", false }
	}
	cfg, err := env.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	b.serve(cfg, api.Options{Stdout: b.log})
	return b, path
}

// text is a configuration file's text with the providers' addresses.
func (b *berry) text(format string) string {
	return "[settings]\nbind_address = \"127.0.0.1:0\"\nhealth_check_interval_seconds = 0\nshutdown_grace_seconds = 5\n" +
		fmt.Sprintf(format, b.one.URL, b.two.URL)
}

// unwatched is an environment whose files are read like real ones, but not watched.
func unwatched() config.Env { return config.Env{ReadFile: os.ReadFile} }

func TestReloadConfig(t *testing.T) {
	b, path := startFile(t, unwatched(), nil, nil)
	post := func() answer { return b.ask("POST", "/admin/reload-config", adminToken) }
	const nothing = `{"added":[],"removed":[],"changed":[]}`
	wantJSON(t, post(), 200, `{"timestamp":"TIME","status":"unchanged","generation":1,"changes":{"providers":`+nothing+`,"models":`+nothing+
		`,"users":`+nothing+`,"settings":[]},"needs_restart":[],"warnings":[]}`)

	next := strings.NewReplacer(
		"models.slash", "models.dash", `"secret-canary-08-header"`, `"secret-canary-11-header"`,
		"[users.off]", "[users.eve]\ntoken = \"canary-short\"\n[users.off]", "requests_per_minute = 2", "requests_per_minute = 3",
	).Replace(b.text(usual))
	writeFile(t, path, strings.Replace(next, "127.0.0.1:0\"\n", "127.0.0.1:1\"\nlog_level = \"debug\"\n", 1))
	wantJSON(t, post(), 200, `{"timestamp":"TIME","status":"reloaded","generation":2,"changes":{
		"providers":{"added":[],"removed":[],"changed":["two"]},
		"models":{"added":["dash"],"removed":["slash"],"changed":[]},
		"users":{"added":["eve"],"removed":[],"changed":["narrow"]},
		"settings":["bind_address","log_level"]},"needs_restart":["bind_address"],
		"warnings":[{"file":"`+path+`","line":50,"column":9,"key":"users.eve.token",
			"message":"the token has fewer than 16 characters and is easy to guess; berry-cli generate-token makes a good one","excerpt":"token = \"***\""}]}`)

	writeFile(t, path, strings.Replace(next, "weight = 0.5", "weight = -1\nwieght = 2", 1)+"\nallowed = 1\n")
	wantJSON(t, post(), 400, `{"error":{"message":"the configuration has 3 problems, the old one stays","type":"invalid_request_error","param":null,"code":"invalid_value"},
		"problems":[
		{"file":"`+path+`","line":36,"column":10,"key":"models.dash.backends[0].weight","message":"must be above 0 and at most 100, not -1","excerpt":"weight = -1"},
		{"file":"`+path+`","line":37,"column":1,"key":"models.dash.backends[0].wieght","message":"unknown key; did you mean \"weight\"?","excerpt":"wieght = 2"},
		{"file":"`+path+`","line":60,"column":1,"key":"users.narrow.rate_limit.allowed","message":"unknown key; there is requests_per_minute, requests_per_hour, requests_per_day, tokens_per_minute, concurrent_requests","excerpt":"allowed = ***"}]}`)
	p := b.scrape()
	p.want(t, "berry_config_last_reload_successful", 0)
	p.want(t, "berry_config_generation", 2)
	p.want(t, `berry_config_reloads_total{result="success"}`, 2)
	p.want(t, `berry_config_reloads_total{result="refused"}`, 1)
	const loaded = `"configuration":{"generation":2,"loaded_at":"TIME","sha256":"HASH","last_reload":{"at":"TIME","successful":false}}`
	if a := b.ask("GET", "/admin/system-stats", adminToken); !strings.Contains(plain(a.body), loaded) {
		t.Errorf("stats: %s", a.body)
	}
	if a := b.ask("POST", "/admin/reload-config", annToken); a.status != 403 {
		t.Errorf("a user may reload: %d", a.status)
	}

	refused := b.lines("Configuration refused, the old one stays")
	if len(refused) != 1 || len(refused[0].Fields["problems"].([]any)) != 3 {
		t.Errorf("%+v", refused)
	}
	done := b.lines("Configuration reloaded")
	if len(done) != 1 {
		t.Fatalf("%+v", done)
	}
	got := fmt.Sprint(done[0].Fields["added"], done[0].Fields["removed"], done[0].Fields["changed"])
	if want := "[models.dash users.eve] [models.slash] [providers.two users.narrow settings.bind_address settings.log_level]"; got != want {
		t.Errorf("logged %s\nwant %s", got, want)
	}
}

// A change of the file is enough; a bad one is told of once.
func TestFileIsWatched(t *testing.T) {
	b, path := startFile(t, config.Env{}, nil, nil)
	generation := func() float64 { return b.scrape().samples["berry_config_generation"] }
	writeFile(t, path, b.text(usual)+"requests_per_hour = 100\n")
	eventually(t, "the first change", func() bool { return generation() == 2 })
	writeFile(t, path, "nonsense")
	eventually(t, "the bad file", func() bool { return b.scrape().samples["berry_config_last_reload_successful"] == 0 })
	writeFile(t, path, b.text(usual))
	eventually(t, "the good file", func() bool { return generation() == 3 })
	told := 0
	for _, l := range b.lines("Configuration refused, the old one stays") {
		if !strings.Contains(l.raw, "is being written") { // as it was for a moment each time
			told++
		}
	}
	if told != 1 {
		t.Errorf("told of %d times", told)
	}
}

// An emptied file is valid, and would turn all users away.
func TestAnEmptiedFileIsRefused(t *testing.T) {
	b, path := startFile(t, unwatched(), nil, nil)
	for _, text := range []string{"", "\n# soon\n", "[settings]\nmax_retries = 1\n", "[users]\n[models]\n"} {
		writeFile(t, path, text)
		wantJSON(t, b.ask("POST", "/admin/reload-config", adminToken), 400, `{"error":{"message":"the configuration has 1 problem, the old one stays",
			"type":"invalid_request_error","param":null,"code":"invalid_value"},"problems":[{"file":"`+path+`","line":1,"column":1,"key":"",
			"message":"no provider, model or user is defined any more: the file was emptied, or is being written; to serve nothing, stop the server","excerpt":""}]}`)
	}
	writeFile(t, path, "[users.adm]\ntoken = \""+adminToken+"\"\ntags = [\"admin\"]\n") // little is enough
	if a := b.ask("POST", "/admin/reload-config", adminToken); a.status != 200 {
		t.Error(a.body)
	}
}

// slowly answers a stream in several steps, so that it lives through reloads.
func slowly(r *mockllm.Seen) []mockllm.Step {
	whole := said("Hi")(r)
	if len(whole) == 1 {
		return whole
	}
	const word = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}`
	var steps []mockllm.Step
	for range 20 {
		steps = append(steps, mockllm.SSE(word), mockllm.Sleep(50*time.Millisecond))
	}
	return append(steps, whole...)
}

// Reloads disturb nobody: neither who streams nor who asks in between.
// scripts/reloads.sh does the same for a minute, and compares the times.
func TestReloadsUnderLoad(t *testing.T) {
	b, path := startFile(t, unwatched(), slowly, slowly)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var clients sync.WaitGroup
	var answered, streamed atomic.Int64
	ask := func(body, end string, n *atomic.Int64) {
		for ctx.Err() == nil {
			r, _ := http.NewRequest(http.MethodPost, b.url+"/v1/chat/completions", strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+annToken)
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Errorf("a request failed: %v", err)
				return
			}
			got, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || res.StatusCode != http.StatusOK || !strings.HasSuffix(strings.TrimSpace(string(got)), end) || strings.Contains(string(got), `"error"`) {
				t.Errorf("%d %v %s", res.StatusCode, err, got)
				return
			}
			n.Add(1)
		}
	}
	for i := range 50 {
		model := []string{"pool", "org/m1"}[i%2]
		clients.Go(func() {
			ask(`{"model":"`+model+`","stream":true,"messages":[{"role":"user","content":"Hello"}]}`, "data: [DONE]", &streamed)
		})
		if i < 4 {
			clients.Go(func() { ask(hello(model), "}", &answered) })
		}
	}
	reload := func() int { return b.ask("POST", "/admin/reload-config", adminToken).status }
	for i := range 100 {
		// Weights, prices, limits and keys change; users and models come and go.
		text := strings.NewReplacer("weight = 0.5", fmt.Sprintf("weight = %d", 1+i), "input_price = 1.0", fmt.Sprintf("input_price = %d.0", i),
			"users.off", fmt.Sprintf("users.off%d", i), keyTwo, fmt.Sprintf("%s-%d", keyTwo, i)).Replace(b.text(usual))
		if i%10 == 9 {
			writeFile(t, path, text+"unknown = 1\n")
			if got := reload(); got != 400 {
				t.Errorf("a bad file: %d", got)
			}
		}
		writeFile(t, path, text)
		if got := reload(); got != 200 {
			t.Errorf("reload %d: %d", i, got)
		}
	}
	cancel()
	clients.Wait()
	t.Logf("%d answers, %d streams", answered.Load(), streamed.Load())
	if answered.Load() < 20 || streamed.Load() < 50 {
		t.Errorf("%d answers and %d streams while reloading", answered.Load(), streamed.Load())
	}
	p := b.scrape()
	p.want(t, "berry_config_generation", 101)
	p.want(t, `berry_config_reloads_total{result="refused"}`, 10)
	p.want(t, "http_requests_in_flight", 1)
	if lines := b.lines("Configuration refused, the old one stays"); len(lines) != 10 {
		t.Errorf("%d refusals are logged", len(lines))
	}
}
