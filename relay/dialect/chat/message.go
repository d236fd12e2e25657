package chat

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The roles of messages.
const (
	RoleSystem    = "system"
	RoleDeveloper = "developer" // means system to a model that is not OpenAI's
	RoleUser      = "user"
	RoleAssistant = "assistant"
	RoleTool      = "tool"
	RoleFunction  = "function" // the older form of tool
)

// Message is one message of a conversation.
type Message struct {
	Role         string        `json:"role"`
	Content      Content       `json:"content"`
	Name         string        `json:"name"` // for RoleFunction the function's
	Refusal      string        `json:"refusal"`
	ToolCalls    []ToolCall    `json:"tool_calls"`
	FunctionCall *FunctionCall `json:"function_call"` // the older form of ToolCalls
	ToolCallID   string        `json:"tool_call_id"`  // for RoleTool: the call that this answers
	Reasoning    string        `json:"reasoning_content"`
	Extra        Extra         `json:",embed"`
}

// Content is what a message says, in parts. A plain string is one text part;
// null and the empty string are none.
type Content []Part

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (c *Content) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*c = nil
	if dec.PeekKind() != '"' {
		return json.UnmarshalDecode(dec, (*[]Part)(c))
	}
	var text string
	if err := json.UnmarshalDecode(dec, &text); err != nil || text == "" {
		return err
	}
	*c = Content{{Type: PartText, Text: text}}
	return nil
}

// Text is all text of c, refusals too, without anything between the parts.
func (c Content) Text() string {
	if len(c) == 1 {
		return c[0].Text + c[0].Refusal
	}
	var all []byte
	for _, p := range c {
		all = append(append(all, p.Text...), p.Refusal...)
	}
	return string(all)
}

// The types of parts.
const (
	PartText    = "text"
	PartRefusal = "refusal"
	PartImage   = "image_url"
	PartAudio   = "input_audio"
	PartFile    = "file"
)

// Part is one part of a message's content. Of the pointers the one that Type
// names is set.
type Part struct {
	Type    string    `json:"type"`
	Text    string    `json:"text"`
	Refusal string    `json:"refusal"`
	Image   *ImageURL `json:"image_url"`
	Audio   *Audio    `json:"input_audio"`
	File    *File     `json:"file"`
	Extra   Extra     `json:",embed"` // such as cache_control
}

// ImageURL is an image by address or as a data URI; see DataURI.
type ImageURL struct {
	URL    string `json:"url"`
	Detail string `json:"detail"`
	Extra  Extra  `json:",embed"`
}

// Audio is a recording.
type Audio struct {
	Data   string `json:"data"`   // base64
	Format string `json:"format"` // wav or mp3
	Extra  Extra  `json:",embed"`
}

// File is a file, given or by an id that another provider made.
type File struct {
	Data  string `json:"file_data"` // a data URI
	ID    string `json:"file_id"`
	Name  string `json:"filename"`
	Extra Extra  `json:",embed"`
}

// check refuses what has no meaning in the format; at is where the message stands.
func (m *Message) check(at string) error {
	switch m.Role {
	case RoleSystem, RoleDeveloper, RoleUser, RoleAssistant, RoleFunction:
	case RoleTool:
		if m.ToolCallID == "" {
			return Refuse(at+".tool_call_id", "%s is a tool's result and must name its call in tool_call_id", at)
		}
	default:
		return Refuse(at+".role", "%s.role must be system, developer, user, assistant or tool, not %.40q", at, m.Role)
	}
	for i, p := range m.Content {
		if err := p.check(fmt.Sprintf("%s.content[%d]", at, i)); err != nil {
			return err
		}
	}
	for i, c := range m.ToolCalls {
		if c.ID == "" {
			return Refuse(fmt.Sprintf("%s.tool_calls[%d].id", at, i), "%s.tool_calls[%d] must have an id", at, i)
		}
	}
	return nil
}

func (p *Part) check(at string) error {
	switch p.Type {
	case PartText, PartRefusal:
		return nil
	case PartImage:
		if p.Image != nil && p.Image.URL != "" {
			return nil
		}
	case PartAudio:
		if p.Audio != nil {
			return nil
		}
	case PartFile:
		if p.File != nil {
			return nil
		}
	default:
		return Refuse(at+".type", "%s.type %.40q is not known: text, image_url, input_audio, file and refusal are", at, p.Type)
	}
	return Refuse(at+"."+p.Type, "%s is of type %s and must hold it", at, p.Type)
}
