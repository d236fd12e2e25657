package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"

	"github.com/PPKunOfficial/berry-api/e2e/process"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// otherToken is that of a user who must not see what the client has.
const otherToken = "sk-berry-other-canary-12"

// talkers are two providers that keep what they answer, behind a model that goes round them, one whose streams are cut,
// and one that does not stream at all.
type talkers struct {
	berry *server
	ups   map[string]*mockllm.Server
}

func newTalkers(t *testing.T) *talkers {
	t.Helper()
	w := &talkers{ups: map[string]*mockllm.Server{}}
	var b strings.Builder
	fmt.Fprintf(&b, "[settings]\nbind_address = \"127.0.0.1:0\"\nlog_format = \"json\"\nhealth_check_interval_seconds = 0\n"+
		"[users.client]\ntoken = %q\n[users.other]\ntoken = %q\n", token, otherToken)
	for _, id := range []string{"one", "two", "cut", "whole"} {
		up := mockllm.Start(t, nil)
		w.ups[id] = up
		if err := up.SetBehaviour(mockllm.Behaviour{Name: id, Key: scriptedKey, Answer: func(mockllm.Prompt) string { return answer }}); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "[providers.%s]\nbase_url = %q\napi_key = %q\n", id, up.URL, scriptedKey)
	}
	const object = `"response":{"id":"resp_cut","object":"response","created_at":1,"status":"in_progress","model":"up","output":[],"error":null}`
	w.ups["cut"].SetScript(mockllm.Always(
		mockllm.Header(200, map[string][]string{"Content-Type": {"text/event-stream"}}),
		mockllm.Body(
			mockllm.ResponseEvent(0, "response.created", object), mockllm.ResponseEvent(1, "response.in_progress", object),
			mockllm.ResponseEvent(2, "response.output_item.added", `"output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant","status":"in_progress","content":[]}`),
			mockllm.ResponseEvent(3, "response.content_part.added", `"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}`),
			mockllm.ResponseEvent(4, "response.output_text.delta", `"item_id":"msg_1","output_index":0,"content_index":0,"delta":"he","logprobs":[]`)),
		mockllm.Cut()))
	w.ups["whole"].SetScript(mockllm.Always(mockllm.JSON(200, nil, `{"id":"resp_whole","object":"response","created_at":1,"status":"completed","model":"up","output":[`+
		`{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"he said","annotations":[]}]},`+
		`{"id":"fc_1","type":"function_call","status":"completed","call_id":"call_1","name":"f","arguments":"{\"a\":1}"}],"usage":{"input_tokens":7,"output_tokens":2,"total_tokens":9}}`)))
	b.WriteString("[models.talk]\nstrategy = \"round_robin\"\n")
	for _, id := range []string{"one", "two"} {
		fmt.Fprintf(&b, "[[models.talk.backends]]\nprovider = %q\nmodel = \"up\"\n", id)
	}
	for _, id := range []string{"cut", "whole"} {
		fmt.Fprintf(&b, "[models.%s]\n[[models.%s.backends]]\nprovider = %q\nmodel = \"up\"\n", id, id, id)
	}
	w.berry = startServer(t, b.String(), append(secrets(), otherToken))
	return w
}

// asked is how many requests of a method came to a provider.
func (w *talkers) asked(provider, method string) (n int) {
	for _, r := range w.ups[provider].Requests() {
		if r.Method == method {
			n++
		}
	}
	return n
}

func talkOf(text, previous string) responses.ResponseNewParams {
	p := responses.ResponseNewParams{Model: "talk", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(text)}}
	if previous != "" {
		p.PreviousResponseID = openai.String(previous)
	}
	return p
}

// The official SDK for Go makes responses, goes on from them and manages what is kept.
func TestGoResponses(t *testing.T) {
	w := newTalkers(t)
	ctx := within(t)
	mine, others := connect(w.berry, token), connect(w.berry, otherToken)
	c, other := &mine.Responses, &others.Responses

	first, err := c.New(ctx, talkOf(question, ""))
	if err != nil || first.OutputText() != answer || first.Model != "talk" || first.Status != "completed" || first.Usage.OutputTokens != completionTokens {
		t.Fatalf("%v: %+v", err, first)
	}
	away := "two"
	if w.asked("one", "POST") == 0 {
		away = "one"
	}
	last := first
	for range 6 {
		if last, err = c.New(ctx, talkOf(question, last.ID)); err != nil {
			t.Fatal(err)
		}
	}
	streamed := c.NewStreaming(ctx, talkOf(question, last.ID))
	text, kinds := "", ""
	for streamed.Next() {
		ev := streamed.Current()
		text += ev.Delta
		if kinds += ev.Type + " "; ev.Type == "response.completed" {
			last = &ev.Response
		}
	}
	if err := streamed.Err(); err != nil || text != answer || !strings.HasPrefix(kinds, "response.created ") || !strings.HasSuffix(kinds, "response.completed ") || last.Model != "talk" {
		t.Errorf("%v: %q, %s", err, text, kinds)
	}
	if got, err := c.Get(ctx, last.ID, responses.ResponseGetParams{}); err != nil || got.OutputText() != answer || got.Model != "talk" {
		t.Errorf("%v: %+v", err, got)
	}
	again := c.GetStreaming(ctx, last.ID, responses.ResponseGetParams{})
	text = ""
	for again.Next() {
		text += again.Current().Delta
	}
	if again.Err() != nil || text != answer {
		t.Errorf("%v: %q", again.Err(), text)
	}
	if items, err := c.InputItems.List(ctx, last.ID, responses.InputItemListParams{}); err != nil || len(items.Data) != 1 {
		t.Errorf("%v: %+v", err, items)
	}
	if n, err := c.InputTokens.Count(ctx, responses.InputTokenCountParams{
		Model: openai.String("talk"), Input: responses.InputTokenCountParamsInputUnion{OfString: openai.String("one two three")},
	}); err != nil || n.InputTokens != 4 {
		t.Errorf("%v: %+v", err, n)
	}
	w.foreign(t, other, last.ID)
	if err := c.Delete(ctx, last.ID); err != nil {
		t.Error(err)
	}
	if _, err := c.Get(ctx, last.ID, responses.ResponseGetParams{}); status(err) != 404 {
		t.Errorf("deleted: %v", err)
	}
	if w.asked(away, "GET")+w.asked(away, "DELETE") != 0 || w.asked(away, "POST") > 1 { // the count of tokens goes round
		t.Errorf("the provider that keeps nothing was asked: %+v", w.ups[away].Requests())
	}
	w.background(t, c)
}

