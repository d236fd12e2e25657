package loadbalance

import "sync/atomic"

// The retry budget of a backend, in millionths of a retry so that it fits an
// atomic integer.
const (
	retryUnit = 1_000_000
	// retryCap is the size of the bucket, which starts full: the floor that
	// lets backends with little traffic retry at all.
	retryCap = 10 * retryUnit
)

// budget is a token bucket of retries. It keeps what was spent instead of
// what is left, so that its zero value is a full bucket.
type budget struct{ spent atomic.Int64 }

// earn adds ratio of a retry, for the first pick of a request.
func (b *budget) earn(ratio float64) {
	for {
		s := b.spent.Load()
		if s <= 0 {
			return
		}
		if b.spent.CompareAndSwap(s, max(0, s-int64(ratio*retryUnit))) {
			return
		}
	}
}

// take spends one retry, if there is one.
func (b *budget) take() bool {
	for {
		s := b.spent.Load()
		if s+retryUnit > retryCap {
			return false
		}
		if b.spent.CompareAndSwap(s, s+retryUnit) {
			return true
		}
	}
}
