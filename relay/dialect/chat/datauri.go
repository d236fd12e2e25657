package chat

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// DataURI takes a data URI apart. Data is base64 with standard alphabet and
// padding, as it stood where it was that already. ok is false when s is not a
// data URI, or one whose data cannot be read. MediaType is in lower case
// without parameters, "" if the URI names none.
func DataURI(s string) (mediaType, data string, ok bool) {
	if len(s) < 5 || !strings.EqualFold(s[:5], "data:") {
		return "", "", false
	}
	head, data, ok := strings.Cut(s[5:], ",")
	if !ok {
		return "", "", false
	}
	mediaType, params, _ := strings.Cut(head, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	if params != "base64" && !strings.HasSuffix(params, ";base64") {
		text, err := url.PathUnescape(data)
		return mediaType, base64.StdEncoding.EncodeToString([]byte(text)), err == nil
	}
	if strings.ContainsAny(data, "-_%\r\n ") || len(data)%4 != 0 {
		if data, ok = repaired(data); !ok {
			return "", "", false
		}
	}
	if data == "" {
		return "", "", false
	}
	return mediaType, data, true
}

// repaired brings base64 of another alphabet or without padding into the
// standard form.
func repaired(data string) (string, bool) {
	data, err := url.PathUnescape(data)
	if err != nil {
		return "", false
	}
	data = strings.NewReplacer("-", "+", "_", "/", "\r", "", "\n", "", " ", "").Replace(data)
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(data, "="))
	if err != nil {
		return "", false
	}
	return base64.StdEncoding.EncodeToString(raw), true
}
