package auth

import "time"

// maxDebt bounds how far ahead a window can be booked, so that no count of
// tokens, however large, can overflow into a window that looks empty.
const maxDebt = 365 * 24 * time.Hour

// window is one limit of one user: at most `limit` at once, earned back
// continuously at `limit` per period. It is the generic cell rate algorithm,
// which is a token bucket whose whole state is one moment (see ITU-T I.371):
// when everything will have been earned back. Counting in whole nanoseconds it
// is exact, so that a caller who waits as long as it was told is let in.
//
// golang.org/x/time/rate is the same bucket with a float, but refuses to book
// more than the bucket holds, which an answer's tokens may well be, and cannot
// ask several buckets and debit all or none.
//
// The zero window has no limit. Times are durations since the limiter's start.
type window struct {
	limit int
	each  time.Duration // time to earn one back, at least 1 ns
	full  time.Duration // when all is earned back; in the past: it is
}

func newWindow(limit int, period time.Duration) window {
	if limit <= 0 {
		return window{}
	}
	return window{limit: limit, each: max(1, period/time.Duration(limit))}
}

// wait returns how long until one more fits; 0: it does now.
func (w *window) wait(now time.Duration) time.Duration {
	if w.limit == 0 {
		return 0
	}
	return max(0, w.reset(now)-w.each*time.Duration(w.limit-1))
}

// book takes n, also more than there is: the window is then in debt.
func (w *window) book(n int, now time.Duration) {
	if w.limit == 0 {
		return
	}
	debt := min(time.Duration(n), maxDebt/w.each) * w.each
	w.full = min(max(w.full, now)+debt, now+maxDebt)
}

// unbook gives one back.
func (w *window) unbook() { w.full -= w.each }

// reset returns the time until everything is earned back.
func (w *window) reset(now time.Duration) time.Duration { return max(0, w.full-now) }

// used returns how many are taken, a part of one counting as one; above the limit: debt.
func (w *window) used(now time.Duration) int {
	if w.limit == 0 {
		return 0
	}
	return int((w.reset(now) + w.each - 1) / w.each)
}

// remaining returns how many more fit now.
func (w *window) remaining(now time.Duration) int { return max(0, w.limit-w.used(now)) }
