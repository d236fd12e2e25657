package gemini

import (
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// texts are the parts of a message, number i, that can only be text. Empty
// ones are left out: Gemini refuses them.
func texts(c chat.Content, i int) ([]part, error) {
	var out []part
	for j := range c {
		p := &c[j]
		if p.Type != chat.PartText && p.Type != chat.PartRefusal {
			return nil, chat.Refuse(fmt.Sprintf("messages[%d].content[%d].type", i, j),
				"messages[%d].content[%d] must be text: this model takes %s from the user only", i, j, p.Type)
		}
		if text := p.Text + p.Refusal; text != "" {
			out = append(out, part{Text: text})
		}
	}
	return out, nil
}

// parts are the parts of message i.
func (e *encoder) parts(c chat.Content, i int) ([]part, error) {
	var out []part
	for j := range c {
		p := &c[j]
		at := fmt.Sprintf("messages[%d].content[%d].%s", i, j, p.Type)
		var one part
		var err error
		switch p.Type {
		case chat.PartImage:
			one, err = e.image(p.Image.URL, at)
		case chat.PartAudio:
			one, err = audio(p.Audio, at)
		case chat.PartFile:
			one, err = file(p.File, at)
		default:
			one.Text = p.Text + p.Refusal
		}
		if err != nil {
			return nil, err
		}
		if one != (part{}) {
			out = append(out, one)
		}
	}
	return out, nil
}

// image is an image by data URI or by address. Addresses are handed on, never
// fetched here.
func (e *encoder) image(address, at string) (part, error) {
	at += ".url"
	if mediaType, data, ok := chat.DataURI(address); ok {
		return inline(mediaType, data), nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return part{}, chat.Refuse(at, "%s must be a data URI with base64 or an address", at)
	}
	mediaType, _, _ := strings.Cut(mime.TypeByExtension(path.Ext(u.Path)), ";")
	switch host := strings.TrimPrefix(strings.ToLower(u.Hostname()), "www."); {
	case u.Scheme == "gs", host == "generativelanguage.googleapis.com" && strings.Contains(u.Path, "/files/"):
	case host == "youtube.com", host == "youtu.be":
	case u.Scheme == "https" && e.model.modern() && mediaType != "":
	default:
		return part{}, chat.Refuse(at, "%s cannot be fetched by this model: send the image as a data URI", at)
	}
	return part{FileData: &fileData{MIMEType: mediaType, FileURI: address}}, nil
}

// inline is data with its type, which is looked for in the data where the URI
// does not say it.
func inline(mediaType, data string) part {
	if mediaType == "" {
		const enough = 684 // 512 bytes, which is all that is looked at, as base64
		head, _ := base64.StdEncoding.DecodeString(data[:min(len(data), enough)/4*4])
		mediaType, _, _ = strings.Cut(http.DetectContentType(head), ";")
	}
	return part{InlineData: &blob{MIMEType: mediaType, Data: data}}
}

func audio(a *chat.Audio, at string) (part, error) {
	if a.Data == "" || a.Format == "" || strings.Trim(a.Format, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return part{}, chat.Refuse(at, "%s must hold data and a format such as wav or mp3", at)
	}
	return part{InlineData: &blob{MIMEType: "audio/" + a.Format, Data: a.Data}}, nil
}

func file(f *chat.File, at string) (part, error) {
	if f.Data == "" {
		return part{}, chat.Refuse(at+".file_id", "%s must hold file_data: an id is known only to the provider that made it", at)
	}
	mediaType, data, ok := chat.DataURI(f.Data)
	if !ok {
		return part{}, chat.Refuse(at+".file_data", "%s.file_data must be a data URI", at)
	}
	if mediaType == "" || mediaType == "application/octet-stream" {
		if byName, _, _ := strings.Cut(mime.TypeByExtension(path.Ext(f.Name)), ";"); byName != "" {
			mediaType = byName
		}
	}
	return inline(mediaType, data), nil
}
