package cursor

// Details passes an object of counters into where f says; anything else is skipped.
func (c *Cursor) Details(f func(key []byte) *int) bool {
	if c.Peek() != '{' {
		return c.skip()
	}
	return c.Object(func(key []byte) bool {
		if to := f(key); to != nil {
			return c.Into(to)
		}
		return c.skip()
	})
}

// Into passes a value and stores it when it is a whole number.
func (c *Cursor) Into(to *int) bool {
	n, ok := c.Integer()
	*to = max(n, 0)
	return ok
}

// Integer passes any value; it returns 0 for what is not a whole number, and
// the largest int32 for one that is larger.
func (c *Cursor) Integer() (int, bool) {
	span, ok := c.Value()
	n, neg := 0, false
	for i, ch := range c.b[span.Start:span.End] {
		switch {
		case ch == '-' && i == 0:
			neg = true
		case ch >= '0' && ch <= '9':
			n = min(n*10+int(ch-'0'), 1<<31-1)
		case ch == '.' && i > 0: // some upstreams write 7.0
			if neg {
				n = -n
			}
			return n, ok
		default:
			return 0, ok
		}
	}
	if neg {
		n = -n
	}
	return n, ok
}
