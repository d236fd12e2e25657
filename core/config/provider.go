package config

import (
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// checkProviders checks every provider and brings it into the form that
// Provider documents.
func (l *loader) checkProviders(cfg *Config) {
	for _, id := range l.ids("providers") {
		p, ok := cfg.Providers[id]
		if !ok {
			continue // no table; already noted
		}
		at := func(keys ...any) []any { return append([]any{"providers", id}, keys...) }
		if id == "" || strings.ContainsAny(id, ":/") || strings.ContainsFunc(id, notInName) {
			l.wrong(at(), "the id of a provider must not be empty or hold white space, : or /")
		}
		if p.Name == "" {
			p.Name = id
		}
		if p.BackendType == "anthropic" {
			p.BackendType = TypeClaude
		}
		l.checkBaseURL(at("base_url"), &p)
		l.readAPIKey(at, &p)
		l.checkHeaders(at, &p)
		for i, name := range p.Models {
			if name == "" || slices.Contains(p.Models[:i], name) {
				l.wrong(at("models", i), "a model name must not be empty or listed twice")
			}
		}
		if strings.ContainsFunc(p.APIVersion, isControl) {
			l.wrong(at("api_version"), "must not hold control characters")
		}
		l.checkFormat(at, &p)
		l.checkSafety(at, &p)
		l.checkDiscover(at, &p)
		if p.TimeoutSeconds == 0 {
			p.TimeoutSeconds = cfg.Settings.RequestTimeoutSeconds
		}
		cfg.Providers[id] = p
	}
}

// ids lists the keys of a top table in the file's order, which is the order
// of problems that concern several.
func (l *loader) ids(table string) []string {
	n, ok := l.doc.find([]any{table})
	if !ok || n.kind != kindTable {
		return nil
	}
	return n.names
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func (l *loader) checkBaseURL(at []any, p *Provider) {
	if p.BaseURL == "" {
		return // missing or unreadable; already noted
	}
	u, err := url.Parse(p.BaseURL)
	complaint := ""
	switch {
	case err != nil:
		complaint = "is not a URL" // the parser's own message repeats the text
	case u.Scheme != "http" && u.Scheme != "https":
		complaint = "must begin with http:// or https://"
	case u.Hostname() == "" || !validPort(u.Port()) || strings.ContainsAny(u.Host, " \t"):
		complaint = "must have a host name, and a port from 1 to 65535 if any"
	case u.User != nil:
		complaint = "must not hold a user or password; write api_key"
	case u.RawQuery != "" || u.ForceQuery:
		complaint = "must not have a query; write api_version or headers"
	case u.Fragment != "" || strings.Contains(p.BaseURL, "#"):
		complaint = "must not have a fragment"
	}
	if complaint != "" {
		l.wrong(at, "%s", complaint)
		return
	}
	host := strings.ToLower(u.Hostname())
	if p.BackendType == TypeOpenAI && (strings.HasSuffix(host, ".openai.azure.com") || strings.HasSuffix(host, ".cognitiveservices.azure.com")) {
		p.BackendType = TypeAzure
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = strings.TrimRight(u.RawPath, "/")
	if u.Path == "" && p.BackendType == TypeOpenAI {
		u.Path = "/v1"
	}
	if u.Path != "" && path.Clean(u.Path) != u.Path {
		l.wrong(at, "the path must not hold //, . or ..")
		return
	}
	p.BaseURL = u.String()
}

func (l *loader) readAPIKey(at func(...any) []any, p *Provider) {
	if p.APIKeyFile != "" {
		if !p.APIKey.IsEmpty() {
			l.wrong(at("api_key_file"), "api_key is set as well; only one of the two may be")
			return
		}
		if value, ok := l.secretFile(at("api_key_file"), p.APIKeyFile); ok {
			p.APIKey = NewSecret(value)
		}
	}
	path := at("api_key")
	if p.APIKeyFile != "" {
		path = at("api_key_file")
	}
	switch key := p.APIKey.Reveal(); {
	case strings.ContainsFunc(key, isControl):
		l.wrong(path, "the key holds a newline or another control character, which no header can")
	case key != strings.TrimFunc(key, func(r rune) bool { return unicode.IsSpace(r) || r == byteOrderMark }):
		l.warn(path, "the key begins or ends with white space, or with the mark that some editors put before a text; it is sent with that")
	}
}

// framing are the headers that belong to the connection or to the message's
// form; overriding one would break the request.
var framing = []string{
	"accept-encoding", "connection", "content-encoding", "content-length", "expect", "host", "keep-alive",
	"proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
}

func (l *loader) checkHeaders(at func(...any) []any, p *Provider) {
	seen := make(map[string]string, len(p.Headers))
	node, _ := l.doc.find(at("headers"))
	for _, name := range node.names {
		value, ok := p.Headers[name]
		if !ok {
			continue // no string; already noted
		}
		path, lower := at("headers", name), strings.ToLower(name)
		switch {
		case !validHeaderName(name):
			l.wrong(path, "this is no header name: letters, digits and !#$%%&'*+-.^_`|~ only")
		case slices.Contains(framing, lower):
			l.wrong(path, "Berry sets this header itself; it cannot be overridden")
		case seen[lower] != "":
			l.wrong(path, "the same header as %s", strconv.Quote(seen[lower]))
		case strings.ContainsFunc(value, func(r rune) bool { return isControl(r) && r != '\t' }):
			l.wrong(path, "the value holds a newline or another control character, which no header can")
		case p.BackendType == TypeAzure && lower == "api-version":
			if p.APIVersion != "" && p.APIVersion != value {
				l.wrong(path, "api_version is set as well, to something else")
			}
			p.APIVersion = value
			delete(p.Headers, name)
		}
		seen[lower] = name
	}
}

// validHeaderName checks for the token of RFC 9110, section 5.6.2.
func validHeaderName(name string) bool {
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return name != ""
}

// checkFormat refuses what the provider's wire format has no use for: it would
// be ignored otherwise.
func (l *loader) checkFormat(at func(...any) []any, p *Provider) {
	f := func(key string, set bool, types ...string) {
		if set && !slices.Contains(types, p.BackendType) && p.BackendType != "" {
			l.wrong(at(key), "is for backend_type %s only", strings.Join(types, " and "))
		}
	}
	f("api_version", p.APIVersion != "", TypeAzure, TypeClaude)
	f("max_tokens", p.MaxTokens != 0, TypeClaude)
	f("token_limit", p.TokenLimit != "" && p.TokenLimit != TokenLimitAsSent, TypeOpenAI, TypeAzure)
	f("reasoning_back", p.ReasoningBack, TypeOpenAI)
	f("safety_settings", len(p.SafetySettings) > 0, TypeGemini)
}

// checkDiscover refuses what could only disappoint.
func (l *loader) checkDiscover(at func(...any) []any, p *Provider) {
	switch {
	case !p.Discover:
	case p.BackendType == TypeAzure:
		l.wrong(at("discover"), "Azure's list does not name the deployments that can be called; write them as backends of models")
	case p.HealthCheck == "chat":
		l.wrong(at("discover"), `with health_check = "chat" each model that is found would be paid for at every check; write "auto" or "models"`)
	}
}

// checkSafety looks only at the words' form: Google adds categories.
func (l *loader) checkSafety(at func(...any) []any, p *Provider) {
	upper := func(s string) bool { return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "" }
	for _, category := range slices.Sorted(maps.Keys(p.SafetySettings)) {
		if !strings.HasPrefix(category, "HARM_CATEGORY_") || !upper(category) {
			l.wrong(at("safety_settings", category), "a harm category is written like HARM_CATEGORY_HARASSMENT")
		}
		if !upper(p.SafetySettings[category]) {
			l.wrong(at("safety_settings", category), "a threshold is written like BLOCK_ONLY_HIGH")
		}
	}
}
