// The runner makes the calls of ../../../conformance/ (README.md there): a command a line in, an answer a line out.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"time"

	tenterhook "tenterhook.example/go"
	"tenterhook.example/go/api"
)

type args struct {
	ID             string          `json:"id"`
	Key            string          `json:"key"`
	Type           string          `json:"type"`
	Body           json.RawMessage `json:"body"`
	Query          json.RawMessage `json:"query"`
	Most           *int            `json:"most"`
	IdempotencyKey *string         `json:"idempotency_key"`
	IfMatch        *string         `json:"if_match"`
	Count          int             `json:"count"`
	Wrong          []int           `json:"wrong"`
	Options        struct {
		MaxBatch   int `json:"max_batch"`
		MaxPending int `json:"max_pending"`
	} `json:"options"`
	Dialect    string      `json:"dialect"`
	Secrets    []string    `json:"secrets"`
	Headers    [][2]string `json:"headers"`
	BodyBase64 string      `json:"body_base64"`
	Now        int64       `json:"now"`
	Tolerance  int         `json:"tolerance"`
	URL        string      `json:"url"`
	Method     string      `json:"method"`
}

type command struct {
	Call   string `json:"call"`
	Args   args   `json:"args"`
	Client struct {
		Server, Key, Tenant string
		TimeoutMs           int  `json:"timeout_ms"`
		FirstWaitMs         int  `json:"first_wait_ms"`
		MaxWaitMs           int  `json:"max_wait_ms"`
		Retries             *int `json:"retries"`
	} `json:"client"`
}

func to[T any](text json.RawMessage) T {
	var value T
	if len(text) > 0 {
		if err := json.Unmarshal(text, &value); err != nil {
			panic(err)
		}
	}
	return value
}

func all[T any](rows iter.Seq2[T, error], most *int) (any, error) {
	found := []T{}
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		if found = append(found, row); most != nil && len(found) == *most {
			break
		}
	}
	return found, nil
}

func answer[T any](value T, err error) (any, error) { return value, err }

func params[T any](a args) *T {
	// The types of parameters have the names of the query in `json`.
	value := to[T](a.Query)
	return &value
}

func run(c command) (any, error) {
	ctx, a := context.Background(), c.Args
	if c.Call == "verify" {
		return verify(a)
	}
	options := tenterhook.Options{Server: c.Client.Server, Key: c.Client.Key, Tenant: c.Client.Tenant,
		Timeout: time.Duration(c.Client.TimeoutMs) * time.Millisecond, FirstWait: time.Duration(c.Client.FirstWaitMs) * time.Millisecond,
		MaxWait: time.Duration(c.Client.MaxWaitMs) * time.Millisecond}
	if c.Client.Retries != nil {
		if options.Retries = *c.Client.Retries; options.Retries == 0 {
			options.Retries = -1
		}
	}
	client, err := tenterhook.New(options)
	if err != nil {
		return nil, err
	}
	var calls []tenterhook.Call
	if a.IdempotencyKey != nil {
		calls = append(calls, tenterhook.IdempotencyKey(*a.IdempotencyKey))
	}
	if a.IfMatch != nil {
		calls = append(calls, tenterhook.IfMatch(*a.IfMatch))
	}
	switch c.Call {
	case "publisher":
		return publisher(client, a)
	case "publisher_full":
		return publisherFull(client, a)
	case "events.publish":
		return answer(client.Events.Publish(ctx, to[api.EventNew](a.Body), calls...))
	case "events.publish_batch":
		return answer(client.Events.PublishBatch(ctx, to[[]api.EventNew](a.Body), calls...))
	case "events.list":
		return all(client.Events.List(ctx, params[api.ListEventsParams](a)), a.Most)
	case "events.get":
		return answer(client.Events.Get(ctx, a.ID))
	case "webhooks.create":
		return answer(client.Webhooks.Create(ctx, to[api.WebhookNew](a.Body), calls...))
	case "webhooks.list":
		return all(client.Webhooks.List(ctx, params[api.ListWebhooksParams](a)), a.Most)
	case "webhooks.get":
		return answer(client.Webhooks.Get(ctx, a.ID))
	case "webhooks.update":
		return answer(client.Webhooks.Update(ctx, a.ID, to[map[string]any](a.Body), calls...))
	case "webhooks.delete":
		return nil, client.Webhooks.Delete(ctx, a.ID, calls...)
	case "webhooks.test":
		return answer(client.Webhooks.Test(ctx, a.ID, a.Type))
	case "webhooks.deliveries":
		return all(client.Webhooks.Deliveries(ctx, a.ID, params[api.ListWebhookDeliveriesParams](a)), a.Most)
	case "webhooks.secrets":
		return answer(client.Webhooks.Secrets(ctx, a.ID))
	case "webhooks.rotate_secret":
		return answer(client.Webhooks.RotateSecret(ctx, a.ID, to[api.SecretRotate](a.Body), calls...))
	case "webhooks.revoke_previous_secret":
		return nil, client.Webhooks.RevokePreviousSecret(ctx, a.ID)
	case "webhooks.retry":
		return answer(client.Webhooks.Retry(ctx, a.ID))
	case "webhooks.replay":
		return answer(client.Webhooks.Replay(ctx, a.ID, to[api.ReplayNew](a.Body), calls...))
	case "deliveries.list":
		return all(client.Deliveries.List(ctx, params[api.ListDeliveriesParams](a)), a.Most)
	case "deliveries.get":
		return answer(client.Deliveries.Get(ctx, a.ID))
	case "deliveries.retry":
		return answer(client.Deliveries.Retry(ctx, a.ID))
	case "attempts.list":
		return all(client.Attempts.List(ctx, nil), a.Most)
	case "replays.list":
		return all(client.Replays.List(ctx, nil), a.Most)
	case "tenants.put":
		return answer(client.Tenants.Put(ctx, a.ID, to[api.TenantPut](a.Body), calls...))
	case "tenants.get":
		return answer(client.Tenants.Get(ctx, a.ID))
	case "tenants.delete":
		return nil, client.Tenants.Delete(ctx, a.ID, false)
	case "tenants.create_key":
		return answer(client.Tenants.CreateKey(ctx, a.ID, to[api.KeyNew](a.Body), calls...))
	case "tenants.list_keys":
		return all(client.Tenants.ListKeys(ctx, a.ID), a.Most)
	case "tenants.delete_key":
		return nil, client.Tenants.DeleteKey(ctx, a.ID, a.Key)
	}
	return nil, fmt.Errorf("the runner has no call %s", c.Call)
}

