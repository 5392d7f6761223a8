// Package tenterhook is the client of Tenterhook, the webhook engine, and the verifier of what it sends.
//
// Client has what most programs need under short names; Client.API, made by oapi-codegen, has every route.
package tenterhook

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"strings"
	"time"

	"tenterhook.example/go/api"
)

// Options of a client. The zero value takes everything from the environment and the defaults.
type Options struct {
	// Server is where the server is. Default: TENTERHOOK_SERVER, else http://127.0.0.1:8420.
	Server string
	// Key is by default TENTERHOOK_KEY.
	Key string
	// Tenant, with the operator's key, is the tenant to act for.
	Tenant string
	// Timeout of one attempt. Default 10 s.
	Timeout time.Duration
	// Retries is how often a request that was not answered, or with 429 or 5xx, is made again. Default 4; less than 0: never.
	Retries int
	// FirstWait before the second attempt; it doubles from attempt to attempt, less up to a half by chance. Default 500 ms.
	FirstWait time.Duration
	// MaxWait between two attempts; a longer Retry-After is not waited for. Default 30 s.
	MaxWait time.Duration
	// Transport makes the attempts. Default http.DefaultTransport.
	Transport http.RoundTripper
}

// Client calls one server. It may be used by many goroutines.
type Client struct {
	// API has every route, with the same repetitions and keys.
	API        *api.Client
	Events     Events
	Webhooks   Webhooks
	Deliveries Deliveries
	Attempts   Attempts
	Replays    Replays
	Tenants    Tenants
}

// New makes a client; the zero Options are fine.
func New(options Options) (*Client, error) {
	server := strings.TrimRight(cmp.Or(options.Server, os.Getenv("TENTERHOOK_SERVER"), "http://127.0.0.1:8420"), "/")
	var inner http.RoundTripper = http.DefaultTransport
	if options.Transport != nil {
		inner = options.Transport
	}
	own := &transport{inner: inner, key: cmp.Or(options.Key, os.Getenv("TENTERHOOK_KEY")), tenant: options.Tenant,
		timeout: cmp.Or(options.Timeout, 10*time.Second), firstWait: cmp.Or(options.FirstWait, 500*time.Millisecond),
		maxWait: cmp.Or(options.MaxWait, 30*time.Second), retries: max(0, cmp.Or(options.Retries, 4))}
	made, err := api.NewClient(server, api.WithHTTPClient(&http.Client{Transport: own}))
	if err != nil {
		return nil, err
	}
	return &Client{made, Events{made}, Webhooks{made}, Deliveries{made}, Attempts{made}, Replays{made}, Tenants{made}}, nil
}

// Call is an option of one call.
type Call func(*http.Request)

// IdempotencyKey is sent in place of the one that each call makes for itself.
func IdempotencyKey(key string) Call {
	return func(request *http.Request) { request.Header.Set("Idempotency-Key", key) }
}

// IfMatch is the ETag that the object must still have.
func IfMatch(tag string) Call {
	return func(request *http.Request) { request.Header.Set("If-Match", tag) }
}

func edit(calls []Call) api.RequestEditorFn {
	return func(_ context.Context, request *http.Request) error {
		for _, call := range calls {
			call(request)
		}
		return nil
	}
}

// read gives the answer of a call.
func read[T any](response *http.Response, err error) (T, error) {
	var value T
	if err != nil {
		if own := (*ConnectionError)(nil); errors.As(err, &own) {
			err = own // without the wrapping of net/http
		}
		return value, err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return value, errorOf(response)
	}
	if response.StatusCode == 204 {
		return value, nil
	}
	if err := json.NewDecoder(response.Body).Decode(&value); err != nil {
		return value, &APIError{Kind: Other, Status: response.StatusCode, Detail: fmt.Sprintf("the answer is not what the API says (%v): is this the address of Tenterhook?", err)}
	}
	return value, nil
}

type none struct{}

func done(response *http.Response, err error) error {
	_, err = read[none](response, err)
	return err
}

// list asks for page after page.
func list[T any](fetch func(cursor *string) (*http.Response, error)) iter.Seq2[T, error] {
	type page struct {
		Data       []T     `json:"data"`
		NextCursor *string `json:"next_cursor"`
	}
	return func(yield func(T, error) bool) {
		var cursor *string
		for {
			answer, err := read[page](fetch(cursor))
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, row := range answer.Data {
				if !yield(row, nil) {
					return
				}
			}
			if cursor = answer.NextCursor; cursor == nil {
				return
			}
		}
	}
}

func query[T any](given *T) T {
	var value T
	if given != nil {
		value = *given
	}
	return value
}

// Ptr gives a pointer to a value, for the members of api's types that may be absent.
func Ptr[T any](value T) *T { return &value }

// Events are published, shown and erased.
type Events struct{ api *api.Client }

