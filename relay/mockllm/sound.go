package mockllm

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// How the sound is made: one byte per sample.
const (
	sampleRate    = 8000
	samplesPerChr = 400 // a twentieth of a second
	longestSpeech = 4096
	soundPiece    = 8 << 10
)

// openAISpeech speaks: it hums, for as long as the text would take, in WAV whatever the request wants.
func openAISpeech(b *Behaviour, in mediaInput, c openAICall) []Step {
	switch {
	case in.Input == "":
		return openAIInvalid("input", "Missing required parameter: 'input'")
	case in.Voice == nil:
		return openAIInvalid("voice", "Missing required parameter: 'voice'")
	case len(in.Input) > longestSpeech:
		return openAIInvalid("input", "Invalid 'input': too long")
	}
	sound := hum(len(in.Input))
	sse := in.StreamFormat == "sse"
	steps := []Step{Sleep(b.Latency)}
	if sse {
		steps = append(steps, events())
	} else {
		steps = append(steps, Header(http.StatusOK, http.Header{"Content-Type": {"audio/wav"}, "Content-Length": {strconv.Itoa(len(sound))}}))
	}
	for len(sound) > 0 {
		piece := sound[:min(len(sound), soundPiece)]
		sound = sound[len(piece):]
		if sse {
			steps = append(steps, named("speech.audio.delta", fmt.Sprintf(`{"type":"speech.audio.delta","audio":%q}`, base64.StdEncoding.EncodeToString(piece))))
		} else {
			steps = append(steps, Body(string(piece)))
		}
		steps = append(steps, Sleep(b.TokenInterval))
	}
	if sse {
		steps = append(steps, named("speech.audio.done", `{"type":"speech.audio.done","usage":`+mediaUsage(tokens(len(strings.Fields(in.Input))), len(in.Input))+`}`))
	}
	return steps
}

// hum is a WAV file with a tone for n characters.
func hum(n int) []byte {
	size := uint32(n * samplesPerChr)
	out := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, 36+size)...)
	out = append(out, "WAVEfmt "...)
	out = binary.LittleEndian.AppendUint32(out, 16)
	out = binary.LittleEndian.AppendUint16(out, 1) // samples as they are
	out = binary.LittleEndian.AppendUint16(out, 1) // one channel
	out = binary.LittleEndian.AppendUint32(out, sampleRate)
	out = binary.LittleEndian.AppendUint32(out, sampleRate) // bytes per second
	out = binary.LittleEndian.AppendUint16(out, 1)          // bytes per sample
	out = binary.LittleEndian.AppendUint16(out, 8)          // bits per sample
	out = binary.LittleEndian.AppendUint32(append(out, "data"...), size)
	for i := range int(size) {
		out = append(out, byte(112+32*(i/10%2))) // 400 Hz
	}
	return out
}
