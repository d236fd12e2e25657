package openai

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

var asked = &dialect.Meta{Model: []byte(`"m"`)}

func TestDecodeResponse(t *testing.T) {
	f := func(in, want string, usage dialect.Usage) {
		t.Helper()
		got, u, err := decodeResponse([]byte(in), asked)
		if err != nil || string(got) != want || u != usage {
			t.Errorf("%s: %s, %+v, %v, want %s, %+v", in, got, u, err, want, usage)
		}
	}
	f(`{"id":"r","object":"response","model":"up","status":"completed","error":null,"output":[{"n":12345678901234567890}],"zz" : 1,
		"usage":{"input_tokens":7,"input_tokens_details":{"cached_tokens":3,"cache_write_tokens":1},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":12}}`,
		`{"id":"r","object":"response","model":"m","status":"completed","error":null,"output":[{"n":12345678901234567890}],"zz" : 1,
		"usage":{"input_tokens":7,"input_tokens_details":{"cached_tokens":3,"cache_write_tokens":1},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":12}}`,
		dialect.Usage{Input: 7, Output: 5, CachedInput: 3, CacheWrite: 1, Reasoning: 2})
	f(`{"id":"r","model":null,"usage":null}`, `{"id":"r","model":null,"usage":null}`, dialect.Usage{})
	f(`{"id":"r","status":"incomplete","usage":{"input_tokens":"x","output_tokens":-1}}`, `{"id":"r","status":"incomplete","usage":{"input_tokens":"x","output_tokens":-1}}`, dialect.Usage{})
	// Only the response's own model is Berry's to say.
	f(`{"id":"r","output":[{"model":"other"}],"model":"up"}`, `{"id":"r","output":[{"model":"other"}],"model":"m"}`, dialect.Usage{})

	for _, in := range []string{"", "x", "[]", `"r"`, "{}", `{"id":1}`, `{"object":"response"}`, `{"id":"r"`, `{"id":"r"}}`, "{\"id\":\"\xff\"}"} {
		if got, _, err := decodeResponse([]byte(in), asked); !errors.Is(err, errNoResponse) {
			t.Errorf("%s: %s, %v, want no response", in, got, err)
		}
	}
}

func TestDecodeResponseReportsItsFault(t *testing.T) {
	f := func(in string, want apierror.Error) {
		t.Helper()
		_, _, err := decodeResponse([]byte(in), asked)
		got, ok := errors.AsType[*apierror.Error](err)
		if !ok {
			t.Errorf("%s: %v, want a fault", in, err)
		} else if d := cmp.Diff(&want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", in, d)
		}
	}
	failed := func(fault string) string {
		return `{"id":"r","status":"failed","model":"up","error":` + fault + `}`
	}
	f(`{"error":{"message":"boom","type":"server_error","code":"x"}}`, apierror.Error{Status: 500, Type: "server_error", Code: "x", Message: "boom"})
	f(failed(`{"code":"server_error","message":"boom"}`), apierror.Error{Status: 500, Type: "server_error", Code: "server_error", Message: "boom"})
	f(failed(`{"code":"rate_limit_exceeded","message":"slow"}`), apierror.Error{Status: 429, Type: "server_error", Code: "rate_limit_exceeded", Message: "slow"})
	for _, code := range []string{"invalid_prompt", "image_too_large", "unsupported_image_media_type", "empty_image_file", "failed_to_download_image"} {
		f(failed(`{"code":"`+code+`","message":"no"}`), apierror.Error{Status: 400, Type: "invalid_request_error", Code: code, Message: "no"})
	}
	// Berry's own credential is no fault of the client's, whatever the word begins with.
	f(failed(`{"code":"invalid_api_key","message":"no"}`), apierror.Error{Status: 401, Type: "server_error", Code: "invalid_api_key", Message: "no"})
	f(failed(`null`), apierror.Error{Status: 500, Type: "server_error", Message: "the provider answered with status 500 and no readable error"})
	f(failed(`"boom"`), apierror.Error{Status: 500, Type: "server_error", Message: "the provider answered with status 500 and no readable error"})
}

