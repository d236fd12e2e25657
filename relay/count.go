package relay

import (
	"net/http"
	"strconv"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/messages"
)

// How many tokens a request would be is asked of a provider that counts, in its
// own form or by way of a chat request. Of a request in Anthropic's form the answer
// is an estimate, and says so, where none of them does.

// counter is the model as the endpoint sees it, or, for a count that would come to
// none of its backends, as those see it that would get the request itself: then
// the count is an estimate.
func (x *exchange) counter(m *Model) *Model {
	seen := m.on(x.rec.Endpoint)
	if x.rec.Endpoint != dialect.CountTokens {
		return seen
	}
	if all := m.on(dialect.Messages); seen == nil || !x.reaches(seen) && x.reaches(all) {
		x.estimates = true
		return all
	}
	return seen
}

// reaches reports whether the user and the request leave any backend of the model.
func (x *exchange) reaches(m *Model) bool {
	for i := range m.Listings {
		l := &m.Listings[i]
		if x.rec.User.MayUseTags(l.Tags) && (x.in.Scan.Backend == "" || x.in.Scan.Backend == l.Provider) {
			return true
		}
	}
	return false
}

// speaksOfCounts reports whether the outcome of a count concerns counts alone:
// the connection and the credential are those of answers too.
func speaksOfCounts(k loadbalance.Kind) bool {
	switch k {
	case loadbalance.Success, loadbalance.RateLimit, loadbalance.Server, loadbalance.Model:
		return true
	}
	return false
}

// uncounted reports whether an estimate is the answer to a count that failed with
// e: because no provider offers it, such as one that only speaks the rest of
// Anthropic's format; or because those that count are out of order while the
// model has others, which would answer the request itself.
func (x *exchange) uncounted(e *apierror.Error) bool {
	if x.rec.Endpoint != dialect.CountTokens || x.left() {
		return false
	}
	if x.ledger.unoffered != nil && x.ledger.failed == nil {
		return true
	}
	m := x.rec.Model
	others := len(m.on(dialect.Messages).Listings) > len(m.on(dialect.CountTokens).Listings)
	return others && (e.Status >= http.StatusInternalServerError || e.Status == http.StatusTooManyRequests)
}

// noCount is the verdict on a 2xx of a provider's own way to count that holds no
// count: what an imitation answers that does not know it.
func noCount() verdict {
	return verdict{kind: loadbalance.Caller, err: serverError(nil), unoffered: true}
}

// count answers a request for a count with an estimate.
func (x *exchange) count() {
	req, err := x.counted()
	if err != nil {
		x.fail(clientFault(err))
		return
	}
	body := strconv.AppendInt([]byte(`{"input_tokens":`), int64(req.Tokens()), 10)
	body = append(body, '}')
	x.release()
	x.gate.final(func(bool) {
		h := x.w.Header()
		h["Content-Type"] = jsonType
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
		h[headerEstimated] = []string{"input_tokens"}
		x.rec.Status, x.rec.Committed = http.StatusOK, true
		x.w.WriteHeader(http.StatusOK)
		_, err = x.w.Write(body)
	})
	x.clientLeft = err != nil
}

// counted is the request whose tokens are to be estimated. Its body is gone where
// it was put into a chat request and no provider could take it as it is.
func (x *exchange) counted() (*messages.Request, error) {
	if t := x.translation; t != nil {
		if req, ok := t.req.(*messages.Request); ok {
			return req, nil
		}
	}
	return messages.Parse(x.in.Body.Bytes())
}
