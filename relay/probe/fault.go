package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

// patience is a time limit and the setting that it comes from; as an error it
// is the cause with which the limit ends a context.
type patience struct {
	limit   time.Duration
	setting string
}

func (p *patience) Error() string {
	return fmt.Sprintf("nothing came within %v, the limit that %s sets", p.limit, p.setting)
}

// broken is the result of a connection that failed.
func (p *Probe) broken(ctx context.Context, check string, err error) result {
	cause := context.Cause(ctx)
	var limit *patience
	switch {
	case cause == nil && p.answering:
		return p.failed(check, loadbalance.Network, "the provider broke the connection off in the middle of the answer")
	case cause == nil:
		return p.failed(check, loadbalance.Network, "%s", p.unreachable(err))
	case errors.As(cause, &limit):
		return p.failed(check, loadbalance.Timeout, "%v", limit)
	case errors.Is(cause, context.DeadlineExceeded), errors.Is(cause, errHandshake):
		return p.failed(check, loadbalance.Timeout, "nothing came in time")
	default:
		return p.failed(check, loadbalance.Cancelled, "the check was cancelled")
	}
}

// unreachable says why there is no connection, and what to look at.
func (p *Probe) unreachable(err error) string {
	host := p.up.Base.Host
	var (
		name      *net.DNSError
		untrusted *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		timeout   net.Error
	)
	switch {
	case errors.As(err, &name):
		return fmt.Sprintf("the name %s cannot be resolved; is base_url right, and is there a network?", p.up.Base.Hostname())
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing listens on %s; is base_url right, and is the provider running?", host)
	case errors.As(err, &untrusted):
		return fmt.Sprintf("the certificate of %s is not trusted (%v); install its authority, for example with SSL_CERT_FILE", host, untrusted.Err)
	case errors.As(err, &record):
		return fmt.Sprintf("%s does not speak TLS; should base_url begin with http:// ?", host)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("no connection to %s within the time that settings.connect_timeout_seconds sets; is there a firewall or a proxy?", host)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Sprintf("%s closed the connection without an answer", host)
	}
	return fmt.Sprintf("no connection to %s: %v", host, err)
}

// refused is the result of an answer with a status that is not 2xx.
func (p *Probe) refused(check string, resp *http.Response) result {
	fault, _ := p.up.Fault(resp)
	return p.faulted(check, fault, resp.Header)
}

// faulted is the result of an error that the provider reported.
func (p *Probe) faulted(check string, fault *apierror.Error, h http.Header) result {
	kind := upstream.Kind(fault.Status)
	id := p.up.Provider.ID
	said := fmt.Sprintf("the provider answered with status %d: %s", fault.Status, fault.Message)
	remedy := ""
	switch {
	case fault.Status == http.StatusPaymentRequired:
		remedy = "top up the provider's account"
	case kind == loadbalance.Auth && p.up.Provider.APIKey.IsEmpty():
		remedy = fmt.Sprintf("providers.%s has no api_key", id)
	case kind == loadbalance.Auth:
		remedy = fmt.Sprintf("check providers.%s.api_key", id)
	case kind == loadbalance.RateLimit:
		remedy = "the limit or quota of the provider's account is used up for now"
	case kind == loadbalance.Model && check == CheckedChat:
		remedy = fmt.Sprintf("check the model's name and providers.%s.base_url", id)
	case kind == loadbalance.Model:
		remedy = fmt.Sprintf(`check providers.%s.base_url, or set its health_check to "tcp"`, id)
	case fault.Status >= 300 && fault.Status < 400:
		remedy = fmt.Sprintf("redirects are not followed: write the address that it leads to as providers.%s.base_url", id)
	case kind == loadbalance.Server:
		remedy = "the trouble is on the provider's side"
	}
	if remedy != "" {
		said = strings.TrimRight(said, ".;, ") + "; " + remedy
	}
	r := p.failed(check, kind, "%s", said)
	r.Status, r.wait, r.param = fault.Status, upstream.Wait(fault, h), fault.Param
	return r
}

// longestMessage bounds a message, in characters: providers have been seen to
// answer with a whole page.
const longestMessage = 600

// masked makes a text fit to be shown: one line of bounded length, and without
// what is secret about the provider, its key and the values of its headers,
// whichever the other side may have echoed.
func (p *Probe) masked(text string) string {
	text = p.up.Hide(text)
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }), " ")
	if runes := []rune(text); len(runes) > longestMessage {
		text = string(runes[:longestMessage]) + "..."
	}
	return text
}