func TestReadStored(t *testing.T) {
	f := func(in, want string, says Response) {
		t.Helper()
		got, r, err := ReadStored([]byte(in), &dialect.Meta{Model: []byte(`"m"`)})
		if err != nil || string(got) != want || r != says {
			t.Errorf("%s: %s, %+v, %v, want %s, %+v", in, got, r, err, want, says)
		}
	}
	f(`{"id":"r","model":"up","status":"queued","conversation":{"id":"conv_1"},"store":true}`, `{"id":"r","model":"m","status":"queued","conversation":{"id":"conv_1"},"store":true}`,
		Response{ID: "r", Status: "queued", Conversation: "conv_1"})
	f(`{"id":"r","conversation":"conv_2","store":false,"usage":{"output_tokens":3}}`, `{"id":"r","conversation":"conv_2","store":false,"usage":{"output_tokens":3}}`,
		Response{ID: "r", Conversation: "conv_2", Unstored: true, Usage: dialect.Usage{Output: 3}})
	f(`{"id":"r","conversation":null,"store":null}`, `{"id":"r","conversation":null,"store":null}`, Response{ID: "r"})
	f(`{"id":"\u0072","conversation":{"x":[1],"id":7}}`, `{"id":"\u0072","conversation":{"x":[1],"id":7}}`, Response{})
	f(`{"object":"list","data":[{"id":"i","model":"up"}]}`, `{"object":"list","data":[{"id":"i","model":"up"}]}`, Response{})
	f(`{"id":"r","deleted":true,"object":"response"}`, `{"id":"r","deleted":true,"object":"response"}`, Response{ID: "r"})
	for _, in := range []string{"", "x", "[]", "<html>", "{"} {
		if got, _, err := ReadStored([]byte(in), &dialect.Meta{Model: []byte(`"m"`)}); err == nil {
			t.Errorf("%q is read as %q", in, got)
		}
	}
	for status, over := range map[string]bool{"queued": false, "in_progress": false, "completed": true, "incomplete": true, "failed": true, "cancelled": true, "": true} {
		if r := (Response{Status: status}); r.Over() != over {
			t.Errorf("%q: over %v", status, r.Over())
		}
	}
}

// stream is the events of in, each "name|data", as they come out.
func stream(t *testing.T, d *Responses, in ...string) (out string, states []dialect.State, err error) {
	t.Helper()
	var dst []byte
	for _, ev := range in {
		name, data, _ := strings.Cut(ev, "|")
		var s dialect.State
		if dst, s, err = d.Event(dst, []byte(name), []byte(data)); err != nil {
			break
		}
		states = append(states, s)
	}
	return string(dst), states, err
}

func TestResponseEvents(t *testing.T) {
	f := func(in, want string, state dialect.State) {
		t.Helper()
		got, states, err := stream(t, NewResponses(asked), in)
		if err != nil || got != want || states[0] != state {
			t.Errorf("%s: %q, %v, %v, want %q, %v", in, got, states, err, want, state)
		}
	}
	same := func(kind, rest string, state dialect.State) {
		t.Helper()
		data := `{"type":"` + kind + `","sequence_number":3` + rest + `}`
		f(kind+"|"+data, "event: "+kind+"\ndata: "+data+"\n\n", state)
	}
	same("response.in_progress", ``, dialect.Lifecycle)
	same("response.queued", ``, dialect.Lifecycle)
	same("keepalive", ``, dialect.Lifecycle)
	same("response.output_item.added", `,"output_index":0,"item":{"id":"msg_1","type":"message","content":[]}`, dialect.Lifecycle)
	same("response.output_item.added", `,"item":{"type":"reasoning"}`, dialect.Content)
	same("response.output_item.added", `,"item":{"type":"function_call","name":"f"}`, dialect.Content)
	same("response.output_item.added", `,"item":null`, dialect.Content)
	same("response.content_part.added", `,"part":{"type":"output_text","text":""}`, dialect.Lifecycle)
	same("response.output_text.delta", `,"delta":"he\n\u00e9"`, dialect.Content)
	same("response.reasoning_summary_text.delta", `,"delta":"th","obfuscation":"xyz"`, dialect.Content)
	same("response.function_call_arguments.delta", `,"delta":"{"`, dialect.Content)
	same("response.foo.bar", `,"n":12345678901234567890 , "delta":{"a":1}`, dialect.Content)
	same("response.completed", `,"response":{"id":"r"}`, dialect.End)
	same("response.incomplete", `,"response":{"id":"r"}`, dialect.End)

	// The model's name is the client's, inside the response and nowhere else.
	f(`response.created|{"type":"response.created","response":{"id":"r","model" : "up","x":{"model":"up"}},"model":"up"}`,
		"event: response.created\ndata: "+`{"type":"response.created","response":{"id":"r","model" : "m","x":{"model":"up"}},"model":"up"}`+"\n\n", dialect.Lifecycle)
	f(`x|{"type":"response.created","response":null}`, "event: x\ndata: "+`{"type":"response.created","response":null}`+"\n\n", dialect.Lifecycle)

	// An event without a name goes by its type, if that can be one.
	f(`|{"type":"response.foo"}`, "event: response.foo\ndata: "+`{"type":"response.foo"}`+"\n\n", dialect.Content)
	f(`|{"type":"a\nb"}`, "data: "+`{"type":"a\nb"}`+"\n\n", dialect.Content)
	f(`|{"type":""}`, "data: "+`{"type":""}`+"\n\n", dialect.Lifecycle)
	f(`|{"a":1}`, "data: "+`{"a":1}`+"\n\n", dialect.Lifecycle)
	f("|{\"a\":\n1,\r\n\"b\":2}", "data: "+`{"a": 1,  "b":2}`+"\n\n", dialect.Lifecycle)

	for _, in := range []string{"", "x", "{", "[]", `"a"`, `{"type":}`, "{\"type\":\"\xff\"}", `{"response":{"id":}}`, `{"a":1}}`} {
		f("response.foo|"+in, "", dialect.Dropped)
	}
}

