package model

import "time"

// event is something that happens at a time.
type event struct {
	at  time.Duration
	seq int
	do  func()
}

func (e event) before(f event) bool { return e.at < f.at || e.at == f.at && e.seq < f.seq }

// queue is a heap of what is to come. What is to happen at the same time does so
// in the order in which it was put in.
type queue struct {
	all []event
	seq int
}

func (q *queue) push(e event) {
	q.seq++
	e.seq = q.seq
	q.all = append(q.all, e)
	for i := len(q.all) - 1; i > 0; {
		parent := (i - 1) / 2
		if !q.all[i].before(q.all[parent]) {
			return
		}
		q.all[i], q.all[parent] = q.all[parent], q.all[i]
		i = parent
	}
}

func (q *queue) pop() event {
	first, last := q.all[0], len(q.all)-1
	q.all[0] = q.all[last]
	q.all[last] = event{}
	q.all = q.all[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if q.all[child].before(q.all[least]) {
				least = child
			}
		}
		if least == i {
			return first
		}
		q.all[i], q.all[least] = q.all[least], q.all[i]
		i = least
	}
}
