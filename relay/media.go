package relay

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/scan"
	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

// Images and sound: their requests may be forms, and their answers JSON, text,
// bytes or events, whatever the client asked for.

// scanRequest finds what relay needs of a request body, a form or a JSON text.
func (x *exchange) scanRequest(body []byte) (dialect.Scan, *apierror.Error) {
	e := x.rec.Endpoint
	if e.Form() {
		switch kind := mediaType(x.r.Header); {
		case strings.HasPrefix(kind, "multipart/"):
			return scan.Form(body, x.r.Header["Content-Type"], e)
		case kind == "application/x-www-form-urlencoded":
			return dialect.Scan{}, apierror.New(apierror.UnsupportedMedia, "send the form as multipart/form-data")
		}
	}
	return scan.JSON(body, e)
}

// mediaType is a content type without its parameters, in lower case.
func mediaType(h http.Header) string {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// media carries the answer of an endpoint of images or sound.
func (x *exchange) media(c *call, resp *http.Response) verdict {
	kind := mediaType(resp.Header)
	switch {
	case !readable(resp): // it would pass for sound or a text
		return x.unreadable()
	case kind == "text/event-stream":
		if !x.rec.Stream {
			return x.unreadable()
		}
		return x.stream(c, resp)
	case x.rec.Endpoint == dialect.Speech && !upstream.IsJSON(resp.Header):
		// A page is no sound, and sound no stream of events.
		if x.rec.Stream || strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "xml") {
			return x.unreadable()
		}
		return x.raw(c, resp, nil)
	}
	return x.plain(c, resp)
}

// readable reports whether a body is as its type says, or was made so. No other
// coding was asked for.
func readable(resp *http.Response) bool {
	coding := resp.Header.Get("Content-Encoding")
	return resp.Uncompressed || coding == "" || coding == "identity"
}

var errPage = errors.New("the answer is a page")

// decode turns a whole answer into the client's form.
func (x *exchange) decode(c *call, h http.Header, answer []byte) ([]byte, Usage, error) {
	if !x.transcribes() || upstream.IsJSON(h) {
		return c.decode(answer)
	}
	if mediaType(h) == "text/html" {
		return nil, Usage{}, errPage
	}
	if t := bytes.TrimSpace(answer); len(t) > 0 && t[0] == '{' { // JSON all the same, or a fault
		body, usage, err := c.decode(t)
		if _, fault := errors.AsType[*apierror.Error](err); fault || err == nil {
			return body, usage, err
		}
	}
	if x.rec.Stream {
		body, err := json.Marshal(map[string]string{"text": string(answer)})
		return body, Usage{}, err
	}
	x.answerType = textType(h)
	return answer, Usage{}, nil
}

// transcribes reports whether answers may be plain text.
func (x *exchange) transcribes() bool {
	return x.rec.Endpoint == dialect.Transcriptions || x.rec.Endpoint == dialect.Translations
}

// textType is the content type of a transcript that is text. No other than
// these is passed on: a browser must not take what a provider says for a page.
func textType(h http.Header) []string {
	switch kind := mediaType(h); kind {
	case "text/plain", "text/vtt", "text/srt", "application/x-subrip":
		if v := h["Content-Type"]; len(v) == 1 && len(v[0]) <= longestPassed {
			return v
		}
	}
	return plainText
}

// bytesType is the content type of an answer that is passed as it comes.
func bytesType(h http.Header) []string {
	kind, v := mediaType(h), h["Content-Type"]
	switch {
	case upstream.IsJSON(h):
		return jsonType
	case len(v) == 1 && len(v[0]) <= longestPassed &&
		(strings.HasPrefix(kind, "audio/") || strings.HasPrefix(kind, "video/") || kind == "application/ogg"):
		return v
	}
	return octets
}

var (
	plainText = []string{"text/plain; charset=utf-8"}
	octets    = []string{"application/octet-stream"}
	noSniff   = []string{"nosniff"}
)
