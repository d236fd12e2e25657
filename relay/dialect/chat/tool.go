package chat

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// Tool is something that the model may call.
type Tool struct {
	Type     string   `json:"type"` // function; others exist, such as custom
	Function Function `json:"function"`
	Extra    Extra    `json:",embed"` // such as cache_control
}

// Function describes a function.
type Function struct {
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Parameters  jsontext.Value `json:"parameters"` // a JSON Schema; nil if absent
	Strict      *bool          `json:"strict"`
	Extra       Extra          `json:",embed"`
}

// ToolCall is a call that the model made.
type ToolCall struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"` // function, also where the client left it out
	Function FunctionCall `json:"function"`
	Extra    Extra        `json:",embed"` // such as extra_content
}

// FunctionCall is a call of a function.
type FunctionCall struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"` // JSON as text; models also make it empty or broken
	Extra     Extra  `json:",embed"`
}

// The modes of ToolChoice.
const (
	ChoiceNone     = "none"
	ChoiceAuto     = "auto"
	ChoiceRequired = "required"
)

// ToolChoice says whether the model must call a tool, and which it may.
type ToolChoice struct {
	Mode string
	// Names are the functions that may be called; empty means all. One function
	// that must be called is ChoiceRequired with its name alone.
	Names []string
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (t *ToolChoice) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		if err := json.UnmarshalDecode(dec, &t.Mode); err != nil {
			return err
		}
		return t.checkMode()
	}
	type function struct {
		Name string `json:"name"`
	}
	var in struct {
		Type     string   `json:"type"`
		Name     string   `json:"name"` // the older form: {"name": "f"}
		Function function `json:"function"`
		Allowed  struct {
			Mode  string `json:"mode"`
			Tools []struct {
				Type     string   `json:"type"`
				Function function `json:"function"`
			} `json:"tools"`
		} `json:"allowed_tools"`
	}
	if err := json.UnmarshalDecode(dec, &in); err != nil {
		return err
	}
	switch in.Type {
	case "function", "":
		name := in.Function.Name
		if name == "" {
			name = in.Name
		}
		if name == "" {
			return Refuse("tool_choice", "tool_choice must name a function")
		}
		*t = ToolChoice{Mode: ChoiceRequired, Names: []string{name}}
		return nil
	case "allowed_tools":
		t.Mode = in.Allowed.Mode
		for _, a := range in.Allowed.Tools {
			if a.Function.Name == "" {
				return Refuse("tool_choice", "tool_choice.allowed_tools.tools must be functions with names")
			}
			t.Names = append(t.Names, a.Function.Name)
		}
		return t.checkMode()
	default:
		return Refuse("tool_choice", "tool_choice of type %.40q cannot be carried to this model: use a function", in.Type)
	}
}

func (t *ToolChoice) checkMode() error {
	switch t.Mode {
	case ChoiceNone, ChoiceAuto, ChoiceRequired:
		return nil
	}
	return Refuse("tool_choice", "tool_choice must be none, auto, required or a function, not %.40q", t.Mode)
}

// Choice is the request's choice of tools in either form, nil if it made none.
func (r *Request) Choice() *ToolChoice {
	if r.ToolChoice != nil {
		return r.ToolChoice
	}
	return r.FunctionCall
}

// OlderCalls reports whether the request describes its functions in the older
// form, in which an answer makes one call at most.
func (r *Request) OlderCalls() bool {
	return len(r.Functions) > 0 && len(r.Functions) == len(r.Tools) // checkTools has added them
}

// checkTools brings the older form of tools into the newer and checks names.
func (r *Request) checkTools() error {
	for i := range r.Tools {
		t := &r.Tools[i]
		if t.Type == "function" && t.Function.Name == "" {
			return Refuse(fmt.Sprintf("tools[%d].function.name", i), "tools[%d].function must have a name", i)
		}
	}
	for i, f := range r.Functions {
		if f.Name == "" {
			return Refuse(fmt.Sprintf("functions[%d].name", i), "functions[%d] must have a name", i)
		}
		r.Tools = append(r.Tools, Tool{Type: "function", Function: f})
	}
	return nil
}

// CallID is the tool-call id that stands for id at every upstream: id itself
// where all formats take it (letters, digits, _ and -, at most
// dialect.MaxToolCallID bytes), else one made from it, always the same, so that
// a call and its result still belong together.
func CallID(id string) string {
	ok := id != "" && len(id) <= dialect.MaxToolCallID
	for i := 0; ok && i < len(id); i++ {
		ch := id[i]
		ok = ch == '_' || ch == '-' || ch >= '0' && ch <= '9' || ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z'
	}
	if ok {
		return id
	}
	sum := sha256.Sum256([]byte(`"` + id + `"`))
	return "call_" + hex.EncodeToString(sum[:16])
}
