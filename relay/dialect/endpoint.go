package dialect

// Endpoint is what a client asks a model for. The zero value is Chat.
type Endpoint uint8

// The endpoints.
const (
	Chat             Endpoint = iota // /v1/chat/completions
	Completions                      // /v1/completions, the older form of text generation
	Embeddings                       // /v1/embeddings
	Moderations                      // /v1/moderations
	Responses                        // /v1/responses
	InputTokens                      // /v1/responses/input_tokens
	Compact                          // /v1/responses/compact
	ImageGenerations                 // /v1/images/generations
	ImageEdits                       // /v1/images/edits
	ImageVariations                  // /v1/images/variations
	Transcriptions                   // /v1/audio/transcriptions
	Translations                     // /v1/audio/translations
	Speech                           // /v1/audio/speech
	Messages                         // /v1/messages, Anthropic's form of a chat
	CountTokens                      // /v1/messages/count_tokens
)

// Endpoints is how many a client can ask for: each is below it.
const Endpoints = int(CountTokens) + 1

// ChatTokens asks how many tokens a chat request has. No client asks for it: it is
// what a request for a count becomes at a provider whose format counts in a way of
// its own. Its answer is {"input_tokens":n}, n above 0.
const ChatTokens = Endpoint(Endpoints)

// String returns the endpoint as metrics, logs, decisions and errors show it,
// such as "chat/completions".
func (e Endpoint) String() string { return e.Path() }

// Path is where the endpoint is found below an OpenAI-format base URL, without
// a slash at its ends; for Messages and CountTokens below the same place of
// Anthropic's API.
func (e Endpoint) Path() string {
	switch e {
	case Chat:
		return "chat/completions"
	case Completions:
		return "completions"
	case Embeddings:
		return "embeddings"
	case Moderations:
		return "moderations"
	case Responses:
		return "responses"
	case InputTokens:
		return "responses/input_tokens"
	case Compact:
		return "responses/compact"
	case ImageGenerations:
		return "images/generations"
	case ImageEdits:
		return "images/edits"
	case ImageVariations:
		return "images/variations"
	case Transcriptions:
		return "audio/transcriptions"
	case Translations:
		return "audio/translations"
	case Speech:
		return "audio/speech"
	case Messages:
		return "messages"
	case CountTokens:
		return "messages/count_tokens"
	}
	return "unknown"
}

// Media reports whether the endpoint makes or reads images or sound. Its answers
// say nothing in choices, and may be large, text, or bytes.
func (e Endpoint) Media() bool {
	switch e {
	case ImageGenerations, ImageEdits, ImageVariations, Transcriptions, Translations, Speech:
		return true
	}
	return false
}

// Form reports whether the endpoint's requests may come as a multipart form,
// with files in them.
func (e Endpoint) Form() bool {
	switch e {
	case ImageEdits, ImageVariations, Transcriptions, Translations:
		return true
	}
	return false
}

// InChat is what a request of this endpoint becomes when it is put into a chat
// request, for a provider that does not have the endpoint itself; false where it
// cannot be.
func (e Endpoint) InChat() (as Endpoint, ok bool) {
	switch e {
	case Messages, Responses:
		return Chat, true
	case CountTokens, InputTokens:
		return ChatTokens, true
	}
	return e, false
}

// Chats reports whether the endpoint is a chat, in one form or another: what a
// provider answers to it tells how it does with chats.
func (e Endpoint) Chats() bool { return e == Chat || e == Messages }

// Counts reports whether the endpoint only counts tokens. That is free, has
// limits of its own at the providers, and is done by something else than the
// model: it says nothing of how a backend answers.
func (e Endpoint) Counts() bool { return e == CountTokens || e == InputTokens || e == ChatTokens }

// Streams reports whether a request of this endpoint may ask for a stream by
// its field stream. Elsewhere that field is left to the upstream; Speech has
// another one, stream_format.
func (e Endpoint) Streams() bool {
	switch e {
	case Embeddings, Moderations, InputTokens, Compact, ImageVariations, Translations, Speech, CountTokens, ChatTokens:
		return false
	}
	return true
}

// Continues reports whether a request of this endpoint may go on from what a
// provider keeps: an earlier response or a conversation.
func (e Endpoint) Continues() bool { return e == Responses || e == InputTokens || e == Compact }
