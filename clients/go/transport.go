package tenterhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// transport gives each POST its Idempotency-Key and makes requests again until they are answered for good.
type transport struct {
	inner                       http.RoundTripper
	key, tenant                 string
	timeout, firstWait, maxWait time.Duration
	retries                     int
}

func isAgain(status int) bool {
	switch status {
	case 408, 429, 500, 502, 503, 504:
		return true
	}
	return false
}

func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (t *transport) RoundTrip(given *http.Request) (*http.Response, error) {
	request := given.Clone(given.Context())
	set := func(name, value string) {
		if value != "" && request.Header.Get(name) == "" {
			request.Header.Set(name, value)
		}
	}
	if t.key != "" {
		set("Authorization", "Bearer "+t.key)
	}
	set("Tenterhook-Tenant", t.tenant)
	if strings.HasPrefix(request.URL.Path, "/v1/webhooks") {
		set("Tenterhook-Form", "native") // what the types are, in every dialect
	}
	if request.Method == http.MethodPost {
		set("Idempotency-Key", uuid())
	}
	unanswered := false // an earlier attempt may have been carried out
	for attempt := 0; ; attempt++ {
		last := attempt >= t.retries
		response, err := t.once(request)
		asked, wait := false, time.Duration(0)
		switch {
		case err != nil:
			unanswered = true
			if last || given.Context().Err() != nil {
				return nil, err
			}
		case request.Method == http.MethodDelete && unanswered && response.StatusCode == 404:
			response.StatusCode, response.Status, response.Body = 204, "204 No Content", http.NoBody
			return response, nil
		default:
			again := isAgain(response.StatusCode) || (response.StatusCode == 409 && unanswered && request.Header.Get("Idempotency-Key") != "")
			wait, asked = retryAfter(response.Header)
			if last || !again || wait > t.maxWait {
				return response, nil
			}
		}
		step := min(t.maxWait, t.firstWait<<min(attempt, 20))
		if asked {
			wait += time.Duration(mathrand.Float64() * float64(min(step, time.Second)))
		} else {
			wait = time.Duration(float64(step) * (0.5 + mathrand.Float64()/2))
		}
		select {
		case <-time.After(wait):
		case <-given.Context().Done():
			return nil, given.Context().Err()
		}
	}
}

// once is one attempt, with the answer's body: an answer that breaks off is none.
func (t *transport) once(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(request.Context(), t.timeout)
	defer cancel()
	attempt := request.Clone(ctx)
	if request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return nil, err
		}
		attempt.Body = body
	}
	response, err := t.inner.RoundTrip(attempt)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(response.Body)
		_ = response.Body.Close()
	}
	if err == nil {
		response.Body = io.NopCloser(bytes.NewReader(body))
		return response, nil
	}
	if request.Context().Err() != nil {
		return nil, request.Context().Err()
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, &ConnectionError{Timeout, fmt.Errorf("none within %v: %s %s", t.timeout, request.Method, request.URL.Path)}
	}
	return nil, &ConnectionError{Connection, fmt.Errorf("%s %s: %w", request.Method, request.URL.Path, err)}
}