func event(number int, wrong []int) api.EventNew {
	made := api.EventNew{Type: "a.b", Data: map[string]int{"i": number}}
	for _, one := range wrong {
		if one == number {
			made.Type = "no type"
		}
	}
	return made
}

func publisher(client *tenterhook.Client, a args) (any, error) {
	made := client.Publisher(tenterhook.PublisherOptions{MaxBatch: a.Options.MaxBatch})
	var results []<-chan tenterhook.Result
	for i := range a.Count {
		result, err := made.Publish(context.Background(), event(i, a.Wrong))
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	made.Close()
	accepted, failed := 0, []string{}
	for _, result := range results {
		one := <-result
		var refused *tenterhook.APIError
		if errors.As(one.Err, &refused) {
			failed = append(failed, string(refused.Kind))
		} else if one.Err == nil && one.Accepted.ID != "" {
			accepted++
		}
	}
	return map[string]any{"accepted": accepted, "failed": failed}, nil
}

func publisherFull(client *tenterhook.Client, a args) (any, error) {
	made := client.Publisher(tenterhook.PublisherOptions{MaxBatch: a.Options.MaxBatch, MaxPending: a.Options.MaxPending})
	refused := 0
	for i := range a.Count {
		if _, err := made.TryPublish(event(i, nil)); errors.Is(err, tenterhook.Full) {
			refused++
		}
	}
	made.Close()
	return map[string]int{"taken": a.Count - refused, "refused": refused}, nil
}

type configuration struct{ error }

func verify(a args) (any, error) {
	verifier, err := tenterhook.NewWebhookVerifierOf(a.Secrets, a.Dialect, tenterhook.Tolerance(time.Duration(a.Tolerance)*time.Second), tenterhook.URL(a.URL),
		tenterhook.Now(func() time.Time { return time.Unix(a.Now, 0) }))
	if err != nil {
		return nil, configuration{err}
	}
	headers := http.Header{}
	for _, pair := range a.Headers {
		headers.Add(pair[0], pair[1])
	}
	body, err := base64.StdEncoding.DecodeString(a.BodyBase64)
	if err != nil {
		return nil, err
	}
	event, err := verifier.ConstructEventOf(a.Method, body, headers)
	if err != nil {
		return nil, err
	}
	shown := map[string]any{"data": event.Data, "protects": verifier.ProtectsAgainstReplay()}
	for name, value := range map[string]string{"id": event.ID, "type": event.Type, "resource_type": event.ResourceType, "resource_id": event.ResourceID,
		"endpoint_id": event.EndpointID, "delivery_id": event.DeliveryID} {
		if value != "" {
			shown[name] = value
		}
	}
	if !event.Time.IsZero() {
		shown["time"] = event.Time.Unix()
	}
	return shown, nil
}

func shown(err error) map[string]any {
	var refused *tenterhook.APIError
	var lost *tenterhook.ConnectionError
	var bad *tenterhook.SignatureError
	var wrong configuration
	switch {
	case errors.As(err, &refused):
		made := map[string]any{"kind": refused.Kind, "status": refused.Status, "detail": refused.Detail, "request_id": refused.RequestID, "errors": refused.Errors}
		if refused.RetryAfter > 0 {
			made["retry_after"] = refused.RetryAfter.Seconds()
		}
		return made
	case errors.As(err, &lost):
		return map[string]any{"kind": lost.Kind}
	case errors.As(err, &bad):
		return map[string]any{"kind": "signature", "code": bad.Code}
	case errors.As(err, &wrong):
		return map[string]any{"kind": "configuration", "detail": err.Error()}
	}
	return map[string]any{"kind": "unexpected", "detail": err.Error()}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		value, err := run(to[command](lines.Bytes()))
		if err != nil {
			_ = out.Encode(map[string]any{"error": shown(err)})
		} else {
			_ = out.Encode(map[string]any{"ok": value})
		}
	}
}
