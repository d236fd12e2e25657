package mockllm

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strings"
)

// maxPictures is how many images one answer may have, as the real one has it.
const maxPictures = 10

// openAIImages draws.
func openAIImages(b *Behaviour, in mediaInput, c openAICall) []Step {
	op := strings.TrimPrefix(c.op, "images/")
	if op != "variations" && in.Prompt == "" {
		return openAIInvalid("prompt", "Missing required parameter: 'prompt'")
	}
	if _, ok := in.file("image"); op != "generations" && !(in.form && ok) {
		return openAIInvalid("image", "Missing required parameter: 'image'; send it as multipart/form-data")
	}
	n := max(in.N, 1)
	if n > maxPictures {
		return openAIInvalid("n", fmt.Sprintf("Invalid 'n': want 1 to %d", maxPictures))
	}
	if in.Stream && op != "variations" {
		return pictureStream(b, in, map[string]string{"generations": "image_generation", "edits": "image_edit"}[op])
	}
	data := make([]string, n)
	for i := range data {
		data[i] = `{"b64_json":` + quote(picture(in.Prompt, i)) + `}`
	}
	return []Step{Sleep(b.Latency), JSON(http.StatusOK, nil, fmt.Sprintf(`{"created":%d,"data":[%s],"output_format":"png","size":"%dx%[3]d","usage":%[4]s}`,
		now(), strings.Join(data, ","), pictureSize, mediaUsage(tokens(len(strings.Fields(in.Prompt))), 100*n)))}
}

// pictureStream draws in steps.
func pictureStream(b *Behaviour, in mediaInput, kind string) []Step {
	steps := []Step{Sleep(b.Latency), events()}
	for i := range min(in.PartialImages, 3) {
		steps = append(steps, named(kind+".partial_image", fmt.Sprintf(`{"type":%q,"b64_json":%q,"partial_image_index":%d,"created_at":%d,"output_format":"png"}`,
			kind+".partial_image", picture(in.Prompt, i+1), i, now())), Sleep(b.TokenInterval))
	}
	return append(steps, named(kind+".completed", fmt.Sprintf(`{"type":%q,"b64_json":%q,"created_at":%d,"output_format":"png","usage":%s}`,
		kind+".completed", picture(in.Prompt, 0), now(), mediaUsage(tokens(len(strings.Fields(in.Prompt))), 100))))
}

// pictureSize is how wide and high a picture is.
const pictureSize = 32

// picture is a PNG in base64: stripes of a colour that depends on the prompt.
func picture(prompt string, n int) string {
	h := fnv.New32a()
	fmt.Fprintf(h, "%d %s", n, prompt)
	v := h.Sum32()
	one := color.RGBA{byte(v), byte(v >> 8), byte(v >> 16), 255}
	img := image.NewPaletted(image.Rect(0, 0, pictureSize, pictureSize), color.Palette{one, color.White})
	for i := range img.Pix {
		img.Pix[i] = byte((i%pictureSize + i/pictureSize) / 8 % 2)
	}
	var out bytes.Buffer
	_ = png.Encode(&out, img) // into memory, a picture that can be encoded
	return base64.StdEncoding.EncodeToString(out.Bytes())
}
