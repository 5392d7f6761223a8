package tenterhook

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tenterhook.example/go/api"
)

// Kind is what an error is, the same word in every client of Tenterhook: errors.Is(err, tenterhook.NotFound).
type Kind string

const (
	BadRequest           Kind = "bad_request"
	Unauthorized         Kind = "unauthorized"
	Forbidden            Kind = "forbidden"
	NotFound             Kind = "not_found"
	Conflict             Kind = "conflict"
	PreconditionFailed   Kind = "precondition_failed"
	TooLarge             Kind = "too_large"
	UnsupportedMediaType Kind = "unsupported_media_type"
	Invalid              Kind = "invalid"
	RateLimited          Kind = "rate_limited"
	Unavailable          Kind = "unavailable"
	Other                Kind = "api"
	Connection           Kind = "connection"
	Timeout              Kind = "timeout"
	Full                 Kind = "full"
	Closed               Kind = "closed"
)

func (k Kind) Error() string { return "tenterhook: " + strings.ReplaceAll(string(k), "_", " ") }

var kinds = map[int]Kind{400: BadRequest, 401: Unauthorized, 403: Forbidden, 404: NotFound, 409: Conflict, 412: PreconditionFailed,
	413: TooLarge, 415: UnsupportedMediaType, 422: Invalid, 429: RateLimited}

// APIError is a refusal of the server: a problem as in RFC 9457.
type APIError struct {
	Kind   Kind
	Status int
	Title  string
	Detail string
	// RequestID is the one in the server's log.
	RequestID string
	// Errors names each wrong value of the request.
	Errors []api.Fault
	// RetryAfter is what the server asks to wait; 0: it does not.
	RetryAfter time.Duration
}

func (e *APIError) Error() string { return fmt.Sprintf("tenterhook: %d: %s", e.Status, e.Detail) }

// Is makes errors.Is(err, Kind) true.
func (e *APIError) Is(target error) bool { return target == e.Kind }

// ConnectionError says that there was no answer, or none in time.
type ConnectionError struct {
	Kind Kind
	Err  error
}

func (e *ConnectionError) Error() string { return fmt.Sprintf("tenterhook: no answer: %v", e.Err) }

// Is makes errors.Is(err, Kind) true.
func (e *ConnectionError) Is(target error) bool { return target == e.Kind }

// Unwrap gives the cause.
func (e *ConnectionError) Unwrap() error { return e.Err }

func errorOf(response *http.Response) error {
	kind, ok := kinds[response.StatusCode]
	if !ok {
		kind = Other
		if response.StatusCode >= 500 {
			kind = Unavailable
		}
	}
	var problem struct {
		Title     string      `json:"title"`
		Detail    string      `json:"detail"`
		RequestID string      `json:"request_id"`
		Errors    []api.Fault `json:"errors"`
	}
	body, _ := io.ReadAll(response.Body)
	_ = json.Unmarshal(body, &problem) // a proxy's page is no problem
	detail := problem.Detail
	if detail == "" {
		detail = "HTTP status " + strconv.Itoa(response.StatusCode)
	}
	if problem.RequestID == "" {
		problem.RequestID = response.Header.Get("Request-Id")
	}
	wait, _ := retryAfter(response.Header)
	return &APIError{kind, response.StatusCode, problem.Title, detail, problem.RequestID, problem.Errors, wait}
}

// retryAfter reads Retry-After: seconds, or a date.
func retryAfter(header http.Header) (time.Duration, bool) {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 30); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	return max(0, time.Until(at)), true
}
