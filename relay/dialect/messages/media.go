package messages

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"strings"
)

// What images and documents cost, in tokens, about, as Anthropic tells it.
const (
	pixelsPerToken = 750
	// longestSide is what larger images are brought down to, in pixels.
	longestSide = 1568
	// unknownImage is an image whose size is not known.
	unknownImage = 1600
	perPage      = 2000
	// pageBytes is the size of a page of a document whose pages cannot be counted.
	pageBytes = 50 << 10
)

// tokens estimates what a block of the given type with this source costs.
func (s *source) tokens(kind string) int {
	switch {
	case kind == blockImage:
		return imageTokens(s.Data)
	case s.Type == "base64":
		return pages(s.Data) * perPage
	case s.Type == "url" || s.Type == "file":
		return perPage
	default:
		return textTokens(s.Data) + textTokens(s.URL) + s.Content.tokens()
	}
}

// imageTokens reads an image's size where it stands in the first bytes.
func imageTokens(data string) int {
	for _, read := range []func(io.Reader) (image.Config, error){png.DecodeConfig, jpeg.DecodeConfig, gif.DecodeConfig} {
		c, err := read(base64.NewDecoder(base64.StdEncoding, strings.NewReader(data)))
		if err != nil || c.Width <= 0 || c.Height <= 0 {
			continue
		}
		w, h := float64(c.Width), float64(c.Height)
		scale := min(1, longestSide/max(w, h))
		return int(math.Ceil(min(w*h*scale*scale/pixelsPerToken, unknownImage)))
	}
	return unknownImage
}

// pages counts the pages of a PDF document in base64, at least 1.
func pages(data string) int {
	raw, _ := io.ReadAll(base64.NewDecoder(base64.StdEncoding, strings.NewReader(data)))
	n := 0
	for _, mark := range []string{"/Type /Page", "/Type/Page"} {
		for rest := raw; ; n++ {
			_, after, found := bytes.Cut(rest, []byte(mark))
			if !found {
				break
			}
			if rest = after; len(after) > 0 && after[0] == 's' { // the list of the pages
				n--
			}
		}
	}
	if n == 0 { // compressed
		n = len(raw) / pageBytes
	}
	return max(n, 1)
}
