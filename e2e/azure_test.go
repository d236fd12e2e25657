package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

const azureKey = "up-azure-canary-7"

// TestGoAzure runs the OpenAI SDK for Go against Berry in front of Azure, at
// its addresses by deployment and at the newer ones.
func TestGoAzure(t *testing.T) {
	up := mockllm.Start(t, nil)
	if err := up.SetBehaviour(mockllm.Behaviour{
		Format: mockllm.Azure, Key: azureKey, Models: []string{"dep"}, Answer: func(mockllm.Prompt) string { return answer },
	}); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[settings]\nbind_address = \"127.0.0.1:0\"\nlog_format = \"json\"\nhealth_check_interval_seconds = 0\n[users.client]\ntoken = %q\n", token)
	for name, version := range map[string]string{"classic": "2024-10-21", "v1": ""} {
		fmt.Fprintf(&b, "[providers.%s]\nbackend_type = \"azure\"\nbase_url = %q\napi_key = %q\napi_version = %q\n"+
			"[models.%s]\n[[models.%s.backends]]\nprovider = %q\nmodel = \"dep\"\n", name, up.URL, azureKey, version, name, name, name)
	}
	berry := startServer(t, b.String(), []string{token, azureKey})
	c := connect(berry, token)
	for _, model := range []string{"classic", "v1"} {
		t.Run(model, func(t *testing.T) {
			got, err := c.Chat.Completions.New(within(t), params(model))
			if err != nil {
				t.Fatal(describe(err))
			}
			equal(t, "text", got.Choices[0].Message.Content, answer)
			equal(t, "model", got.Model, model)
			p := params(model)
			p.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
			streamed := whole(t, c.Chat.Completions.NewStreaming(within(t), p), answer, model)
			equal(t, "usages", len(streamed.usages), 1)
		})
	}
	for _, r := range up.Requests() {
		if r.Header.Get("Api-Key") != azureKey || r.Header.Get("Authorization") != "" {
			t.Errorf("%s came with another credential", r.Path)
		}
	}
}