// Publish publishes an event; it is stored durably when the answer comes.
func (e Events) Publish(ctx context.Context, event api.EventNew, calls ...Call) (api.EventAccepted, error) {
	return read[api.EventAccepted](e.api.PublishEvent(ctx, nil, event, edit(calls)))
}

// PublishBatch publishes 1 to 1000 events of one tenant, all or none.
func (e Events) PublishBatch(ctx context.Context, events []api.EventNew, calls ...Call) ([]api.EventAccepted, error) {
	return read[[]api.EventAccepted](e.api.PublishEvents(ctx, nil, events, edit(calls)))
}

// List lists events, newest first; q may be nil.
func (e Events) List(ctx context.Context, q *api.ListEventsParams) iter.Seq2[api.Event, error] {
	return list[api.Event](func(cursor *string) (*http.Response, error) {
		own := query(q)
		own.Cursor = cursor
		return e.api.ListEvents(ctx, &own)
	})
}

// Get shows an event with its data and its deliveries.
func (e Events) Get(ctx context.Context, id string) (api.EventDetail, error) {
	return read[api.EventDetail](e.api.GetEvent(ctx, id, nil))
}

// Erase erases the content of an event; cancel ends deliveries that wait.
func (e Events) Erase(ctx context.Context, id string, cancel bool) error {
	return done(e.api.EraseEvent(ctx, id, &api.EraseEventParams{Cancel: &cancel}))
}

// Webhooks are the endpoints.
type Webhooks struct{ api *api.Client }

// Create registers an endpoint; the answer shows its secret.
func (w Webhooks) Create(ctx context.Context, webhook api.WebhookNew, calls ...Call) (api.WebhookCreated, error) {
	return read[api.WebhookCreated](w.api.CreateWebhook(ctx, nil, webhook, edit(calls)))
}

// List lists endpoints, newest first; q may be nil.
func (w Webhooks) List(ctx context.Context, q *api.ListWebhooksParams) iter.Seq2[api.Webhook, error] {
	return list[api.Webhook](func(cursor *string) (*http.Response, error) {
		own := query(q)
		own.Cursor = cursor
		return w.api.ListWebhooks(ctx, &own)
	})
}

// Get shows an endpoint.
func (w Webhooks) Get(ctx context.Context, id string) (api.Webhook, error) {
	return read[api.Webhook](w.api.GetWebhook(ctx, id, nil))
}

// Update changes the members that are given: an api.WebhookPatch, or a map in which nil resets one.
func (w Webhooks) Update(ctx context.Context, id string, changes any, calls ...Call) (api.Webhook, error) {
	body, err := json.Marshal(changes)
	if err != nil {
		return api.Webhook{}, err
	}
	return read[api.Webhook](w.api.UpdateWebhookWithBody(ctx, id, nil, "application/merge-patch+json", bytes.NewReader(body), edit(calls)))
}

// Delete deletes an endpoint; its pending deliveries are cancelled.
func (w Webhooks) Delete(ctx context.Context, id string, calls ...Call) error {
	return done(w.api.DeleteWebhook(ctx, id, nil, edit(calls)))
}

// Test sends a sample event to this endpoint alone; eventType may be empty.
func (w Webhooks) Test(ctx context.Context, id, eventType string) (api.Delivery, error) {
	var body api.WebhookTest
	if eventType != "" {
		body.Type = &eventType
	}
	return read[api.Delivery](w.api.TestWebhook(ctx, id, nil, body))
}

// Deliveries lists the deliveries of an endpoint, newest first; q may be nil.
func (w Webhooks) Deliveries(ctx context.Context, id string, q *api.ListWebhookDeliveriesParams) iter.Seq2[api.Delivery, error] {
	return list[api.Delivery](func(cursor *string) (*http.Response, error) {
		own := query(q)
		own.Cursor = cursor
		return w.api.ListWebhookDeliveries(ctx, id, &own)
	})
}

// Secrets shows the active secrets, newest first.
func (w Webhooks) Secrets(ctx context.Context, id string) ([]api.Secret, error) {
	answer, err := read[api.Secrets](w.api.GetSecrets(ctx, id, nil))
	return answer.Secrets, err
}

// RotateSecret makes or takes a new secret beside the old one, which ends after the overlap.
func (w Webhooks) RotateSecret(ctx context.Context, id string, rotation api.SecretRotate, calls ...Call) ([]api.Secret, error) {
	answer, err := read[api.Secrets](w.api.RotateSecret(ctx, id, nil, rotation, edit(calls)))
	return answer.Secrets, err
}

// RevokePreviousSecret ends the previous secret at once.
func (w Webhooks) RevokePreviousSecret(ctx context.Context, id string) error {
	return done(w.api.RevokePreviousSecret(ctx, id, nil))
}

