package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/PPKunOfficial/berry-api/e2e/process"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

const token = "reload-client-token-0001"

// gateway is the berry-api under test.
type gateway struct {
	*process.Berry
	dir     string
	up      []*mockllm.Server
	version int // of the mounted folder
	client  *http.Client
}

func start(berry string, up []*mockllm.Server) (*gateway, error) {
	dir, err := os.MkdirTemp("", "berry-reload-")
	if err != nil {
		return nil, err
	}
	g := &gateway{
		dir: dir, up: up,
		client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 1000}},
	}
	if err := g.mount(g.config(0)); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "config.toml")
	if err := os.Symlink(filepath.Join("..data", "config.toml"), file); err != nil {
		return nil, err
	}
	if g.Berry, err = process.Start(berry, file, process.Options{Errors: os.Stderr}); err != nil { // which gets what the race detector finds
		return nil, err
	}
	return g, nil
}

// config is the n-th configuration: weights, prices, keys, headers and levels
// change, a model and a user come and go.
func (g *gateway) config(n int) string {
	level := []string{"info", "warn", "info,relay=debug"}[n%3]
	return fmt.Sprintf(`
[settings]
bind_address = "127.0.0.1:0"
log_format = "json"
log_level = %q
[providers.a]
base_url = %q
api_key = "key-%d"
[providers.b]
base_url = %q
headers = { X-Round = "%d" }
[models.m]
strategy = "round_robin"
backends = [{ provider = "a", model = "m", weight = %d, input_price = %d }, { provider = "b", model = "m" }]
[models.round-%d]
backends = [{ provider = "b", model = "m" }]
[users.u]
token = %q
tags = ["admin"]
[users.round-%d]
token = "token-of-the-round-%d"
`, level, g.up[0].URL, n, g.up[1].URL, n, 1+n%100, n, n, token, n, n)
}

// mount swaps the folder that the configuration is in.
func (g *gateway) mount(text string) error {
	g.version++
	name := fmt.Sprintf("..v%d", g.version)
	if err := os.Mkdir(filepath.Join(g.dir, name), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(g.dir, name, "config.toml"), []byte(text), 0o600); err != nil {
		return err
	}
	link := filepath.Join(g.dir, "..next")
	if err := os.Symlink(name, link); err != nil {
		return err
	}
	return os.Rename(link, filepath.Join(g.dir, "..data"))
}

// change brings in the next configuration, by request, by signal or by the file
// alone, and waits until it is served.
func (g *gateway) change(ctx context.Context, n int) error {
	if err := g.mount(g.config(n + 1)); err != nil {
		return err
	}
	switch n % 3 {
	case 0:
		if status, body, err := g.post("/admin/reload-config", ""); status != http.StatusOK {
			return errors.Join(err, fmt.Errorf("reload %d: status %d: %s", n, status, body))
		}
	case 1:
		if err := g.Signal(syscall.SIGHUP); err != nil {
			return err
		}
	}
	served := fmt.Sprintf(`"id":"round-%d"`, n+1)
	limit := time.Now().Add(5 * time.Second)
	for ctx.Err() == nil {
		_, body, err := g.get("/v1/models")
		if err == nil && strings.Contains(body, served) {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("change %d did not take effect: %s", n, body)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

// refuse brings in a file with three mistakes, of which each has to be told.
func (g *gateway) refuse() error {
	bad := strings.NewReplacer(`strategy = "round_robin"`, `strategy = "rond_robin"`, "input_price = ", "input_prise = ", "[users.u]", "[users.u]\nname = 5").
		Replace(g.config(g.version))
	if err := g.mount(bad); err != nil {
		return err
	}
	status, body, err := g.post("/admin/reload-config", "")
	var told struct{ Problems []struct{ Key string } }
	if err == nil {
		err = json.Unmarshal([]byte(body), &told)
	}
	if status != http.StatusBadRequest || err != nil || len(told.Problems) != 3 {
		return errors.Join(err, fmt.Errorf("a bad file: status %d: %s", status, body))
	}
	return nil
}

type kind string

const (
	kindPlain  kind = "false"
	kindStream kind = "true"
)

// ask makes a chat request; the error says what is wrong with the answer.
func (g *gateway) ask(say string, k kind) error {
	status, body, err := g.post("/v1/chat/completions", fmt.Sprintf(`{"model":"m","stream":%s,"messages":[{"role":"user","content":"say %s"}]}`, k, say))
	switch {
	case err != nil:
		return err
	case status != http.StatusOK || strings.Contains(body, `"error"`):
		return fmt.Errorf("status %d: %s", status, body)
	case k == kindPlain && !strings.Contains(body, `"content":"`+say+`"`):
		return fmt.Errorf("another's answer: %s", body)
	case k == kindStream && (strings.Count(body, `"content":"`+say+` "`) != words || !strings.Contains(body, `"finish_reason":"stop"`) || !strings.HasSuffix(body, "data: [DONE]\n\n")):
		return fmt.Errorf("a stream that is not whole: %s", body)
	}
	return nil
}

func (g *gateway) post(path, body string) (int, string, error) {
	return g.do(http.MethodPost, path, body)
}
func (g *gateway) get(path string) (int, string, error) { return g.do(http.MethodGet, path, "") }

func (g *gateway) do(method, path, body string) (int, string, error) {
	req, err := http.NewRequest(method, g.URL()+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := g.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), err
}

// stop ends berry-api; one built with the race detector fails if that found something.
func (g *gateway) stop() error {
	defer os.RemoveAll(g.dir)
	g.client.CloseIdleConnections()
	return g.Stop()
}
