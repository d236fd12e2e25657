package mockllm

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	responsesPath = "/v1/responses"
	// mostKept bounds how many responses a server keeps; the oldest go.
	mostKept = 1000
)

// kept is what a server keeps of the responses that it made.
type kept struct {
	mu    sync.Mutex // guards what follows
	byID  map[string]*keptResponse
	order []string // oldest first
	made  int
}

// keptResponse is one response with what it answered.
type keptResponse struct {
	object   responseObject
	text     string
	input    []responseItem
	finished bool // no poll is needed to bring it further
}

// next is the id of a new response.
func (k *kept) next(name string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.made++
	return strings.Replace(openAIID(name, uint64(k.made)), "chatcmpl-", "resp_", 1)
}

func (k *kept) put(r *keptResponse) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byID == nil {
		k.byID = map[string]*keptResponse{}
	}
	k.byID[r.object.ID] = r
	k.order = append(k.order, r.object.ID)
	if len(k.order) > mostKept {
		delete(k.byID, k.order[0])
		k.order = k.order[1:]
	}
}

// with calls f with the response of that id; it is false when there is none.
func (k *kept) with(id string, f func(*keptResponse)) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.byID[id]
	if r != nil {
		f(r)
	}
	return r != nil
}

func (k *kept) forget(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.byID[id]
	delete(k.byID, id)
	k.order = slices.DeleteFunc(k.order, func(o string) bool { return o == id })
	return ok
}

// responsesAnswer is what a provider does about a request below /v1/responses;
// rest is what its path has after that.
func responsesAnswer(b *Behaviour, r *Seen, rest string) []Step {
	id, action, _ := strings.Cut(strings.Trim(rest, "/"), "/")
	switch route := r.Method + " " + action; {
	case r.Method == http.MethodPost && id == "":
		return makeResponse(b, r)
	case r.Method == http.MethodPost && action == "" && id == "input_tokens":
		return countResponse(r)
	case r.Method == http.MethodPost && action == "" && id == "compact":
		return compactResponse(b, r)
	case route == "GET ":
		return tellResponse(b, r, id)
	case route == "DELETE ":
		if !b.kept.forget(id) {
			return noResponse(id)
		}
		return []Step{JSON(http.StatusOK, nil, fmt.Sprintf(`{"id":%s,"object":"response","deleted":true}`, quote(id)))}
	case route == "GET input_items":
		return listInput(b, id)
	case route == "POST cancel":
		return cancelResponse(b, id)
	}
	return refuse(http.StatusNotFound, Fault("Unknown request URL: "+r.Method+" "+r.Path, "invalid_request_error", "", "unknown_url"))
}

func noResponse(id string) []Step {
	return refuse(http.StatusNotFound, Fault("Response with id '"+id+"' not found.", "invalid_request_error", "", ""))
}

// makeResponse answers a request for a new one.
func makeResponse(b *Behaviour, r *Seen) []Step {
	in, fault := readResponse(r.Body)
	if fault != "" {
		return refuse(http.StatusBadRequest, fault)
	}
	if !b.has(in.Model) {
		return openAINoModel(in.Model)
	}
	if id := in.Previous; id != "" && !b.kept.with(id, func(*keptResponse) {}) {
		return refuse(http.StatusBadRequest, Fault("Previous response with id '"+id+"' not found.", "invalid_request_error", "previous_response_id", "previous_response_not_found"))
	}
	items := in.items()
	history, last := itemTexts(items)
	reply := b.reply(Prompt{Model: in.Model, Text: last}, in.Instructions+" "+history, in.MaxOutput)
	made := &keptResponse{object: newResponse(b.kept.next(b.name()), in), text: strings.Join(reply.words, ""), input: items}
	made.object.CreatedAt = time.Now().Unix()
	done := made.object.completed(reply)
	switch {
	case in.Background:
		made.object.Status, done.Status = "queued", "completed"
	default:
		made.finished = true
	}
	began := made.object
	if made.finished {
		made.object = done
	}
	if in.Store == nil || *in.Store {
		b.kept.put(made)
	}
	switch {
	case in.Stream:
		return append([]Step{Sleep(b.Latency)}, responseStream(responseEvents(began, done, reply.words), b.TokenInterval)...)
	case in.Background:
		return []Step{JSON(http.StatusOK, nil, began.json())}
	}
	return []Step{Sleep(b.Latency + time.Duration(len(reply.words))*b.TokenInterval), JSON(http.StatusOK, nil, done.json())}
}

