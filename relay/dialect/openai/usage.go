package openai

import (
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// usageForm is how an endpoint calls what an answer consumed. The forms are not
// read as one: some servers write both, and zeros in the one that is not theirs.
type usageForm struct{ input, output, inputDetails, outputDetails string }

var (
	// chatUsage is that of chats, completions and embeddings.
	chatUsage = usageForm{"prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details"}
	// newerUsage is that of responses, images and sound.
	newerUsage = usageForm{"input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details"}
)

// readUsage takes an object usage.
func readUsage(c *cursor.Cursor, u *dialect.Usage, f usageForm) bool {
	return c.Object(func(key []byte) bool {
		switch string(key) {
		case f.input:
			return c.Into(&u.Input)
		case f.output:
			return c.Into(&u.Output)
		case f.inputDetails:
			return c.Details(func(key []byte) *int {
				switch string(key) {
				case "cached_tokens":
					return &u.CachedInput
				case "cache_write_tokens":
					return &u.CacheWrite
				}
				return nil
			})
		case f.outputDetails:
			return c.Details(func(key []byte) *int {
				if string(key) == "reasoning_tokens" {
					return &u.Reasoning
				}
				return nil
			})
		}
		_, ok := c.Value()
		return ok
	})
}
