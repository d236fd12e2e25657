package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/probe"
)

// trial is the result of test-backend.
type trial struct {
	OK             bool       `json:"ok"`
	Backend        string     `json:"backend"`
	Provider       string     `json:"provider"`
	Model          string     `json:"model"`
	Endpoint       string     `json:"endpoint"`
	Stream         bool       `json:"stream"`
	Kind           string     `json:"kind"`
	Status         int        `json:"status"` // 0: no HTTP answer
	FirstContentMS float64    `json:"first_content_ms"`
	DurationMS     float64    `json:"duration_ms"`
	Usage          trialUsage `json:"usage"`
	Message        string     `json:"message"`
}

type trialUsage struct {
	InputTokens  int  `json:"input_tokens"`
	OutputTokens int  `json:"output_tokens"`
	Estimated    bool `json:"estimated"`
}

func newTestBackend(s *session) *cobra.Command {
	var t probe.Test
	endpoint := t.Endpoint.String()
	c := &cobra.Command{
		Use:   "test-backend",
		Short: "Send one short chat to a backend",
		Long: "test-backend sends one real chat of a few tokens to a model of a provider, in the provider's\n" +
			"own format, and prints how long the answer took. It needs no running server, and the model\n" +
			"need not be listed in the configuration. The provider may charge for the tokens. With --endpoint\n" +
			"it asks for something else than a chat, such as a vector, of models that do not chat.",
		Example: "  berry-cli test-backend -p openai -m gpt-4\n  berry-cli test-backend -p openai -m text-embedding-3-small --endpoint embeddings\n  berry-cli test-backend -p openai -m gpt-4 --stream --json",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := tested(&t, endpoint); err != nil {
				return err
			}
			return testBackend(c.Context(), s, t)
		},
	}
	c.Flags().StringVarP(&t.Provider, "provider", "p", "", "`ID` of the provider (required)")
	c.Flags().StringVarP(&t.Model, "model", "m", "", "the provider's own `NAME` of the model (required)")
	c.Flags().StringVar(&endpoint, "endpoint", endpoint, "what to ask for: `NAME` is one of "+strings.Join(testedNames(), ", "))
	c.Flags().BoolVar(&t.Stream, "stream", false, "ask for a streamed answer")
	required(c, "provider", "model")
	s.completing(c, "provider", providerIDs)
	s.completing(c, "model", func(cfg *config.Config) []string { return upstreamModels(cfg, t.Provider) })
	s.completing(c, "endpoint", func(*config.Config) []string { return testedNames() })
	return c
}

// testedNames are the endpoints that a backend can be tested with.
func testedNames() (names []string) {
	for _, e := range probe.TestedEndpoints() {
		names = append(names, e.String())
	}
	return names
}

// tested sets what the test asks for.
func tested(t *probe.Test, name string) error {
	i := slices.Index(testedNames(), name)
	if i < 0 {
		return fmt.Errorf("--endpoint must be one of %s", strings.Join(testedNames(), ", "))
	}
	if t.Endpoint = probe.TestedEndpoints()[i]; t.Stream && i > 0 {
		return errors.New("--stream is for chats only")
	}
	return nil
}

func testBackend(ctx context.Context, s *session, t probe.Test) error {
	if strings.TrimSpace(t.Model) == "" {
		return errors.New("--model must not be empty")
	}
	cfg, err := s.load()
	if err != nil {
		return err
	}
	if err := known(cfg, t.Provider); err != nil {
		return err
	}
	gateway, err := relay.New(cfg, relay.Options{Version: version()})
	if err != nil {
		return &failed{err}
	}
	if models := cfg.Providers[t.Provider].Models; len(models) > 0 && !slices.Contains(models, t.Model) {
		s.warn(s.Err, "providers.%s.models does not name %q", t.Provider, t.Model)
	}
	r := gateway.Current().TestBackend(ctx, t)
	backend := t.Provider + ":" + t.Model
	if s.json {
		err := s.object(trial{
			OK: r.OK, Backend: backend, Provider: t.Provider, Model: t.Model, Endpoint: t.Endpoint.String(), Stream: t.Stream,
			Kind: r.Kind.String(), Status: r.Status,
			FirstContentMS: milliseconds(r.FirstContent), DurationMS: milliseconds(r.Duration),
			Usage:   trialUsage{r.Usage.Input, r.Usage.Output, r.Usage.Estimated},
			Message: r.Message,
		})
		if err == nil && !r.OK {
			err = notGood()
		}
		return err
	}
	if !r.OK {
		s.bad("Backend %s connectivity test failed: %s", backend, r.Message)
		return notGood()
	}
	estimated := ""
	if r.Usage.Estimated {
		estimated = " (estimated: the provider did not say)"
	}
	fmt.Fprintf(s.Out, "  first content  %s\n  total          %s\n  tokens         %d in, %d out%s\n",
		shown(r.FirstContent), shown(r.Duration), r.Usage.Input, r.Usage.Output, estimated)
	s.good("Backend %s connectivity test passed", backend)
	return nil
}
