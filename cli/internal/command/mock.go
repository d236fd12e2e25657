package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// mocked is what mock prints when it is ready.
type mocked struct {
	Format  string   `json:"format"`
	Name    string   `json:"name"`
	BaseURL string   `json:"base_url"`
	Models  []string `json:"models"`
	Config  string   `json:"config"`
}

// mocking is what mock is asked for.
type mocking struct {
	addr, format  string
	name, key     string
	models        []string
	latency       time.Duration
	tokenInterval time.Duration
	failureRate   float64
	seed          uint64
}

// mockModel is what a fake provider serves unless it is told otherwise.
const mockModel = "mock-model"

func newMock(s *session) *cobra.Command {
	var m mocking
	c := &cobra.Command{
		Use:   "mock",
		Short: "Play a provider, to try a configuration without a key",
		Long: "mock is a fake provider on the loopback interface. It prints its base URL and the lines of a\n" +
			"configuration that use it, and answers until it is told to stop (Ctrl-C or SIGTERM).",
		Example: "  berry-cli mock --addr 127.0.0.1:4010 --models gpt-4,gpt-4o-mini --latency 300ms --failure-rate 0.1",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return mock(c.Context(), s, m)
		},
	}
	f := c.Flags()
	f.StringVar(&m.addr, "addr", "127.0.0.1:0", "loopback `HOST:PORT` to listen on; port 0 is a free one")
	f.StringVar(&m.format, "format", mockllm.OpenAI.String(), "wire `FORMAT`")
	f.StringVar(&m.name, "name", "mock", "what the provider calls `ITSELF`")
	f.StringVar(&m.key, "key", "", "the API `KEY` that it wants; empty takes any, and none")
	f.StringSliceVar(&m.models, "models", []string{mockModel}, "`NAMES` of the models that it has, with commas between")
	f.DurationVar(&m.latency, "latency", 0, "`TIME` from a request to the first content, such as 300ms")
	f.DurationVar(&m.tokenInterval, "token-interval", 0, "`TIME` between two words of an answer")
	f.Float64Var(&m.failureRate, "failure-rate", 0, "`SHARE` of the chats, from 0 to 1, that fail with 500, 503 or 429")
	f.Uint64Var(&m.seed, "seed", 0, "`NUMBER` that decides which chats fail")
	offering(c, "format", []string{mockllm.OpenAI.String(), mockllm.Azure.String(), mockllm.Claude.String(), mockllm.Gemini.String()})
	return c
}

func mock(ctx context.Context, s *session, m mocking) error {
	format, err := mockllm.ParseFormat(m.format)
	if err != nil {
		return fmt.Errorf("--format: %s", strings.TrimPrefix(err.Error(), "mockllm: "))
	}
	if err := m.check(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", m.addr)
	if err != nil {
		return cannot("listen: %w; choose another --addr", err)
	}
	server, err := mockllm.Open(mockllm.Options{
		Listener: listener, Keep: mockllm.KeepNone,
		Behaviour: mockllm.Behaviour{
			Format: format, Name: m.name, Key: m.key, Models: m.models,
			Latency: m.latency, TokenInterval: m.tokenInterval, FailureRate: m.failureRate, Seed: m.seed,
		},
	})
	if err != nil { // a value out of range
		listener.Close()
		return errors.New(strings.TrimPrefix(err.Error(), "mockllm: "))
	}
	defer server.Close()
	base := server.URL
	if format == mockllm.OpenAI {
		base += "/v1"
	}
	if s.json {
		err := s.object(mocked{Format: format.String(), Name: m.name, BaseURL: base, Models: m.models, Config: m.snippet(base)})
		if err != nil {
			return err
		}
	} else {
		fmt.Fprintf(s.Out, "Fake provider %q (%s format) answers on %s\n\n%s\nStop it with Ctrl-C.\n", m.name, format, base, m.snippet(base))
	}
	<-ctx.Done()
	return nil
}

// check refuses what cannot be asked for.
func (m *mocking) check() error {
	host, _, err := net.SplitHostPort(m.addr)
	if err != nil {
		return fmt.Errorf("--addr: %q is no HOST:PORT", m.addr)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("--addr: %q is no loopback address; a fake provider is for this machine only", host)
	}
	if len(m.models) == 0 {
		return errors.New("--models names none")
	}
	for _, model := range m.models {
		if model == "" || strings.ContainsAny(model, " \t\r\n") {
			return fmt.Errorf("--models: %q is no name of a model", model)
		}
	}
	return nil
}

// mockKeyVariable stands for the key in the snippet, which never shows it.
const mockKeyVariable = "MOCK_API_KEY"

// snippet is the part of a configuration that uses the fake provider.
func (m *mocking) snippet(base string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[providers.mock]\nname = %s\n", value(m.name))
	if m.format != mockllm.OpenAI.String() {
		fmt.Fprintf(&b, "backend_type = %s\n", value(m.format))
	}
	fmt.Fprintf(&b, "base_url = %s\n", value(base))
	if m.key != "" {
		fmt.Fprintf(&b, "api_key = \"${%s}\" # what --key says\n", mockKeyVariable)
	}
	names := make([]string, len(m.models))
	for i, model := range m.models {
		names[i] = value(model)
	}
	fmt.Fprintf(&b, "models = [%s]\n", strings.Join(names, ", "))
	for i, model := range m.models {
		fmt.Fprintf(&b, "\n[models.%[1]s]\nname = %[2]s\n[[models.%[1]s.backends]]\nprovider = \"mock\"\nmodel = %[2]s\n",
			quoted(model), names[i])
	}
	return b.String()
}

// value is a TOML string that loads as text: in values a $ begins a variable.
func value(text string) string { return quoted(strings.ReplaceAll(text, "$", "$$")) }

// quoted is a TOML basic string, and a key.
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
