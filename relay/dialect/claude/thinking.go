package claude

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"
)

// minBudget is the smallest number of thinking tokens that the format takes.
const minBudget = 1024

// budgets are how many tokens an effort stands for at a model that wants a number.
var budgets = map[string]int64{
	"minimal": minBudget, "low": minBudget, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576,
}

// reason decides whether and how much the model reasons. mayThink is false
// when the conversation stands in the middle of a tool call whose reasoning is
// not at hand: the format refuses to think then.
func (e *encoding) reason(mayThink bool) {
	effort := e.in.ReasoningEffort
	own := e.in.Extra["thinking"]
	kind := e.model.thinking()
	wants := effort != "" && effort != "none" || isOn(own)
	switch {
	case kind == noThinking:
		e.drop("reasoning_effort")
		e.drop("thinking")
	case wants && !mayThink:
		e.drop("reasoning_effort")
		e.drop("thinking")
		e.off()
	case own != nil:
		e.out.Thinking, e.thinks = own, isOn(own)
		if n := gjson.GetBytes(own, "budget_tokens").Int(); n >= e.out.MaxTokens && e.in.MaxOutput() == nil {
			e.out.MaxTokens += n // the budget comes out of it
		}
		e.effort(effort)
	case effort == "none":
		e.off()
	case effort == "":
	case kind == adaptive:
		e.out.Thinking, e.thinks = jsontext.Value(`{"type":"adaptive"}`), true
		e.effort(effort)
	default:
		e.budget(effort)
	}
}

func isOn(own jsontext.Value) bool {
	t := gjson.GetBytes(own, "type").Str
	return t == "enabled" || t == "adaptive"
}

// off switches thinking off. Models that decide for themselves are off unless
// asked, and the newest of them refuse to be told so.
func (e *encoding) off() {
	if e.model.sampling() {
		e.out.Thinking = jsontext.Value(`{"type":"disabled"}`)
	}
}

func (e *encoding) effort(effort string) {
	if e.model.thinking() != adaptive {
		return
	}
	switch effort {
	case "", "none":
		return
	case "minimal":
		effort = "low"
	case "xhigh":
		if e.model.known && e.model.version < 407 {
			effort = "high"
		}
	}
	e.config().Effort = effort
}

// budget asks for thinking by a number of tokens, which must leave room for
// the answer in max_tokens.
func (e *encoding) budget(effort string) {
	n, ok := budgets[effort]
	if n = min(n, max(minBudget, e.out.MaxTokens*3/4)); !ok || n >= e.out.MaxTokens {
		e.drop("reasoning_effort")
		e.off()
		return
	}
	e.out.Thinking, e.thinks = jsontext.Value(fmt.Sprintf(`{"type":"enabled","budget_tokens":%d}`, n)), true
}

func (e *encoding) config() *outputConfig {
	if e.out.OutputConfig == nil {
		e.out.OutputConfig = &outputConfig{}
	}
	return e.out.OutputConfig
}
