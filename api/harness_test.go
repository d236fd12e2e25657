package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/PPKunOfficial/berry-api/api"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The credentials of the tests. They, and the providers' keys, have a mark that
// no answer and no log line may show.
const (
	annToken   = "berry-canary-01-user"
	adminToken = "berry-canary-02-admin"
	offToken   = "berry-canary-03-off"
	narrowTok  = "berry-canary-04-narrow"
	badToken   = "berry-canary-05-nobody"
	keyOne     = "sk-canary-06-one"
	keyTwo     = "sk-canary-07-two"
)

const canary = "canary-"

// usual is a configuration with a bit of everything; %[1]s and %[2]s are the
// base URLs of two providers.
const usual = `
[providers.one]
name = "First"
base_url = "%[1]s"
api_key = "` + keyOne + `"
[providers.two]
base_url = "%[2]s"
api_key = "` + keyTwo + `"
headers = { "X-Team" = "secret-canary-08-header" }

[models.pool]
name = "pool"
aliases = ["swimming"]
strategy = "failover"
[[models.pool.backends]]
provider = "one"
model = "up-1"
priority = 1
input_price = 1.0
output_price = 2.0
[[models.pool.backends]]
provider = "two"
model = "up-2"
priority = 2

[models.slash]
name = "org/m1"
strategy = "smart_ai"
[[models.slash.backends]]
provider = "one"
model = "up-1"
weight = 0.5
[[models.slash.backends]]
provider = "two"
model = "up-2"
tags = ["premium"]

[users.ann]
name = "Ann"
token = "` + annToken + `"
[users.boss]
token = "` + adminToken + `"
tags = ["admin"]
[users.off]
token = "` + offToken + `"
enabled = false
[users.narrow]
token = "` + narrowTok + `"
allowed_models = ["pool"]
[users.narrow.rate_limit]
requests_per_minute = 2
`

// setup is what a test wants of its server.
type setup struct {
	config   string // "": usual
	settings string // lines of [settings]
	options  func(*api.Options)
	one, two mockllm.Script
}

// berry is a server under test with the providers behind it.
type berry struct {
	t   *testing.T
	srv *api.Server
	url string
	log *syncBuffer
	one *mockllm.Server
	two *mockllm.Server

	stop func() error // drains; the first call's result
}

func start(t *testing.T, s setup) *berry {
	t.Helper()
	b := &berry{t: t, log: &syncBuffer{}, one: mockllm.Start(t, s.one), two: mockllm.Start(t, s.two)}
	o := api.Options{Version: "1.2.3", Stdout: b.log}
	if s.options != nil {
		s.options(&o)
	}
	b.serve(b.load(s), o)
	return b
}

// serve runs a server, for as long as the test.
func (b *berry) serve(cfg *config.Loaded, o api.Options) {
	t := b.t
	t.Helper()
	var err error
	if b.srv, err = api.New(cfg, o); err != nil {
		t.Fatal(err)
	}
	if err := b.srv.Listen(); err != nil {
		t.Fatal(err)
	}
	b.url = "http://" + b.srv.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.srv.Run(ctx) }()
	b.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		if err := b.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
		if strings.Contains(b.log.String(), canary) {
			t.Error("the log holds a secret")
		}
	})
}

