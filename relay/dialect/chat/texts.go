package chat

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Texts is a list of texts that a client may also give as one string.
type Texts []string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (t *Texts) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '"' {
		return json.UnmarshalDecode(dec, (*[]string)(t))
	}
	*t = Texts{""}
	return json.UnmarshalDecode(dec, &(*t)[0])
}
