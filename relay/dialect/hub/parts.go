package hub

import (
	"fmt"
	"strings"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// Plainly is content as one string where it is text only: every server of the
// chat format takes that.
func Plainly(all []Part) any {
	texts := make([]string, len(all))
	for i, p := range all {
		if p.Type != chat.PartText {
			return all
		}
		texts[i] = p.Text
	}
	return strings.Join(texts, "\n")
}

// Result is the message that tells what the call id returned. What that holds
// beside text is for the user to show: a tool's message may hold text only. So it
// is returned too, with a text that says what it is.
func Result(id string, all []Part) (m Message, shown []Part) {
	var texts []string
	for _, p := range all {
		if p.Type == chat.PartText {
			texts = append(texts, p.Text)
			continue
		}
		if shown == nil {
			shown = Text(fmt.Sprintf("What the tool call %s returned beside text:", chat.CallID(id))) // as it goes upstream
		}
		shown = append(shown, p)
	}
	return Message{Role: chat.RoleTool, ToolCallID: id, Content: strings.Join(texts, "\n")}, shown
}
