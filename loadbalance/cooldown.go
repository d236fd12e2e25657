package loadbalance

import "time"

const (
	minCoolDown = time.Second      // of a rate limit that names no time; doubled by each further one
	maxCoolDown = 60 * time.Second // where the doubling ends
	// maxRetryAfter bounds what a backend may ask for, against nonsense:
	// quotas are by the day at the longest.
	maxRetryAfter = 24 * time.Hour
)

// coolDown is the rest that a backend asked for by rate limiting us.
type coolDown struct {
	until int64
	set   int64 // when the last one was set
	step  uint  // rate limits in a row without a time
}

// limit makes the backend rest from now on for the time it asked for, or for
// 1 s, 2 s, 4 s ... 60 s. A rest is never made shorter by a later one.
// A request that began (start) before the last rest was set belongs to the
// same burst: many rate limits at once are one event and double nothing.
func (c *coolDown) limit(asked time.Duration, start, now int64) {
	pause := min(asked, maxRetryAfter)
	if pause <= 0 {
		if c.step == 0 || start >= c.set {
			c.step = min(c.step+1, 16)
			c.set = now
		}
		pause = min(maxCoolDown, minCoolDown<<(c.step-1))
		c.until = max(c.until, c.set+int64(pause))
		return
	}
	c.until = max(c.until, now+int64(pause))
}

// success ends the doubling; a rest that was asked for still stands.
func (c *coolDown) success() { c.step = 0 }
