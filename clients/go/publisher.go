package tenterhook

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"tenterhook.example/go/api"
)

// PublisherOptions of a Publisher; zero values are the defaults.
type PublisherOptions struct {
	// MaxBatch is the most events of a batch, up to 1000. Default 100.
	MaxBatch int
	// MaxBatchBytes is the most bytes of the events of a batch. Default 512 KiB.
	MaxBatchBytes int
	// Linger is how long an event waits for others. Default 20 ms.
	Linger time.Duration
	// MaxPending is the most events that wait or are under way. Default 10000.
	MaxPending int
	// MaxInFlight is the most batches under way. Default 4.
	MaxInFlight int
}

// Result is what became of an event that a Publisher took.
type Result struct {
	Accepted api.EventAccepted
	Err      error
}

type waiting struct {
	event  api.EventNew
	size   int
	result chan Result
}

// Publisher collects events and sends them in batches. Memory is bounded: above MaxPending events, Publish waits and TryPublish fails.
// Go runs nothing when a program ends: defer Close.
type Publisher struct {
	client  *Client
	options PublisherOptions
	room    chan struct{} // a place for each event that waits or is under way
	queue   chan waiting
	hurry   chan struct{}
	ended   chan struct{}
	mutex   sync.RWMutex
	closed  bool
	pending sync.WaitGroup
}

// Publisher starts one; Close it.
func (c *Client) Publisher(options PublisherOptions) *Publisher {
	options.MaxBatch = cmp.Or(options.MaxBatch, 100)
	options.MaxBatchBytes = cmp.Or(options.MaxBatchBytes, 512<<10)
	options.Linger = cmp.Or(options.Linger, 20*time.Millisecond)
	options.MaxPending = cmp.Or(options.MaxPending, 10000)
	options.MaxInFlight = cmp.Or(options.MaxInFlight, 4)
	p := &Publisher{client: c, options: options, room: make(chan struct{}, options.MaxPending), queue: make(chan waiting, options.MaxPending),
		hurry: make(chan struct{}, 1), ended: make(chan struct{})}
	go p.collect()
	return p
}

// Publish takes an event, and waits for room while too many are under way. The channel gets one Result: when the event is stored durably, or
// was refused.
func (p *Publisher) Publish(ctx context.Context, event api.EventNew) (<-chan Result, error) {
	select {
	case p.room <- struct{}{}:
		return p.take(event)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TryPublish is Publish that fails with Full in place of waiting.
func (p *Publisher) TryPublish(event api.EventNew) (<-chan Result, error) {
	select {
	case p.room <- struct{}{}:
		return p.take(event)
	default:
		return nil, Full
	}
}

func (p *Publisher) take(event api.EventNew) (<-chan Result, error) {
	text, err := json.Marshal(event)
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	if err == nil && p.closed {
		err = Closed
	}
	if err != nil {
		<-p.room
		return nil, err
	}
	one := waiting{event, len(text), make(chan Result, 1)}
	p.pending.Add(1)
	p.queue <- one // has as many places as there is room
	return one.result, nil
}

// Flush waits until everything that was taken is answered.
func (p *Publisher) Flush() {
	select {
	case p.hurry <- struct{}{}:
	default:
	}
	p.pending.Wait()
}

// Close takes no more, and waits as Flush does.
func (p *Publisher) Close() {
	p.mutex.Lock()
	first := !p.closed
	p.closed = true
	p.mutex.Unlock()
	if first {
		close(p.queue)
	}
	<-p.ended
	p.pending.Wait()
}

// collect makes batches: of one tenant, not too many and not too long together.
func (p *Publisher) collect() {
	defer close(p.ended)
	slots := make(chan struct{}, p.options.MaxInFlight)
	var batch []waiting
	size := 0
	var timer <-chan time.Time
	send := func() {
		if len(batch) > 0 {
			slots <- struct{}{}
			go func(batch []waiting) {
				p.settle(batch)
				<-slots
			}(batch)
		}
		batch, size, timer = nil, 0, nil
	}
	for {
		select {
		case one, more := <-p.queue:
			if !more {
				send()
				return
			}
			if len(batch) > 0 && (size+one.size > p.options.MaxBatchBytes || !sameTenant(batch[0].event, one.event)) {
				send()
			}
			if batch = append(batch, one); len(batch) == 1 {
				timer = time.After(p.options.Linger)
			}
			if size += one.size; len(batch) >= p.options.MaxBatch {
				send()
			}
		case <-timer:
			send()
		case <-p.hurry:
			send()
		}
	}
}

func sameTenant(one, other api.EventNew) bool {
	if one.Tenant == nil || other.Tenant == nil {
		return one.Tenant == other.Tenant
	}
	return *one.Tenant == *other.Tenant
}

// settle sends a batch, which is taken as a whole or not at all: when it is refused, its events are sent one by one.
func (p *Publisher) settle(batch []waiting) {
	events := make([]api.EventNew, len(batch))
	for i, one := range batch {
		events[i] = one.event
	}
	answers, err := p.client.Events.PublishBatch(context.Background(), events)
	var refused *APIError
	if len(batch) > 1 && errors.As(err, &refused) && slices.Contains([]int{400, 404, 409, 413, 422}, refused.Status) {
		for i := range batch {
			p.settle(batch[i : i+1])
		}
		return
	}
	for i, one := range batch {
		if err == nil && i < len(answers) {
			one.result <- Result{Accepted: answers[i]}
		} else {
			one.result <- Result{Err: cmp.Or(err, error(Other))}
		}
		<-p.room
		p.pending.Done()
	}
}