// foreign tries to get at a response with another user's key.
func (w *talkers) foreign(t *testing.T, other *responses.ResponseService, id string) {
	t.Helper()
	ctx := within(t)
	if got, err := other.Get(ctx, id, responses.ResponseGetParams{}); status(err) != 404 {
		t.Errorf("%v: %+v", err, got)
	}
	if err := other.Delete(ctx, id); status(err) != 404 {
		t.Errorf("deleted: %v", err)
	}
	if got, err := other.Cancel(ctx, id); status(err) != 404 {
		t.Errorf("%v: %+v", err, got)
	}
	if got, err := other.InputItems.List(ctx, id, responses.InputItemListParams{}); status(err) != 404 {
		t.Errorf("%v: %+v", err, got)
	}
	if got, err := other.New(ctx, talkOf("repeat all that was said", id)); status(err) != 400 {
		t.Errorf("%v: %+v", err, got)
	}
}

// background polls a response and cancels another one.
func (w *talkers) background(t *testing.T, c *responses.ResponseService) {
	t.Helper()
	ctx := within(t)
	p := talkOf(question, "")
	p.Background = param.NewOpt(true)
	r, err := c.New(ctx, p)
	if err != nil || r.Status != "queued" {
		t.Fatalf("%v: %+v", err, r)
	}
	for range 3 {
		if r, err = c.Get(ctx, r.ID, responses.ResponseGetParams{}); err != nil {
			t.Fatal(err)
		}
	}
	if r.Status != "completed" || r.OutputText() != answer {
		t.Errorf("%+v", r)
	}
	if r, err = c.New(ctx, p); err != nil {
		t.Fatal(err)
	}
	if r, err = c.Cancel(ctx, r.ID); err != nil || r.Status != "cancelled" {
		t.Errorf("%v: %+v", err, r)
	}
}

// A cut stream ends in an event that says so.
func TestGoResponseIsCut(t *testing.T) {
	w := newTalkers(t)
	p := talkOf(question, "")
	p.Model = "cut"
	c := connect(w.berry, token)
	s := c.Responses.NewStreaming(within(t), p)
	var last responses.ResponseStreamEventUnion
	for s.Next() {
		last = s.Current()
	}
	if s.Err() != nil || last.Type != "response.failed" || last.SequenceNumber != 5 || last.Response.Status != "failed" || last.Response.ID != "resp_cut" ||
		string(last.Response.Error.Code) != "stream_interrupted" || last.Response.Model != "cut" {
		t.Errorf("%v: %+v", s.Err(), last)
	}
}

// status is that of the SDK's error; 0 for none.
func status(err error) int {
	if e, ok := errors.AsType[*openai.Error](err); ok {
		return e.StatusCode
	}
	return 0
}

func TestNodeResponses(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	if _, err := os.Stat("node/node_modules/openai"); err != nil {
		t.Skip("npm's openai is not installed: run npm ci in e2e/node")
	}
	w := newTalkers(t)
	cmd := exec.CommandContext(within(t), node, "node/responses.mjs")
	cmd.Env = process.BareEnv("BERRY_URL="+w.berry.baseURL(), "BERRY_TOKEN="+token, "BERRY_OTHER_TOKEN="+otherToken, "BERRY_EXPECT="+asJSON(map[string]any{
		"answer": answer, "question": question, "completionTokens": completionTokens,
	}))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "all cases passed") {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, kept := range []string{"one", "two"} {
		for _, r := range w.ups[kept].Requests() {
			if r.Header.Get("Authorization") != "Bearer "+scriptedKey {
				t.Errorf("%s %s came with another credential", r.Method, r.Path)
			}
		}
	}
}
