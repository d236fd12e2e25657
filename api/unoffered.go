package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/PPKunOfficial/berry-api/core/apierror"
)

// unknownRoute answers a path that does not exist.
func (x *exchange) unknownRoute() {
	if unoffered(x.r.Method, x.r.URL.Path) {
		x.unoffered()
		return
	}
	x.fail(apierror.New(apierror.NotFound, "no such route; the API is under /v1, as /v1/chat/completions and /v1/models"))
}

// unoffered answers what OpenAI or Anthropic has and Berry has not. It is told apart from a
// wrong path, so that nobody looks for a mistake in a base URL.
func (x *exchange) unoffered() {
	e := apierror.New(apierror.UnsupportedEndpoint,
		"%s %s is not offered by this gateway: what it is about is kept in one provider's account; ask that provider itself",
		clip(x.r.Method), clip(x.masked(x.r.URL.Path, false)))
	if strings.HasSuffix(x.r.URL.Path, "/chat/completions") { // GET means the chats that are kept; most who send it mean another
		e.Message += "; a chat is sent with POST"
	}
	x.fail(e)
}

// accountRoutes are the parts of OpenAI's API, by the first part of their path
// below /v1, that are about what is kept in an account. An id of theirs means
// something at one provider only.
var accountRoutes = [...]string{
	"assistants", "batches", "chatkit", "containers", "conversations", "evals", "files", "fine-tunes", "fine_tuning",
	"organization", "projects", "realtime", "skills", "threads", "uploads", "vector_stores", "videos",
}

// unoffered reports whether a request is for a known part of OpenAI's or Anthropic's
// API that Berry does not have.
func unoffered(method, path string) bool {
	path, _ = strings.CutPrefix(strings.TrimPrefix(path, "/"), "v1/")
	if rest, ok := strings.CutPrefix(path, "chat/completions"); ok { // stored ones
		return rest == "" && method == http.MethodGet || len(rest) > 1 && rest[0] == '/'
	}
	first, rest, _ := strings.Cut(path, "/")
	batch, _, _ := strings.Cut(rest, "/") // Anthropic's are below its messages
	return slices.Contains(accountRoutes[:], first) || first == "messages" && batch == "batches"
}
