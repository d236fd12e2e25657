// Package httplb balances an HTTP client over several base URLs.
//
// A [Transport] is an [http.RoundTripper]. Give it to any [http.Client], or to
// an SDK that takes one, and each request goes to one of the targets:
//
//	lb, err := httplb.New(httplb.Options{Targets: []httplb.Target{
//		{URL: "https://llm.east.example/v1"},
//		{URL: "https://llm.west.example/v1"},
//	}})
//	client := &http.Client{Transport: lb}
//	client.Get("http://llm/models") // https://llm.east.example/v1/models, or west's
//
// # Words
//
// A target is a base URL with a credential of its own; it is one backend of
// package loadbalance, whose words hold here too. An attempt is one request to
// one target.
//
// # Where a request goes
//
// Scheme and host of the request's URL are replaced by the target's, whatever
// they are, and its path is put after the target's: "/models" at
// "https://a.example/v1" or "https://a.example/v1/" is
// "https://a.example/v1/models", with escapes kept as they were written. An
// empty path means the base itself. Query parameters of the target go before
// those of the request. The Host header is the target's.
//
// Redirects are answers like any other and are not followed: where a target
// points to is not a target. The error [ErrRedirect] stops a client that tries;
// with [http.ErrUseLastResponse] in CheckRedirect it gets the redirect itself.
//
// # Credentials
//
// Headers of a target are set on the requests to it, in place of the request's
// own headers of those names, and seen by nobody else: not by another target,
// nor in Response.Request. What the caller itself puts into a request goes to
// whichever target is picked, and so would cookies of a client with a jar, which
// believes to talk to one host: leave Client.Jar nil.
//
// # Retries
//
// An attempt that fails before the first byte of the answer's body is made
// again at another target, up to [Options.MaxAttempts] in all and within the
// retry budget of the fleet; never twice at the same one, and never once a byte
// of an answer is the caller's. Failing means a broken connection, a timeout,
// or a status that [Options.Classify] takes for a failure. When nothing else
// is left to try the caller gets the last answer or error as it is. If there was
// nothing to pick in the first place the error is a [*loadbalance.Unavailable],
// for errors.As.
//
// To be able to do so RoundTrip waits for the first byte of the body before it
// returns, not only for the header.
//
// All methods are retried, POST too: an attempt that failed may still have been
// acted on. That is what one wants of inference and other requests that change
// nothing; for others set [Options.Retry] to [Idempotent].
//
// A request is repeatable if it has no body, if it has GetBody, which
// [http.NewRequest] sets for bodies in memory, or if it announces a length of
// at most [Options.MaxBufferedBody], which is then read into memory before it
// is sent. Any other body is sent once, as it is read, and RoundTrip then
// returns with the header.
//
// # What a target is judged by
//
// Each attempt is reported to the balancer exactly once: at its status, if that
// is a failure; else when its body ends, breaks or is closed. Closing a body
// early is no fault of the target and counts as success, as its first byte
// came. A context that ends, or a client's Timeout, blames no target: set
// [Options.FirstByteTimeout], or a target that hangs is never found out.
//
// As with any http.Client the caller has to close the body of each response;
// until then, or until the request's context ends, the target counts the
// request as in flight.
//
// # Ownership and concurrency
//
// A Transport may be used by any number of goroutines, and does not change
// after New. It starts no goroutine: active checks run only while
// [Transport.Run] does. Options are copied by New; the Fleet, if one is
// given, and the Base stay the caller's.
package httplb
