package simulate

// moment is a time of the simulation: nanoseconds since its beginning.
type moment int64

// event is something that will happen. What it is says its flight and, for
// one without, its kind.
type event struct {
	at     moment
	order  uint64 // of events at one moment: as they were planned
	what   happening
	flight *flight
}

type happening uint8

const (
	arrival happening = iota // the next request comes
	content                  // the first content of a flight's attempt comes
	answer                   // a flight's attempt ends
	resume                   // a flight's pause is over
	checkup                  // a check may be due
	bucket                   // a slice of the timeline ends
)

// queue holds the events in the order of time: a binary heap.
type queue struct {
	heap  []event
	order uint64
}

func (q *queue) less(i, j int) bool {
	a, b := &q.heap[i], &q.heap[j]
	return a.at < b.at || a.at == b.at && a.order < b.order
}

func (q *queue) push(e event) {
	q.order++
	e.order = q.order
	q.heap = append(q.heap, e)
	for i := len(q.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !q.less(i, parent) {
			return
		}
		q.heap[i], q.heap[parent] = q.heap[parent], q.heap[i]
		i = parent
	}
}

// pop removes the earliest event. False: there is none.
func (q *queue) pop() (event, bool) {
	if len(q.heap) == 0 {
		return event{}, false
	}
	first := q.heap[0]
	last := len(q.heap) - 1
	q.heap[0] = q.heap[last]
	q.heap[last] = event{}
	q.heap = q.heap[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return first, true
		}
		if child+1 < last && q.less(child+1, child) {
			child++
		}
		if !q.less(child, i) {
			return first, true
		}
		q.heap[i], q.heap[child] = q.heap[child], q.heap[i]
		i = child
	}
}
