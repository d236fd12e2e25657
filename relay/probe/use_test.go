package probe

import (
	"slices"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

func TestProbesAskWhatABackendAnswers(t *testing.T) {
	const chat, texts, vectors, verdicts = dialect.Chat, dialect.Completions, dialect.Embeddings, dialect.Moderations
	const speech, responses = dialect.Speech, dialect.Responses
	type list = []dialect.Endpoint
	f := func(asked, served, want list) {
		t.Helper()
		var u Use
		for _, e := range asked {
			u.Asked(e)
		}
		for _, e := range served {
			u.Served(e)
		}
		if got := u.probes(); !slices.Equal(got, want) {
			t.Errorf("asked for %v, served %v: %v, want %v", asked, served, got, want)
		}
	}
	f(nil, nil, probed[:])
	f(list{vectors}, nil, list{vectors})
	f(list{vectors, chat}, nil, list{chat, vectors})
	f(list{vectors, chat}, list{vectors}, list{vectors})
	f(list{vectors, chat}, list{vectors, chat}, list{chat})
	f(list{verdicts, texts}, list{verdicts, texts}, list{texts})
	f(list{responses, chat}, list{responses}, list{responses})
	f(list{responses, vectors}, list{responses, vectors}, list{vectors})
	f(list{dialect.Messages}, list{dialect.Messages}, list{chat})
	f(list{dialect.CountTokens}, list{dialect.CountTokens}, probed[:])
	f(list{dialect.InputTokens}, nil, probed[:])
	f(list{dialect.InputTokens, dialect.Compact}, nil, list{responses})
	// Speech costs: the requests of users are the only probe.
	f(list{speech}, nil, nil)
	f(list{speech}, list{speech}, nil)
	f(list{speech, vectors}, list{speech}, nil)
	f(list{speech, vectors}, list{speech, vectors}, list{vectors})
}

// What a model refuses says that it is for something else; what fails says nothing.
func TestRefusal(t *testing.T) {
	for status := 400; status < 600; status++ {
		want := slices.Contains([]int{400, 403, 404, 405, 422, 501}, status)
		if refusal(status) != want {
			t.Errorf("%d: %t", status, !want)
		}
	}
}
