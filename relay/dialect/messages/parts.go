package messages

import (
	"cmp"
	"fmt"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
)

// part is a block that a user or a tool may show, as parts of a chat message.
// A text that is empty is none.
func (e *encoding) part(b *block, at string) ([]hub.Part, error) {
	switch b.Type {
	case blockText:
		return hub.Text(b.Text), nil
	case blockImage:
		return imagePart(b.Source, at)
	case blockDocument:
		return e.document(b, at)
	case blockSearch:
		return e.searchResult(b, at)
	case "tool_reference": // names a tool that the client has described anyway
		return nil, nil
	default:
		return nil, chat.Refuse(at+".type", "%s: a block of type %.60q cannot be carried here to this model", at, b.Type)
	}
}

func imagePart(s *source, at string) ([]hub.Part, error) {
	switch {
	case s == nil:
	case s.Type == "url" && s.URL != "":
		return []hub.Part{{Type: chat.PartImage, Image: &hub.ImageURL{URL: s.URL}}}, nil
	case s.Type == "base64" && s.Data != "":
		return []hub.Part{{Type: chat.PartImage, Image: &hub.ImageURL{URL: dataURI(s.MediaType, s.Data)}}}, nil
	case s.Type == "file":
		return nil, elsewhere(at)
	}
	return nil, chat.Refuse(at+".source", "%s.source must be of type base64 or url and hold the image", at)
}

func dataURI(mediaType, data string) string { return "data:" + mediaType + ";base64," + data }

func elsewhere(at string) error {
	return chat.Refuse(at+".source.file_id", "%s.source names a file at another provider: send its content", at)
}

// document is a file, or text that has a title.
func (e *encoding) document(b *block, at string) ([]hub.Part, error) {
	s := b.Source
	switch {
	case s == nil:
	case s.Type == "base64" && s.Data != "":
		name := cmp.Or(b.Title, "document.pdf")
		return []hub.Part{{Type: chat.PartFile, File: &hub.File{Name: name, Data: dataURI(cmp.Or(s.MediaType, "application/pdf"), s.Data)}}}, nil
	case s.Type == "text":
		return hub.Text(titled(b, s.Data)), nil
	case s.Type == "content":
		parts, err := e.all(s.Content, at+".source.content")
		if title := titled(b, ""); title != "" && err == nil {
			parts = append(hub.Text(title), parts...)
		}
		return parts, err
	case s.Type == "file":
		return nil, elsewhere(at)
	case s.Type == "url":
		return nil, chat.Refuse(at+".source.url", "%s: this model takes no document by its address: send its content", at)
	}
	return nil, chat.Refuse(at+".source", "%s.source must be of type base64, text or content and hold the document", at)
}

// titled is a document's text under its title and context.
func titled(b *block, text string) string {
	for _, head := range []string{b.Context, b.Title} {
		if head != "" {
			text = head + "\n" + text
		}
	}
	return text
}

func (e *encoding) searchResult(b *block, at string) ([]hub.Part, error) {
	parts, err := e.all(b.Content, at+".content")
	if err != nil {
		return nil, err
	}
	head := b.Title
	if b.Source != nil && b.Source.URL != "" {
		head += " (" + b.Source.URL + ")"
	}
	return append(hub.Text(head), parts...), nil
}

// all is what a document or a search result holds: texts and images, nothing
// that holds something itself.
func (e *encoding) all(c content, at string) ([]hub.Part, error) {
	var all []hub.Part
	for i := range c {
		if kind := c[i].Type; kind != blockText && kind != blockImage {
			return nil, notHere(at, i, &c[i])
		}
		parts, err := e.part(&c[i], fmt.Sprintf("%s[%d]", at, i))
		if err != nil {
			return nil, err
		}
		all = append(all, parts...)
	}
	return all, nil
}