// tellResponse answers with a response that is kept. One in the background goes
// on by being asked for: it is in progress the first time, and then complete.
func tellResponse(b *Behaviour, r *Seen, id string) []Step {
	var steps []Step
	ok := b.kept.with(id, func(k *keptResponse) {
		words := splitWords(k.text)
		switch {
		case strings.Contains("&"+r.Query, "&stream=true"):
			k.finish(words)
			steps = responseStream(responseEvents(k.object, k.object, words), 0)
			return
		case k.finished:
		case k.object.Status == "queued":
			k.object.Status = "in_progress"
		default:
			k.finish(words)
		}
		steps = []Step{JSON(http.StatusOK, nil, k.object.json())}
	})
	if !ok {
		return noResponse(id)
	}
	return steps
}

// finish completes a response in the background.
func (k *keptResponse) finish(words []string) {
	if k.finished {
		return
	}
	_, last := itemTexts(k.input)
	k.object = k.object.completed(reply{words: words, promptTokens: tokens(len(strings.Fields(last))), completionTokens: tokens(len(words))})
	k.finished = true
}

func cancelResponse(b *Behaviour, id string) []Step {
	var steps []Step
	ok := b.kept.with(id, func(k *keptResponse) {
		if !k.object.Background {
			steps = refuse(http.StatusBadRequest, Fault("Cannot cancel a synchronous response.", "invalid_request_error", "", ""))
			return
		}
		if !k.finished {
			k.object.Status, k.finished = "cancelled", true
		}
		steps = []Step{JSON(http.StatusOK, nil, k.object.json())}
	})
	if !ok {
		return noResponse(id)
	}
	return steps
}

func listInput(b *Behaviour, id string) []Step {
	var items []responseItem
	if !b.kept.with(id, func(k *keptResponse) { items = k.input }) {
		return noResponse(id)
	}
	list := struct {
		Object string         `json:"object"`
		Data   []responseItem `json:"data"`
		First  string         `json:"first_id"`
		Last   string         `json:"last_id"`
		More   bool           `json:"has_more"`
	}{"list", items, items[0].ID, items[len(items)-1].ID, false}
	return []Step{JSON(http.StatusOK, nil, marshal(list))}
}

func countResponse(r *Seen) []Step {
	in, fault := readResponse(r.Body)
	if fault != "" {
		return refuse(http.StatusBadRequest, fault)
	}
	history, _ := itemTexts(in.items())
	n := tokens(len(strings.Fields(in.Instructions + " " + history)))
	return []Step{JSON(http.StatusOK, nil, fmt.Sprintf(`{"object":"response.input_tokens","input_tokens":%d}`, n))}
}

func compactResponse(b *Behaviour, r *Seen) []Step {
	in, fault := readResponse(r.Body)
	if fault != "" {
		return refuse(http.StatusBadRequest, fault)
	}
	history, _ := itemTexts(in.items())
	n := tokens(len(strings.Fields(history)))
	return []Step{JSON(http.StatusOK, nil, fmt.Sprintf(`{"id":%q,"object":"response.compaction","created_at":%d,"output":[{"id":"cmp_1","type":"compaction","encrypted_content":"made-up"}],"usage":%s}`,
		b.kept.next(b.name()), time.Now().Unix(), responseUsage(n, 1)))}
}
