package mockllm_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

type response struct {
	ID, Status, Model string
	Previous          *string `json:"previous_response_id"`
	Output            []struct{ Content []struct{ Text string } }
	Incomplete        *struct{ Reason string } `json:"incomplete_details"`
	Usage             *struct {
		Input  int `json:"input_tokens"`
		Output int `json:"output_tokens"`
	}
}

func (r *response) text() string {
	if len(r.Output) != 1 || len(r.Output[0].Content) != 1 {
		return ""
	}
	return r.Output[0].Content[0].Text
}

// A believable provider keeps its responses: they are told, gone on from,
// cancelled and deleted.
func TestResponses(t *testing.T) {
	s := mockllm.Start(t, nil)
	if err := s.SetBehaviour(mockllm.Behaviour{Answer: func(p mockllm.Prompt) string { return "You said " + p.Text }}); err != nil {
		t.Fatal(err)
	}
	read := func(method, path, body string) (r response) {
		t.Helper()
		a := ask(t, s, method, "/v1/responses"+path, "", body)
		if err := json.Unmarshal([]byte(a.Body), &r); err != nil || a.Status != 200 {
			t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Body)
		}
		return r
	}
	refused := func(status int, message, method, path, body string) {
		t.Helper()
		if a := ask(t, s, method, "/v1/responses"+path, "", body); a.Status != status || !strings.Contains(a.Body, message) {
			t.Errorf("%s %s: %d %s, want %d %s", method, path, a.Status, a.Body, status, message)
		}
	}
	first := read("POST", "", `{"model":"m","input":"one two"}`)
	if first.text() != "You said one two" || first.Status != "completed" || first.Model != "m" || first.Usage.Input != 3 || first.Usage.Output != 6 {
		t.Errorf("%+v", first)
	}
	next := read("POST", "", `{"model":"m","input":[{"role":"user","content":"a"},{"role":"user","content":[{"type":"input_text","text":"b"}]}],"previous_response_id":"`+first.ID+`","max_output_tokens":1}`)
	if next.text() != "You" || next.Status != "incomplete" || next.Incomplete.Reason != "max_output_tokens" || next.Previous == nil || *next.Previous != first.ID || next.ID == first.ID {
		t.Errorf("%+v", next)
	}
	if got := read("GET", "/"+first.ID, ""); got.text() != first.text() {
		t.Errorf("%+v", got)
	}
	refused(200, "one two", "GET", "/"+first.ID+"/input_items", "")
	refused(400, "synchronous", "POST", "/"+first.ID+"/cancel", "")
	refused(200, `"deleted":true`, "DELETE", "/"+first.ID, "")
	for _, route := range []string{"GET ", "DELETE ", "POST /cancel", "GET /input_items"} {
		method, action, _ := strings.Cut(route, " ")
		refused(404, "not found", method, "/"+first.ID+action, "")
	}
	refused(400, "previous_response_not_found", "POST", "", `{"model":"m","input":"a","previous_response_id":"`+first.ID+`"}`)
	refused(400, "'model'", "POST", "", `{"input":"a"}`)
	refused(400, "'input'", "POST", "", `{"model":"m"}`)
	refused(400, "JSON", "POST", "", `{`)
	refused(400, "store", "POST", "", `{"model":"m","input":"a","background":true,"store":false}`)
	refused(404, "unknown_url", "PUT", "/"+next.ID, "")

	background := read("POST", "", `{"model":"m","input":"a","background":true}`)
	for _, want := range []string{"in_progress", "completed", "completed"} {
		if got := read("GET", "/"+background.ID, ""); got.Status != want || want == "completed" != (got.text() == "You said a") {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	background = read("POST", "", `{"model":"m","input":"a","background":true}`)
	if got := read("POST", "/"+background.ID+"/cancel", ""); got.Status != "cancelled" {
		t.Errorf("%+v", got)
	}
	if got := read("GET", "/"+background.ID, ""); got.Status != "cancelled" {
		t.Errorf("%+v", got)
	}
	unkept := read("POST", "", `{"model":"m","input":"a","store":false}`)
	refused(404, "not found", "GET", "/"+unkept.ID, "")
}

func TestResponseStream(t *testing.T) {
	s := mockllm.Start(t, nil)
	if err := s.SetBehaviour(mockllm.Behaviour{Answer: func(mockllm.Prompt) string { return "one two" }}); err != nil {
		t.Fatal(err)
	}
	a := ask(t, s, "POST", "/v1/responses", "", `{"model":"m","input":"a","stream":true}`)
	kinds, id := "", ""
	for i, ev := range strings.Split(strings.TrimSuffix(a.Body, "\n\n"), "\n\n") {
		name, data, _ := strings.Cut(strings.TrimPrefix(ev, "event: "), "\ndata: ")
		var in struct {
			Type     string
			Number   int `json:"sequence_number"`
			Response response
		}
		if err := json.Unmarshal([]byte(data), &in); err != nil || in.Type != name || in.Number != i {
			t.Errorf("%q: %v", ev, err)
		}
		kinds += strings.TrimPrefix(name, "response.") + " "
		if name == "response.completed" {
			if id = in.Response.ID; in.Response.text() != "one two" {
				t.Errorf("%+v", in.Response)
			}
		}
	}
	const want = "created in_progress output_item.added content_part.added output_text.delta output_text.delta output_text.done content_part.done output_item.done completed "
	if kinds != want {
		t.Errorf("%s, want %s", kinds, want)
	}
	if again := ask(t, s, "GET", "/v1/responses/"+id+"?stream=true", "", ""); again.Body != a.Body {
		t.Errorf("%s\nwant %s", again.Body, a.Body)
	}
}
