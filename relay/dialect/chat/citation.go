package chat

import "strconv"

// Citation is a page on the web that a piece of the answer's text rests on.
type Citation struct {
	From, To   int // the piece, in characters of the content; To is behind its end
	URL, Title string
}

// appendAnnotations appends citations as a message's annotations.
func appendAnnotations(dst []byte, all []Citation) []byte {
	dst = append(dst, `"annotations":[`...)
	for i, c := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(append(dst, `{"type":"url_citation","url_citation":{"start_index":`...), int64(c.From), 10)
		dst = strconv.AppendInt(append(dst, `,"end_index":`...), int64(c.To), 10)
		dst = AppendText(append(dst, `,"title":`...), c.Title)
		dst = append(AppendText(append(dst, `,"url":`...), c.URL), "}}"...)
	}
	return append(dst, ']')
}

// Annotations appends what the text before rests on.
func (c *Chunks) Annotations(dst []byte, all []Citation) []byte {
	return append(appendAnnotations(c.open(dst, ""), all), deltaClose...)
}
