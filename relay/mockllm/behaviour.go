package mockllm

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// A Behaviour is what a believable provider does. The zero value answers every model at once, without a key and
// without failures, in OpenAI's format.
type Behaviour struct {
	Format        Format        // the wire format
	Name          string        // how the provider calls itself in its answers; "" is "mock"
	Key           string        // the API key that it wants; "" takes any, also none
	Models        []string      // the models that it has; empty: it takes any and lists "mock-model"
	Latency       time.Duration // from the request to the first content, >= 0
	TokenInterval time.Duration // between two words of an answer, >= 0; a plain answer takes as long as a streamed one
	FailureRate   float64       // share of chat requests that fail with 500, 503 or 429, 0..1
	Seed          uint64        // which ones fail: the same seed, the same sequence of failures
	Outage        int           // a status, 400..599, with which everything fails, the model list too; 0: none

	// Answer makes the text of an answer; nil is a few sentences that name the provider and repeat the prompt.
	// It is called concurrently.
	Answer func(Prompt) string

	kept *kept // the server's
}

// A Prompt is what an answer is made for.
type Prompt struct {
	Provider string // Behaviour.Name
	Model    string // as the client asked for it
	Text     string // the last user message; "" when there is none
}

func (b *Behaviour) check() error {
	switch {
	case !b.Format.known():
		return fmt.Errorf("unknown format %v", b.Format)
	case b.Latency < 0:
		return fmt.Errorf("latency is %v, want 0 or more", b.Latency)
	case b.TokenInterval < 0:
		return fmt.Errorf("token interval is %v, want 0 or more", b.TokenInterval)
	case !(b.FailureRate >= 0 && b.FailureRate <= 1):
		return fmt.Errorf("failure rate is %v, want 0 to 1", b.FailureRate)
	case b.Outage != 0 && (b.Outage < 400 || b.Outage > 599):
		return fmt.Errorf("outage status is %d, want 400 to 599, or 0 for none", b.Outage)
	}
	return nil
}

func (b *Behaviour) clone() Behaviour {
	c := *b
	c.Models = slices.Clone(b.Models)
	return c
}

// answer decides the steps for one request. chats counts the chat requests, for the sequence of failures.
func (b *Behaviour) answer(r *Seen, chats *atomic.Uint64) []Step {
	switch b.Format {
	case Azure:
		return azureAnswer(b, r, chats)
	case Claude:
		return claudeAnswer(b, r, chats)
	case Gemini:
		return geminiAnswer(b, r, chats)
	default:
		return openAIAnswer(b, r, chats)
	}
}

func (b *Behaviour) name() string {
	if b.Name == "" {
		return "mock"
	}
	return b.Name
}

func (b *Behaviour) models() []string {
	if len(b.Models) == 0 {
		return []string{"mock-model"}
	}
	return b.Models
}

func (b *Behaviour) has(model string) bool {
	return len(b.Models) == 0 || slices.Contains(b.Models, model)
}

// failure tells whether the n-th chat request fails, and with which status; 0: it does not. It depends on the seed
// and n only, so that concurrency does not change which requests fail.
func (b *Behaviour) failure(n uint64) int {
	r := rand.New(rand.NewPCG(b.Seed, n))
	if r.Float64() >= b.FailureRate {
		return 0
	}
	statuses := [...]int{500, 503, 429}
	return statuses[r.IntN(len(statuses))]
}

// A reply is an answer's content, before it is put into a format.
type reply struct {
	words            []string // joined they are the text
	truncated        bool     // cut by the token limit
	promptTokens     int
	completionTokens int
}

// reply makes the answer to a prompt of which all messages together are history. maxTokens <= 0 means no limit.
func (b *Behaviour) reply(p Prompt, history string, maxTokens int) reply {
	p.Provider = b.name()
	text := believable(p)
	if b.Answer != nil {
		text = b.Answer(p)
	}
	words := splitWords(text)
	r := reply{words: words, promptTokens: tokens(len(strings.Fields(history))), completionTokens: tokens(len(words))}
	if maxTokens > 0 && r.completionTokens > maxTokens {
		// The inverse of tokens, and never less than one word.
		r.words = words[:min(len(words), max(1, maxTokens*3/4))]
		r.truncated, r.completionTokens = true, maxTokens
	}
	return r
}

// tokens estimates the tokens of so many English words: a token is about three quarters of a word.
func tokens(words int) int { return (words*4 + 2) / 3 }

// splitWords cuts a text before each word, so that the pieces joined are the text.
func splitWords(text string) []string {
	var words []string
	for len(text) > 0 {
		lead := len(text) - len(strings.TrimLeft(text, " \n\t"))
		end := strings.IndexAny(text[lead:], " \n\t")
		if end < 0 {
			return append(words, text)
		}
		words = append(words, text[:lead+end])
		text = text[lead+end:]
	}
	return words
}

// believable is the default answer; the same prompt gets the same one.
func believable(p Prompt) string {
	openings := [...]string{"Good question.", "Here is what I can say.", "Let me think about that."}
	closings := [...]string{
		"A real model would know more; this one was made up so that you can watch a request find its way.",
		"There is no model behind these words, only a fake provider that takes its time like a real one.",
		"Ask again, and you may hear from another provider, under the same model name.",
	}
	h := fnv.New32a()
	h.Write([]byte(p.Text))
	pick := h.Sum32()
	asked := "You did not ask anything"
	if p.Text != "" {
		asked = fmt.Sprintf("You asked: %q", shorten(p.Text, 200))
	}
	return fmt.Sprintf("%s %s, and this is %s answering as %s. %s", openings[pick%3], asked, p.Provider, p.Model, closings[pick/3%3])
}

// shorten cuts a text to at most n characters.
func shorten(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return string(runes[:n]) + "..."
}
