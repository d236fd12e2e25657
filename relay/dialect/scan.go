package dialect

// Span is a half-open range of byte offsets in a body.
type Span struct{ Start, End int }

// IsZero reports whether the span was not set.
func (s Span) IsZero() bool { return s == Span{} }

// Scan is what one pass over a request body found.
type Scan struct {
	Model  string // the model's name
	Stream bool
	// Form is set for a multipart form: ModelValue is then the value of the
	// field model, as it stands, and BackendMember the whole part backend. All
	// else below is for JSON.
	Form bool
	// Backend is the provider that an administrator pins the request to; "" if none.
	Backend string
	// Base64 is encoding_format "base64", of embeddings.
	Base64 bool
	// IncludeUsage is stream_options.include_usage.
	IncludeUsage bool

	Open          int  // offset just after the opening brace
	ModelValue    Span // the value of model, quotes included
	BackendMember Span // the member backend; zero if absent

	OptionsMember Span // the member stream_options; zero if absent
	OptionsValue  Span // its value
	OptionsNull   bool // its value is null
	OptionsEmpty  bool // its value is {}
	UsageValue    Span // the value of include_usage inside it; zero if absent

	// A member's span begins where the value before it ends (or at Open) and
	// ends with its value; see RemoveMembers.

	// Previous and Conversation are the ids of what the request goes on from,
	// where the endpoint has that; "" if it names none.
	Previous, Conversation string

	// LongIDs are the values of tool-call ids too long for OpenAI-format
	// upstreams, quotes included, in order.
	LongIDs []Span

	// Extensions are the objects in the conversation that hold members which
	// Berry itself added to an earlier answer. In Anthropic's form they are the
	// arrays that hold blocks, or messages, which came from another provider and
	// which Anthropic refuses.
	Extensions []Extended

	// Thinking is the value of thinking in Anthropic's form, where the model must
	// not think: the conversation stands in the middle of calls without the
	// reasoning that led to them. Zero elsewhere.
	Thinking Span
}

// Extended is an object with extension members, for RemoveMembers, or an array
// with such elements.
type Extended struct {
	Open    int // offset just after the opening brace or bracket
	Members []Span
	// Reasoning is the one of Members that is the model's reasoning, which some
	// OpenAI-format upstreams want back; zero if there is none.
	Reasoning Span
}

// The extension members of answers: in a message the reasoning, and the blocks
// of it of Claude, in a tool call what Gemini said beside it.
const (
	ReasoningContent = "reasoning_content"
	ThinkingBlocks   = "thinking_blocks"
	ExtraContent     = "extra_content"
)

// OwnReasoning begins the ids of reasoning that Berry itself put into an answer of
// /v1/responses. A provider that has the endpoint refuses reasoning that it did
// not make.
const OwnReasoning = "rs_berry_"

// MaxToolCallID is the longest tool-call id, in bytes, that OpenAI-format
// upstreams take; other formats make longer ones.
const MaxToolCallID = 40
