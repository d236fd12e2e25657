package claude

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// appendText adds a text block; the format refuses one that is blank.
func appendText(blocks []block, text string, mark jsontext.Value) []block {
	if strings.TrimSpace(text) == "" {
		return blocks
	}
	return append(blocks, block{Type: "text", Text: text, CacheControl: mark})
}

// texts is content that may hold text only.
func texts(content chat.Content, at string) (blocks []block, err error) {
	for i, p := range content {
		if p.Type != chat.PartText && p.Type != chat.PartRefusal {
			where := fmt.Sprintf("%s.content[%d]", at, i)
			return nil, chat.Refuse(where, "%s: only text may stand here for this model", where)
		}
		blocks = appendText(blocks, p.Text+p.Refusal, p.Extra["cache_control"])
	}
	return blocks, nil
}

// parts is content of any kind that the format knows.
func parts(content chat.Content, at string) (blocks []block, err error) {
	for i := range content {
		p := &content[i]
		where := fmt.Sprintf("%s.content[%d]", at, i)
		var b block
		switch p.Type {
		case chat.PartImage:
			b, err = image(p.Image.URL, where+".image_url.url")
		case chat.PartFile:
			b, err = document(p.File, where+".file")
		case chat.PartAudio:
			err = chat.Refuse(where+".input_audio", "%s: this model takes no audio", where)
		default:
			blocks = appendText(blocks, p.Text+p.Refusal, p.Extra["cache_control"])
			continue
		}
		if err != nil {
			return nil, err
		}
		b.CacheControl = p.Extra["cache_control"]
		blocks = append(blocks, b)
	}
	return blocks, nil
}

var imageTypes = [...]string{"image/jpeg", "image/png", "image/gif", "image/webp"}

func image(url, at string) (block, error) {
	if lower := strings.ToLower(url[:min(len(url), 8)]); strings.HasPrefix(lower, "https://") || strings.HasPrefix(lower, "http://") {
		return block{Type: "image", Source: &source{Type: "url", URL: url}}, nil
	}
	mediaType, data, ok := chat.DataURI(url)
	if !ok {
		return block{}, chat.Refuse(at, "%s must be an http or https URL or a data URI with an image", at)
	}
	if mediaType == "image/jpg" {
		mediaType = "image/jpeg"
	}
	if !slices.Contains(imageTypes[:], mediaType) {
		mediaType = sniff(data)
	}
	if !slices.Contains(imageTypes[:], mediaType) {
		return block{}, chat.Refuse(at, "%s must hold a JPEG, PNG, GIF or WebP image for this model", at)
	}
	return block{Type: "image", Source: &source{Type: "base64", MediaType: mediaType, Data: data}}, nil
}

// sniffed is how many characters of base64 tell what data is.
const sniffed = 64

func sniff(data string) string {
	head, err := base64.StdEncoding.DecodeString(data[:min(len(data), sniffed)])
	if err != nil {
		return ""
	}
	return http.DetectContentType(head)
}

func document(f *chat.File, at string) (block, error) {
	if f.ID != "" {
		return block{}, chat.Refuse(at+".file_id", "%s.file_id names a file at another provider: send file_data", at)
	}
	mediaType, data, ok := chat.DataURI(f.Data)
	if !ok {
		return block{}, chat.Refuse(at+".file_data", "%s.file_data must be a data URI", at)
	}
	b := block{Type: "document", Title: f.Name}
	switch {
	case mediaType == "application/pdf":
		b.Source = &source{Type: "base64", MediaType: mediaType, Data: data}
	case strings.HasPrefix(mediaType, "image/"):
		return image(f.Data, at+".file_data")
	case strings.HasPrefix(mediaType, "text/"), mediaType == "application/json":
		text, err := base64.StdEncoding.DecodeString(data)
		if err != nil || !utf8.Valid(text) || len(bytes.TrimSpace(text)) == 0 {
			return block{}, chat.Refuse(at+".file_data", "%s.file_data must be text in UTF-8, as its media type says", at)
		}
		b.Source = &source{Type: "text", MediaType: "text/plain", Data: string(text)}
	default:
		return block{}, chat.Refuse(at+".file_data", "%s.file_data is of type %.60q: this model takes PDF, text and images", at, mediaType)
	}
	return b, nil
}
