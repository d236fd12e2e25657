package responses

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
)

// texts is a content that may only be text.
func texts(c content, at string) (string, error) {
	all := make([]string, 0, len(c))
	for i := range c {
		switch p := &c[i]; {
		case p.isText():
			all = append(all, p.Text)
		case p.Type == "refusal":
			all = append(all, p.Refusal)
		default:
			return "", notHere(p, fmt.Sprintf("%s[%d]", at, i))
		}
	}
	return strings.Join(all, "\n"), nil
}

func (p *part) isText() bool {
	switch p.Type {
	case "input_text", "output_text", "text", "":
		return true
	}
	return false
}

func notHere(p *part, at string) error {
	return chat.Refuse(at+".type", "%s: a part of type %.60q cannot be carried here to this model", at, p.Type)
}

// shown is a content that a user or a tool may show, as parts of a chat message.
func shown(c content, at string) (all []hub.Part, err error) {
	for i := range c {
		where := fmt.Sprintf("%s[%d]", at, i)
		p := &c[i]
		var one hub.Part
		switch {
		case p.isText():
			all = append(all, hub.Text(p.Text)...)
			continue
		case p.Type == "input_image":
			one, err = image(p, where)
		case p.Type == "input_file":
			one, err = file(p, where)
		case p.Type == "input_audio" && p.Audio != nil:
			one = hub.Part{Type: chat.PartAudio, Audio: &hub.Audio{Data: p.Audio.Data, Format: p.Audio.Format}}
		default:
			err = notHere(p, where)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func elsewhere(at string) error {
	return chat.Refuse(at+".file_id", "%s names a file at another provider: send its content", at)
}

func image(p *part, at string) (hub.Part, error) {
	switch {
	case p.ImageURL != "":
	case p.FileID != "":
		return hub.Part{}, elsewhere(at)
	default:
		return hub.Part{}, chat.Refuse(at+".image_url", "%s must hold the image in image_url", at)
	}
	detail := p.Detail
	switch detail {
	case "auto":
		detail = ""
	case "original": // which the chat format does not know
		detail = "high"
	}
	return hub.Part{Type: chat.PartImage, Image: &hub.ImageURL{URL: p.ImageURL, Detail: detail}}, nil
}

func file(p *part, at string) (hub.Part, error) {
	switch {
	case p.FileData != "":
		return hub.Part{Type: chat.PartFile, File: &hub.File{Name: cmp.Or(p.Filename, "document.pdf"), Data: p.FileData}}, nil
	case p.FileID != "":
		return hub.Part{}, elsewhere(at)
	case p.FileURL != "":
		return hub.Part{}, chat.Refuse(at+".file_url", "%s: this model takes no document by its address: send its content in file_data", at)
	}
	return hub.Part{}, chat.Refuse(at+".file_data", "%s must hold the file in file_data", at)
}
