package hub

import (
	"slices"
	"strconv"
	"strings"
)

// The efforts of all formats, from little to much.
var efforts = [...]string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}

// Effort is how much the model is to reason, in the words of the chat format: as
// near to what the client wants as the upstream model called model is known to
// take. "" is for nothing said. A model whose name says nothing takes what all
// models do that reason: low, medium and high.
func Effort(want, model string) string {
	at := slices.Index(efforts[:], want)
	if at < 0 {
		return ""
	}
	taken := takenBy(model)
	switch {
	case len(taken) == 0:
		return ""
	case want == NoEffort:
		// Off, or nearly so; a model that cannot be is left to itself.
		if least := taken[0]; least == efforts[0] || least == efforts[1] {
			return least
		}
		return ""
	}
	for ; at > 0; at-- {
		if slices.Contains(taken, efforts[at]) {
			return efforts[at]
		}
	}
	return taken[0]
}

// NoEffort is the wish not to reason.
const NoEffort = "none"

// takenBy are the efforts that a model takes, by its name, in order.
func takenBy(model string) []string {
	name := strings.ToLower(model[strings.LastIndexByte(model, '/')+1:])
	family, rest, _ := strings.Cut(name, "-")
	version, flavour, _ := strings.Cut(rest, "-")
	switch {
	case strings.HasPrefix(name, "gemini-"):
		return efforts[:] // the dialect has words for all
	case family == "chatgpt", family == "gpt" && strings.Contains(name, "-chat"):
		return nil
	case family != "gpt":
		return efforts[2:5]
	}
	n, err := strconv.ParseFloat(version, 64)
	switch {
	case strings.HasPrefix(version, "3") || strings.HasPrefix(version, "4"): // 3.5, 4o, 4.1
		return nil
	case err != nil:
		return efforts[2:5]
	case n < 5.1 && flavour == "":
		return efforts[1:5]
	case n < 5.1 && strings.HasPrefix(flavour, "pro"):
		return efforts[4:5]
	case n < 5.1:
		return low(flavour)
	case n < 5.2 && !strings.Contains(flavour, "max"):
		return append([]string{efforts[0]}, efforts[2:5]...)
	case strings.HasPrefix(flavour, "pro"):
		return efforts[3:6]
	default:
		return append([]string{efforts[0]}, efforts[2:6]...)
	}
}

// low is what the first models of the fifth generation take: those for code do
// not know minimal.
func low(flavour string) []string {
	if strings.HasPrefix(flavour, "codex") {
		return efforts[2:5]
	}
	return efforts[1:5]
}
