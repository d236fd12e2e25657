package claude

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

func marshalTo(enc *jsontext.Encoder, v any) error { return json.MarshalEncode(enc, v) }

// encoding is one request on its way into the format.
type encoding struct {
	in      *chat.Request
	model   model
	out     request
	dropped []string // parameters that are left out

	thinks bool // the model will reason
}

// encode puts a request into the format and names what had to be left out.
func (d *Dialect) encode(in *dialect.Request) ([]byte, []string, error) {
	req, err := chat.Parse(in.Body.Bytes())
	if err != nil {
		return nil, nil, err
	}
	var name string
	if err := json.Unmarshal(in.Model, &name); err != nil {
		return nil, nil, fmt.Errorf("cannot read the model's name: %w", err)
	}
	e := &encoding{in: req, model: readModel(name)}
	in.OlderCalls = req.OlderCalls()
	e.out.Model, e.out.Stream = in.Model, in.Scan.Stream
	if err := e.refuse(); err != nil {
		return nil, nil, err
	}
	e.limits(d.maxTokens)
	t := turns{thoughts: d.thoughts.of(in.User)}
	if err := t.read(req.Messages); err != nil {
		return nil, nil, err
	}
	e.out.Messages = t.all
	e.reason(t.mayThink)
	if !e.thinks { // a block that comes back is of use only to a model that thinks
		t.forget()
	}
	if err := e.tools(); err != nil {
		return nil, nil, err
	}
	if err := e.format(&t); err != nil {
		return nil, nil, err
	}
	e.out.System = t.systemText()
	e.sampling(d.sampling && e.model.sampling())
	e.leaveOut()
	if in.Endpoint == dialect.ChatTokens {
		e.out.countable()
	}
	body, err := json.Marshal(&e.out)
	return body, e.dropped, err
}

// refuse turns away what cannot be said in this format and whose loss would
// change what the client gets.
func (e *encoding) refuse() error {
	if e.in.N != nil && *e.in.N != 1 {
		return chat.Refuse("n", "n must be 1 for this model: it gives one answer at a time")
	}
	if m := e.in.MaxOutput(); m != nil && *m < 1 {
		return chat.Refuse("max_completion_tokens", "max_completion_tokens must be at least 1")
	}
	return nil
}

func (e *encoding) drop(name string) {
	if slices.Contains(e.in.Names, name) && !slices.Contains(e.dropped, name) {
		e.dropped = append(e.dropped, name)
	}
}

// limits sets how long the answer may be and where it ends.
func (e *encoding) limits(configured int64) {
	switch m := e.in.MaxOutput(); {
	case m != nil:
		e.out.MaxTokens = *m
	case configured > 0:
		e.out.MaxTokens = configured
	default:
		e.out.MaxTokens = e.model.maxTokens()
	}
	for _, s := range e.in.Stop {
		if strings.TrimSpace(s) != "" { // the others are refused
			e.out.StopSequences = append(e.out.StopSequences, s)
		}
	}
	if id := cmp.Or(e.in.SafetyID, e.in.User); id != "" {
		e.out.Metadata = &metadata{UserID: id}
	}
	if e.in.SafetyID != "" { // there is room for one
		e.drop("user")
	}
}

// sampling sets at most one of temperature and top_p, which many models refuse
// together, and none where all are refused or the model thinks.
func (e *encoding) sampling(taken bool) {
	topK, ok := e.in.Extra["top_k"]
	switch {
	case !taken, e.thinks:
		if p := e.in.TopP; taken && p != nil && *p >= 0.95 && *p <= 1 {
			e.out.TopP = p
		} else {
			e.drop("top_p")
		}
		e.drop("temperature")
		e.drop("top_k")
		return
	case e.in.Temperature != nil:
		t := min(*e.in.Temperature, 1)
		e.out.Temperature = &t
		e.drop("top_p")
	default:
		e.out.TopP = e.in.TopP
	}
	if ok {
		e.out.TopK = topK
	}
}

// carried are the parameters that are translated or that Berry itself reads.
var carried = [...]string{
	"model", "messages", "stream", "stream_options", "backend", "tools", "tool_choice", "parallel_tool_calls",
	"functions", "function_call",
	"max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "stop", "n", "user", "safety_identifier",
	"response_format", "reasoning_effort", "thinking",
}

// leaveOut lists the parameters that nothing above has carried.
func (e *encoding) leaveOut() {
	for _, name := range e.in.Names {
		switch {
		case slices.Contains(carried[:], name):
		case name == "modalities" && slices.Equal(e.in.Modalities, chat.Texts{"text"}):
		case name == "logprobs" && !*e.in.Logprobs:
		default:
			e.drop(name)
		}
	}
	e.dropped = chat.Dropped(e.dropped)
}
