package cursor

// skipObject passes an object that nobody asks for.
func (c *Cursor) skipObject() bool {
	if !c.enter('{') {
		return false
	}
	for first := true; ; first = false {
		switch {
		case first && c.eat('}'):
			c.leave()
			return true
		case c.Peek() != '"' || !c.str() || !c.eat(':') || !c.skip():
			return false
		case c.eat('}'):
			c.leave()
			return true
		case !c.eat(','):
			return false
		}
	}
}

// skipArray is skipObject for an array.
func (c *Cursor) skipArray() bool {
	if !c.enter('[') {
		return false
	}
	for first := true; ; first = false {
		switch {
		case first && c.eat(']'):
			c.leave()
			return true
		case !c.skip():
			return false
		case c.eat(']'):
			c.leave()
			return true
		case !c.eat(','):
			return false
		}
	}
}

func (c *Cursor) skip() bool {
	_, ok := c.Value()
	return ok
}