// Retry makes everything that waits for another attempt due now.
func (w Webhooks) Retry(ctx context.Context, id string) (api.WebhookRetried, error) {
	return read[api.WebhookRetried](w.api.RetryWebhook(ctx, id, nil, api.Empty{}))
}

// Replay sends deliveries that have ended again.
func (w Webhooks) Replay(ctx context.Context, id string, replay api.ReplayNew, calls ...Call) (api.ReplayStarted, error) {
	return read[api.ReplayStarted](w.api.StartReplay(ctx, id, nil, replay, edit(calls)))
}

// Deliveries are events on their way to an endpoint.
type Deliveries struct{ api *api.Client }

// List lists deliveries, newest first; q may be nil.
func (d Deliveries) List(ctx context.Context, q *api.ListDeliveriesParams) iter.Seq2[api.Delivery, error] {
	return list[api.Delivery](func(cursor *string) (*http.Response, error) {
		own := query(q)
		own.Cursor = cursor
		return d.api.ListDeliveries(ctx, &own)
	})
}

// Get shows a delivery with its attempts.
func (d Deliveries) Get(ctx context.Context, id string) (api.DeliveryDetail, error) {
	return read[api.DeliveryDetail](d.api.GetDelivery(ctx, id, nil))
}

// Retry makes an attempt now.
func (d Deliveries) Retry(ctx context.Context, id string) (api.DeliveryQueued, error) {
	return read[api.DeliveryQueued](d.api.RetryDelivery(ctx, id, nil, api.Empty{}))
}

// Attempts are the requests of all deliveries.
type Attempts struct{ api *api.Client }

// List lists attempts, newest first; q may be nil.
func (a Attempts) List(ctx context.Context, q *api.ListAttemptsParams) iter.Seq2[api.AttemptRow, error] {
	return list[api.AttemptRow](func(cursor *string) (*http.Response, error) {
		own := query(q)
		own.Cursor = cursor
		return a.api.ListAttempts(ctx, &own)
	})
}

// Replays send finished deliveries again.
type Replays struct{ api *api.Client }

// List lists replays, newest first; q may be nil.
func (r Replays) List(ctx context.Context, q *api.ListReplaysParams) iter.Seq2[api.Replay, error] {
	return list[api.Replay](func(cursor *string) (*http.Response, error) {
		own := query(q)
		own.Cursor = cursor
		return r.api.ListReplays(ctx, &own)
	})
}

// Get shows the progress of a replay.
func (r Replays) Get(ctx context.Context, id string) (api.Replay, error) {
	return read[api.Replay](r.api.GetReplay(ctx, id, nil))
}

// Cancel stops a replay.
func (r Replays) Cancel(ctx context.Context, id string) error {
	return done(r.api.CancelReplay(ctx, id, nil))
}

// Tenants need the operator's key.
type Tenants struct{ api *api.Client }

// Put makes or changes a tenant.
func (t Tenants) Put(ctx context.Context, tenant string, settings api.TenantPut, calls ...Call) (api.Tenant, error) {
	return read[api.Tenant](t.api.PutTenant(ctx, tenant, nil, settings, edit(calls)))
}

// Get shows a tenant.
func (t Tenants) Get(ctx context.Context, tenant string) (api.Tenant, error) {
	return read[api.Tenant](t.api.GetTenant(ctx, tenant, nil))
}

// List lists tenants; q may be nil.
func (t Tenants) List(ctx context.Context, q *api.ListTenantsParams) iter.Seq2[api.Tenant, error] {
	return list[api.Tenant](func(cursor *string) (*http.Response, error) {
		own := query(q)
		own.Cursor = cursor
		return t.api.ListTenants(ctx, &own)
	})
}

// Delete deletes a tenant; erase also erases the content of its events.
func (t Tenants) Delete(ctx context.Context, tenant string, erase bool) error {
	return done(t.api.DeleteTenant(ctx, tenant, &api.DeleteTenantParams{Erase: &erase}))
}

// CreateKey makes a key; the answer shows its text, once.
func (t Tenants) CreateKey(ctx context.Context, tenant string, key api.KeyNew, calls ...Call) (api.KeyCreated, error) {
	return read[api.KeyCreated](t.api.CreateKey(ctx, tenant, nil, key, edit(calls)))
}

// ListKeys lists a tenant's keys, never their text.
func (t Tenants) ListKeys(ctx context.Context, tenant string) iter.Seq2[api.Key, error] {
	return list[api.Key](func(cursor *string) (*http.Response, error) {
		return t.api.ListKeys(ctx, tenant, &api.ListKeysParams{Cursor: cursor})
	})
}

// DeleteKey ends a key at once.
func (t Tenants) DeleteKey(ctx context.Context, tenant, id string) error {
	return done(t.api.DeleteKey(ctx, tenant, id))
}
