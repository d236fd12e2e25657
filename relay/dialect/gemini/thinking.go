package gemini

import (
	"regexp"
	"strconv"
	"strings"
)

// generation is what a model's name says about what it takes.
type generation struct {
	gemini       bool // one of Google's Gemini models
	pro          bool
	major, minor int // 0 where the name has no number, such as gemini-flash-latest
}

var numbered = regexp.MustCompile(`gemini-([0-9]{1,3})(?:\.([0-9]{1,3}))?`)

func generationOf(model string) generation {
	model = strings.ToLower(model)
	g := generation{
		gemini: strings.Contains(model, "gemini-"), pro: strings.Contains(model, "-pro"),
	}
	if m := numbered.FindStringSubmatch(model); m != nil {
		g.major, _ = strconv.Atoi(m[1]) // digits, as the expression says
		g.minor, _ = strconv.Atoi(m[2]) // or none
	}
	return g
}

// modern reports whether the model takes JSON Schema, public addresses of
// files and a thinkingConfig: from 2.5 on. A name without a number stands for
// a newest model.
func (g generation) modern() bool {
	return g.gemini && (g.major == 0 || g.major > 2 || g.major == 2 && g.minor >= 5)
}

// signs reports whether the model refuses function calls of the current turn
// without a thought signature: from 3 on, and perhaps where the name is silent.
func (g generation) signs() bool { return g.gemini && (g.major == 0 || g.major >= 3) }

// The efforts of OpenAI's reasoning_effort and what Google's own OpenAI layer
// makes of them.
const (
	effortNone    = "none"
	effortMinimal = "minimal"
	effortLow     = "low"
	effortMedium  = "medium"
	effortHigh    = "high"
	effortXHigh   = "xhigh"
	effortMax     = "max"

	budgetLow    = 1024
	budgetMedium = 8192
	budgetHigh   = 24576
	// leastPro is the least that 2.5 Pro thinks: it cannot be stopped.
	leastPro = 128
)

// thinking is the config for an effort; nil for a model that has none, ok is
// false for an effort that does not exist.
func (g generation) thinking(effort string) (c *thinkingConfig, ok bool) {
	var budget int
	var level string
	switch effort {
	case effortNone:
		level = "MINIMAL"
		if g.pro {
			budget = leastPro
		}
	case effortMinimal:
		budget, level = budgetLow, "MINIMAL"
	case effortLow:
		budget, level = budgetLow, "LOW"
	case effortMedium:
		budget, level = budgetMedium, "MEDIUM"
	case effortHigh, effortXHigh, effortMax:
		budget, level = budgetHigh, "HIGH"
	default:
		return nil, false
	}
	switch {
	case !g.modern():
		return nil, true
	case g.major < 3: // and names without a number: every generation takes a budget
		return &thinkingConfig{ThinkingBudget: &budget}, true
	}
	if g.pro && level == "MINIMAL" { // Pro models have no level below LOW
		level = "LOW"
	}
	if g.pro && g.major == 3 && g.minor == 0 && level == "MEDIUM" { // nor had the first one this
		level = "HIGH"
	}
	return &thinkingConfig{ThinkingLevel: level}, true
}