const (
	created  = `response.created|{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","model":"upstream-model","error":null,"output":[],"conversation":{"id":"conv_1"}}}`
	delta    = `response.output_text.delta|{"type":"response.output_text.delta","sequence_number":4,"delta":"hello"}`
	complete = `response.completed|{"type":"response.completed","sequence_number":9,"response":{"id":"resp_1","status":"completed","model":"upstream-model","usage":{"input_tokens":7,"output_tokens":2}}}`
)

func TestResponseStreamIsFollowed(t *testing.T) {
	d := NewResponses(asked)
	if _, _, err := stream(t, d, created, delta); err != nil || d.Finished() || d.TextBytes() != 5 || !d.Usage().IsZero() {
		t.Errorf("%v, finished %v, %d bytes, %+v", err, d.Finished(), d.TextBytes(), d.Usage())
	}
	if got, want := d.Response(), (Response{ID: "resp_1", Conversation: "conv_1", Status: "in_progress"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	out, states, err := stream(t, d, complete, "|[DONE]")
	usage := dialect.Usage{Input: 7, Output: 2}
	if err != nil || !d.Finished() || d.Usage() != usage || states[1] != dialect.End || strings.Contains(out, "DONE") || len(d.End(nil)) != 0 {
		t.Errorf("%v, finished %v, %+v, %v, %s", err, d.Finished(), d.Usage(), states, out)
	}
	if got, want := d.Response(), (Response{ID: "resp_1", Conversation: "conv_1", Usage: usage}); got != want || !got.Over() {
		t.Errorf("%+v, want %+v", got, want)
	}
	// The end that others say means nothing before the response's own.
	if _, _, err := stream(t, NewResponses(asked), created, delta, "|[DONE]"); !errors.Is(err, errUnfinished) {
		t.Errorf("%v, want an unfinished stream", err)
	}
}

func TestResponseStreamReportsTheUpstreamsFault(t *testing.T) {
	f := func(in string, want apierror.Error) {
		t.Helper()
		out, _, err := stream(t, NewResponses(asked), in)
		var got *apierror.Error
		if !errors.As(err, &got) || out != "" {
			t.Errorf("%s: %q, %v, want a fault", in, out, err)
		} else if d := cmp.Diff(&want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", in, d)
		}
	}
	boom := apierror.Error{Status: 500, Type: "server_error", Code: "x", Message: "boom"}
	f(`error|{"type":"error","code":"x","message":"boom","param":null,"sequence_number":1}`, boom)
	f(`|{"type":"error","code":"x","message":"boom","param":null,"sequence_number":1}`, boom)
	f(`error|{"type":"error","sequence_number":1,"error":{"type":"server_error","code":"x","message":"boom"}}`, boom)
	f(`|{"error":{"type":"server_error","code":"x","message":"boom"}}`, boom)
	f(`response.failed|{"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"x","message":"boom"}}}`, boom)
	f(`response.failed|{"type":"response.failed","response":{"id":"r","error":{"code":"rate_limit_exceeded","message":"slow"}}}`,
		apierror.Error{Status: http.StatusTooManyRequests, Type: "server_error", Code: "rate_limit_exceeded", Message: "slow"})
	f(`error|busy`, apierror.Error{Status: 500, Type: "server_error", Message: "the provider answered with status 500 and no readable error"})
}

func TestResponseStreamEndsBadly(t *testing.T) {
	f := func(e *apierror.Error, want string, in ...string) {
		t.Helper()
		d := NewResponses(asked)
		_, _, err := stream(t, d, in...)
		if fault, ok := errors.AsType[*apierror.Error](err); ok && e == nil {
			e = fault
		}
		if got := string(d.Break(nil, e)); got != want {
			t.Errorf("%q\ngot  %s\nwant %s", in, got, want)
		}
	}
	cut := apierror.New(apierror.StreamInterrupted, `broken "off"`)
	// As the response began, but failed.
	f(cut, "event: response.failed\ndata: "+`{"type":"response.failed","sequence_number":5,"response":{"id":"resp_1","object":"response","status":"failed","model":"m",`+
		`"error":{"code":"stream_interrupted","message":"broken \"off\""},"output":[],"conversation":{"id":"conv_1"}}}`+"\n\n", created, delta)
	// Members in any order, of any length, or missing; a stream without numbers.
	f(cut, "event: response.failed\ndata: "+`{"type":"response.failed","sequence_number":2,"response":{ "error":{"code":"stream_interrupted","message":"broken \"off\""},"model":"m", "status":"failed","id":"r" }}`+"\n\n",
		"|{\"response\":{\n\"error\":{\"a\":1},\"model\":\"a-rather-long-name\",\n\"status\":\"queued\",\"id\":\"r\"\n}}", `|{"type":"response.output_text.delta","delta":"a"}`)
	f(cut, "event: response.failed\ndata: "+`{"type":"response.failed","sequence_number":1,"response":{"error":{"code":"stream_interrupted","message":"broken \"off\""},"status":"failed","id":"r"}}`+"\n\n",
		`|{"response":{"id":"r"}}`)
	// No response was named, or it is too long to be kept.
	f(cut, "event: error\ndata: "+`{"type":"error","code":"stream_interrupted","message":"broken \"off\"","param":null,"sequence_number":0}`+"\n\n")
	f(cut, "event: error\ndata: "+`{"type":"error","code":"stream_interrupted","message":"broken \"off\"","param":null,"sequence_number":8}`+"\n\n",
		`|{"sequence_number":7,"response":{"id":"r","x":"`+strings.Repeat("x", maxSnapshot)+`"}}`)

	// What the upstream said of its failure goes on as it is ...
	const failed = `{"type":"response.failed","sequence_number":6,"response":{"id":"resp_1","status":"failed","model":"up","error":{"code":"server_error","message":"boom"},"output":[1]}}`
	f(nil, "event: response.failed\ndata: "+strings.Replace(failed, `"up"`, `"m"`, 1)+"\n\n", created, delta, "response.failed|"+failed)
	const event = `{"type":"error","sequence_number":6,"code":"x","message":"boom","param":"p"}`
	f(nil, "event: error\ndata: "+event+"\n\n", created, delta, "error|"+event)
	// ... unless a secret had to be taken out of it, or it is a chat's.
	const hidden = `{"type":"response.failed","sequence_number":5,"response":{"id":"resp_1","object":"response","status":"failed","model":"m","error":{"code":"x","message":"***"},"output":[],"conversation":{"id":"conv_1"}}}`
	f(&apierror.Error{Code: "x", Message: "***"}, "event: response.failed\ndata: "+hidden+"\n\n", created, delta, "error|"+event)
	f(nil, "event: response.failed\ndata: "+strings.NewReplacer("***", "boom", ":5", ":1").Replace(hidden)+"\n\n",
		created, `|{"sequence_number":4,"error":{"code":"x","message":"boom"}}`)
}

// FuzzResponses gives the decoder any two events: what it passes on is whole
// events on lines of their own, and how it breaks is an event of one JSON line.
func FuzzResponses(f *testing.F) {
	for _, ev := range []string{created, delta, complete, "|[DONE]", "error|{}", `|{"response":{"model":"a","id":"b","error":1,"status":[]}}`, "a|{\n}", `|{"type":"error","message":"m"}`} {
		name, data, _ := strings.Cut(ev, "|")
		f.Add(name, data, name, data)
		f.Add("response.created", created[strings.Index(created, "{"):], name, data)
	}
	f.Fuzz(func(t *testing.T, name1, data1, name2, data2 string) {
		if strings.ContainsAny(name1+name2, "\n\r") { // no reader of events gives such
			return
		}
		d := NewResponses(asked)
		out, _, err := stream(t, d, name1+"|"+data1, name2+"|"+data2)
		if strings.Contains(name1+name2, "|") {
			return
		}
		e, ok := errors.AsType[*apierror.Error](err)
		if !ok {
			e = apierror.New(apierror.StreamInterrupted, "broken off")
		}
		out += string(d.Break(nil, e))
		if !strings.HasSuffix(out, "\n\n") {
			t.Fatalf("no whole event: %q", out)
		}
		for ev := range strings.SplitSeq(strings.TrimSuffix(out, "\n\n"), "\n\n") {
			lines := strings.Split(ev, "\n")
			data, ok := strings.CutPrefix(lines[len(lines)-1], "data: ")
			if !ok || !json.Valid([]byte(data)) || len(lines) > 2 || strings.ContainsRune(ev, '\r') || len(lines) == 2 && !strings.HasPrefix(lines[0], "event: ") {
				t.Fatalf("%q is no event", ev)
			}
		}
	})
}
