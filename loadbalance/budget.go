package loadbalance

import (
	"sync/atomic"
	"time"
)

const (
	// retryCap is how many retries the bucket of a backend holds; it starts full.
	retryCap = 10
	// retryPause is the time in which a backend earns one retry whatever its
	// traffic. Without it one of little traffic that fails for long uses up its
	// bucket for good, and requests are lost that another backend could have
	// answered. That much load hurts nobody.
	retryPause = time.Second
)

// budget is a token bucket of retries. It is kept as the moment at which the
// bucket will be full again, a retry being as much as a retryPause, so that it
// fills with time by itself and its zero value is full. (The same trick as in
// the generic cell rate algorithm.)
type budget struct{ full atomic.Int64 }

// earn adds ratio of a retry, for the first pick of a request.
func (b *budget) earn(ratio float64, now int64) {
	for {
		full := b.full.Load()
		if full <= now {
			return
		}
		if b.full.CompareAndSwap(full, full-int64(ratio*float64(retryPause))) {
			return
		}
	}
}

// take spends one retry, if there is one.
func (b *budget) take(now int64) bool {
	for {
		full := b.full.Load()
		next := max(full, now) + int64(retryPause)
		if next > now+retryCap*int64(retryPause) {
			return false
		}
		if b.full.CompareAndSwap(full, next) {
			return true
		}
	}
}
