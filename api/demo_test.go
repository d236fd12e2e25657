package api_test

import (
	"context"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/api"
)

// demo is a demonstration that runs.
type demo struct {
	t    *testing.T
	out  *syncBuffer
	base string
	stop func() error
}

var baseLine = regexp.MustCompile(`(?m)^  Base URL  (\S+)/v1$`)

func startDemo(t *testing.T, o api.DemoOptions) *demo {
	t.Helper()
	d := &demo{t: t, out: &syncBuffer{}}
	o.Stdout = d.out
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- api.Demo(ctx, o) }()
	d.stop = func() error {
		cancel()
		return <-done
	}
	eventually(t, "the instructions", func() bool {
		select {
		case err := <-done:
			t.Fatalf("the demo ended: %v", err)
		default:
		}
		return strings.Contains(d.out.String(), "Starting Berry API")
	})
	d.base = baseLine.FindStringSubmatch(d.out.String())[1]
	return d
}

// section is the printed command under a heading.
func (d *demo) section(heading string) string {
	d.t.Helper()
	_, rest, found := strings.Cut(d.out.String(), "\n"+heading+"\n")
	command, _, _ := strings.Cut(rest, "\n\n")
	if !found {
		d.t.Fatalf("no %q in:\n%s", heading, d.out)
	}
	return command
}

func TestDemo(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh to run the printed lines with")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl to run the printed lines with")
	}
	d := startDemo(t, api.DemoOptions{Version: "1.2.3", Address: "127.0.0.1:0"})
	run := func(command string) string {
		t.Helper()
		out, err := exec.Command(shell, "-c", command).Output()
		if err != nil {
			t.Fatalf("%v: %s", err, command)
		}
		return string(out)
	}
	page := regexp.MustCompile(`  Dashboard (\S+)`).FindStringSubmatch(d.out.String())
	if page == nil || !strings.HasPrefix(run("curl -s "+page[1]), "<!doctype html>") {
		t.Errorf("dashboard: %v", page)
	}
	if got := run(d.section("Ask:")); !strings.Contains(got, `"object":"chat.completion"`) || !strings.Contains(got, `"model":"demo-smart"`) {
		t.Errorf("plain: %s", got)
	}
	got := run(d.section("Ask for a stream:"))
	if strings.Count(got, "data: {") < 10 || !strings.HasSuffix(got, "data: [DONE]\n\n") || strings.Contains(got, `"error"`) {
		t.Errorf("stream: %s", got)
	}
	everyFormat(t, d, run)
	// What Claude Code would be told, but for what it says.
	env := strings.TrimSuffix(strings.TrimSpace(d.section("From Claude Code, whatever a model's providers speak:")), " claude")
	got = run("export " + env + `
		curl -sN "$ANTHROPIC_BASE_URL/v1/messages?beta=true" -H "Authorization: Bearer $ANTHROPIC_AUTH_TOKEN" -H "anthropic-version: 2023-06-01" \
			-d "{\"model\":\"$ANTHROPIC_MODEL\",\"max_tokens\":50,\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}"`)
	if !strings.HasPrefix(got, "event: message_start\n") || !strings.HasSuffix(got, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n") {
		t.Errorf("messages: %s", got)
	}
	looks := strings.Split(d.section("Look:"), "\n")
	if len(looks) != 5 {
		t.Errorf("%d lines to look at", len(looks))
	}
	for _, line := range looks {
		if got := run(line + "\n"); !strings.Contains(got, "cheap") && !strings.Contains(got, `"status"`) {
			t.Errorf("%s: %s", line, got)
		}
	}
	if err := d.stop(); err != nil {
		t.Error(err)
	}
	// Each start has a token of its own.
	token := regexp.MustCompile(`API key   (demo-[a-z0-9]{26})\n`)
	first := token.FindStringSubmatch(d.out.String())
	second := startDemo(t, api.DemoOptions{Address: "127.0.0.1:0"})
	if next := token.FindStringSubmatch(second.out.String()); first == nil || next == nil || first[1] == next[1] {
		t.Errorf("tokens %q %q", first, next)
	}
	if err := second.stop(); err != nil {
		t.Error(err)
	}
}

// everyFormat asks each provider, whatever its wire format, with the printed
// lines: the token is an administrator's and may choose.
func everyFormat(t *testing.T, d *demo, run func(string) string) {
	t.Helper()
	for provider, model := range map[string]string{"cheap": "demo-smart", "steady": "demo-weighted", "premium": "demo-weighted", "spare": "demo-weighted"} {
		pin := strings.NewReplacer("demo-smart", model, "demo-failover", model, `{"model"`, `{"backend":"`+provider+`","max_tokens":9,"model"`, "curl ", "curl -i ")
		// The cheap one is flaky: it is asked until it answers.
		answered := func(heading, sign string) bool {
			got := run(pin.Replace(d.section(heading)))
			return strings.Contains(got, "X-Berry-Provider: "+provider+"\r\n") && strings.Contains(got, sign) && strings.Contains(got, "fake-"+provider)
		}
		for heading, sign := range map[string]string{"Ask:": `"finish_reason":"length"`, "Ask for a stream:": "data: [DONE]\n\n"} {
			eventually(t, heading+" "+provider, func() bool { return answered(heading, sign) })
		}
	}
}

// Two demonstrations on one machine: whoever has port 3000, the other finds one.
func TestDemoFindsAPort(t *testing.T) {
	one := startDemo(t, api.DemoOptions{})
	two := startDemo(t, api.DemoOptions{})
	if one.base == two.base {
		t.Errorf("both on %s", one.base)
	}
	for _, d := range []*demo{one, two} {
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	}
	if err := api.Demo(context.Background(), api.DemoOptions{Stdout: &syncBuffer{}, Address: "nowhere"}); err == nil {
		t.Error("an address that is none: no error")
	}
}

func TestDemoTraffic(t *testing.T) {
	d := startDemo(t, api.DemoOptions{Address: "127.0.0.1:0", Traffic: true})
	eventually(t, "traffic on two models", func() bool {
		s := d.out.String()
		return strings.Contains(s, `"model":"demo-smart"`) && strings.Contains(s, `"model":"demo-failover"`)
	})
	if err := d.stop(); err != nil {
		t.Error(err)
	}
	if !refused(strings.TrimPrefix(d.base, "http://")) {
		t.Error("it listens after its end")
	}
	http.DefaultClient.CloseIdleConnections()
}