// load makes the configuration of a setup.
func (b *berry) load(s setup) *config.Loaded {
	b.t.Helper()
	text := s.config
	if text == "" {
		text = usual
	}
	base := "[settings]\nshutdown_grace_seconds = 5\n"
	if !strings.Contains(s.settings, "health_check_interval_seconds") {
		base += "health_check_interval_seconds = 0\n"
	}
	if !strings.Contains("\n"+s.settings, "\nbind_address") {
		base += "bind_address = \"127.0.0.1:0\"\n"
	}
	text = fmt.Sprintf(text, b.one.URL, b.two.URL)
	cfg, err := config.Parse("test.toml", []byte(base+s.settings+"\n"+text), config.Env{
		Lookup: func(string) (string, bool) { return "", false },
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return cfg
}

// answer is a whole answer.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request; token "" sends none. Edits change the request.
func (b *berry) ask(method, path, token string, edits ...func(*http.Request)) answer {
	b.t.Helper()
	r, err := http.NewRequest(method, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, edit := range edits {
		edit(r)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.read(res)
}

// read reads an answer and checks what holds for every one.
func (b *berry) read(res *http.Response) answer {
	b.t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	a := answer{res.StatusCode, res.Header, string(body)}
	id := a.header.Get("X-Request-Id")
	if id == "" || a.header.Get("Request-Id") != id {
		b.t.Errorf("%s %s: x-request-id is %q, request-id %q", res.Request.Method, res.Request.URL.Path, id, a.header.Get("Request-Id"))
	}
	if whole := fmt.Sprint(a.header, a.body); strings.Contains(whole, canary) {
		b.t.Errorf("%s %s: the answer holds a secret", res.Request.Method, res.Request.URL.Path)
	}
	if path := res.Request.URL.Path; a.status >= 400 && !strings.HasSuffix(path, "/health") && path != "/readyz" {
		if e := a.error(); e.Message == "" || e.Type == "" {
			b.t.Errorf("%s %s: %d with body %s", res.Request.Method, res.Request.URL.Path, a.status, body)
		}
	}
	return a
}

func withBody(body string) func(*http.Request) {
	return func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(body))
		r.ContentLength = int64(len(body))
		r.Header.Set("Content-Type", "application/json")
	}
}

func withHeader(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

func (b *berry) chat(token, body string) answer {
	b.t.Helper()
	return b.ask(http.MethodPost, "/v1/chat/completions", token, withBody(body))
}

// open sends a chat request and leaves the answer's body to the test.
func (b *berry) open(body string) *http.Response {
	b.t.Helper()
	return b.post("/v1/chat/completions", body)
}

// post is open for any route.
func (b *berry) post(path, body string) *http.Response {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodPost, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+annToken)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func hello(model string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"Hello"}]}`, model)
}

// errorBody is the envelope of an error.
type errorBody struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

func (a answer) error() errorBody {
	var v struct{ Error errorBody }
	_ = json.Unmarshal([]byte(a.body), &v)
	return v.Error
}

func (a answer) code() string {
	if c := a.error().Code; c != nil {
		return *c
	}
	return ""
}

var (
	moments = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"`)
	figures = regexp.MustCompile(`"(uptime_seconds|average_latency_ms|latency_ms|ttft_ms|goroutines|cpus|heap_bytes|sys_bytes|gc_cycles)":[0-9.e+-]+`)
	goName  = regexp.MustCompile(`"go1\.[^"]*"`)
	hashes  = regexp.MustCompile(`"[0-9a-f]{64}"`)
	reqIDs  = regexp.MustCompile(`"req_[0-9a-f]{32}"`)
)

// plain replaces what differs from run to run.
func plain(s string) string {
	s = moments.ReplaceAllString(s, `"TIME"`)
	s = figures.ReplaceAllString(s, `"$1":0`)
	s = goName.ReplaceAllString(s, `"GO"`)
	s = hashes.ReplaceAllString(s, `"HASH"`)
	return reqIDs.ReplaceAllString(s, `"ID"`)
}

// wantJSON compares a whole answer, byte for byte but for white space in want.
func wantJSON(t *testing.T, a answer, status int, want string) {
	t.Helper()
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(want)); err != nil {
		t.Fatal(err)
	}
	if a.status != status {
		t.Errorf("status %d, want %d", a.status, status)
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
	if d := cmp.Diff(compact.String(), strings.TrimSuffix(plain(a.body), "\n")); d != "" {
		t.Errorf("body (-want +got):\n%s", d)
	}
}

// syncBuffer is a buffer for a server's output.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// logLine is a line of the log.
type logLine struct {
	Timestamp time.Time
	Level     string
	Target    string
	Message   string
	Fields    map[string]any
	raw       string
}

// lines drains the server and returns its log lines with a message, each
// checked for the shape that all have.
func (b *berry) lines(message string) []logLine {
	b.t.Helper()
	if err := b.stop(); err != nil {
		b.t.Fatal(err)
	}
	var out []logLine
	for raw := range strings.Lines(b.log.String()) {
		d := json.NewDecoder(strings.NewReader(raw))
		d.DisallowUnknownFields()
		n := logLine{raw: strings.TrimSuffix(raw, "\n")}
		if err := d.Decode(&n); err != nil || n.Timestamp.IsZero() || n.Level == "" || n.Target == "" || n.Message == "" {
			b.t.Fatalf("not a log line (%v): %s", err, raw)
		}
		if n.Message == message {
			out = append(out, n)
		}
	}
	return out
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	limit := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-poll.C:
		case <-limit:
			t.Fatalf("in vain waited for: %s", what)
		}
	}
}

// refused reports whether nothing listens on an address any more.
func refused(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return true
	}
	_ = c.Close()
	return false
}

// writeFile writes a file of a test.
func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
