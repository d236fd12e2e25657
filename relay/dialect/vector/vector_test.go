package vector_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/dialect/vector"
)

func TestAppendBase64(t *testing.T) {
	f := func(in, want string, good bool) {
		t.Helper()
		got, ok := vector.AppendBase64([]byte("x"), []byte(in))
		if ok != good || good && string(got) != "x"+want {
			t.Errorf("%s: %s, %v, want %s, %v", in, got, ok, want, good)
		}
	}
	f(`[0.5,-1,2]`, `"AAAAPwAAgL8AAABA"`, true)
	f(" [ 5e-1 ,\n-1.0, 2 ] ", `"AAAAPwAAgL8AAABA"`, true)
	f(`[]`, `""`, true)
	f(`[1e-60]`, `"AAAAAA=="`, true) // too small for a float is nothing
	f(`[-0]`, `"AAAAgA=="`, true)
	for _, in := range []string{``, `1`, `"AAAA"`, `null`, `{}`, `[1`, `[1,]`, `[1]]`, `[null]`, `["1"]`, `[true]`, `[[1]]`, `[1e60]`, `[NaN]`, `[0x1]`, `[01]`} {
		f(in, "", false)
	}
}

// FuzzAppendBase64: what comes out is the numbers that encoding/json reads.
func FuzzAppendBase64(f *testing.F) {
	f.Add(`[0.1,-2.5e3,7]`)
	f.Add(`[1,[2]]`)
	f.Fuzz(func(t *testing.T, in string) {
		out, ok := vector.AppendBase64(nil, []byte(in))
		var want []float32
		err := json.Unmarshal([]byte(in), &want)
		if !ok {
			return
		}
		if err != nil {
			t.Fatalf("%q was taken: %v", in, err)
		}
		var text string
		if err := json.Unmarshal(out, &text); err != nil {
			t.Fatal(err)
		}
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		var got []float32
		for b := range slices.Chunk(raw, 4) {
			got = append(got, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q: %v, want %v", in, got, want)
		}
	})
}
