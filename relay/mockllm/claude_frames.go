package mockllm

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// ClaudeEvents sends events in Claude's format, each as "event: TYPE", "data: EVENT" and a blank line in one network
// write. An event is a JSON object with a type. If no header was sent, 200 with text/event-stream goes before.
func ClaudeEvents(events ...string) Step {
	return Step{"ClaudeEvents", func(x *exchange) error {
		if !x.started() {
			if err := x.header(http.StatusOK, http.Header{"Content-Type": {"text/event-stream"}}); err != nil {
				return err
			}
		}
		for _, e := range events {
			var kind struct {
				Type string `json:"type"`
			}
			if err := json.Unmarshal([]byte(e), &kind); err != nil || kind.Type == "" {
				return x.mistake("not an event: %s", e)
			}
			if err := x.body("event: " + kind.Type + "\ndata: " + e + "\n\n"); err != nil {
				return err
			}
		}
		return nil
	}}
}

// ClaudeStart is the event that begins a message with the id "msg_1" and the model "m".
func ClaudeStart(input int) string {
	return fmt.Sprintf(`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],`+
		`"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":%d,"output_tokens":1}}}`, input)
}

// ClaudePing is the event that says nothing.
func ClaudePing() string { return `{"type":"ping"}` }

// ClaudeBlock begins a block; block is a JSON object.
func ClaudeBlock(index int, block string) string {
	return fmt.Sprintf(`{"type":"content_block_start","index":%d,"content_block":%s}`, index, block)
}

// ClaudeDelta is a piece of a block; delta is a JSON object.
func ClaudeDelta(index int, delta string) string {
	return fmt.Sprintf(`{"type":"content_block_delta","index":%d,"delta":%s}`, index, delta)
}

// ClaudeBlockStop ends a block.
func ClaudeBlockStop(index int) string {
	return fmt.Sprintf(`{"type":"content_block_stop","index":%d}`, index)
}

// ClaudeText is a piece of the text of block 0.
func ClaudeText(text string) string {
	return ClaudeDelta(0, `{"type":"text_delta","text":`+quote(text)+`}`)
}

// ClaudeFinish is the event with the reason of the end and the output's tokens.
func ClaudeFinish(reason string, output int) string {
	return fmt.Sprintf(`{"type":"message_delta","delta":{"stop_reason":%s,"stop_sequence":null},"usage":{"output_tokens":%d}}`, quote(reason), output)
}

// ClaudeStop is the last event of a message.
func ClaudeStop() string { return `{"type":"message_stop"}` }

// ClaudeTextStream is a whole good stream for the pieces of a text.
func ClaudeTextStream(pieces ...string) []string {
	events := []string{ClaudeStart(7), ClaudePing(), ClaudeBlock(0, `{"type":"text","text":""}`)}
	for _, piece := range pieces {
		events = append(events, ClaudeText(piece))
	}
	return append(events, ClaudeBlockStop(0), ClaudeFinish("end_turn", 2), ClaudeStop())
}

// ClaudeMessage is a whole message with the id "msg_1" and the model "m"; content is a JSON array of blocks.
func ClaudeMessage(content, reason string) string {
	return `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":` + content +
		`,"stop_reason":` + quote(reason) + `,"stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":2}}`
}

// ClaudeFault is an error; it serves as the body of an answer and as an event.
func ClaudeFault(kind, message string) string {
	return `{"type":"error","error":{"type":` + quote(kind) + `,"message":` + quote(message) + `},"request_id":"req_1"}`
}
