package tenterhook

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

//go:embed dialects.json
var dialectsJSON []byte

type form struct {
	Header    string   `json:"header"`
	Algorithm string   `json:"algorithm"`
	Key       string   `json:"key"`
	Encoding  string   `json:"encoding"`
	Timestamp string   `json:"timestamp"`
	Content   []string `json:"content"`
	Item      []string `json:"item"`
	Join      string   `json:"join"`
	StampItem []string `json:"stamp_item"`
	Wrap      []string `json:"wrap"`
	// Of encoding http-message: what a signature has to cover, and its tag.
	Components []string `json:"components"`
	Tag        string   `json:"tag"`
}

type scheme struct {
	SchemaVersion string `json:"schema_version"`
	Forms         []form `json:"forms"`
	Auth          *struct {
		Header string   `json:"header"`
		Value  []string `json:"value"`
	} `json:"auth"`
	Sources []struct {
		Header   string `json:"header"`
		Variable string `json:"variable"`
	} `json:"sources"`
	Paths            map[string][]string `json:"paths"`
	TimeMillis       bool                `json:"time_millis"`
	Resources        map[string]string   `json:"resources"`
	ResourcePrefixes map[string]string   `json:"resource_prefixes"`
}

var dialects = sync.OnceValue(func() map[string]*scheme {
	var read map[string]*scheme
	if err := json.Unmarshal(dialectsJSON, &read); err != nil {
		panic(err) // of the package itself
	}
	return read
})

// DialectNames are the dialects that are built in.
func DialectNames() []string { return slices.Sorted(maps.Keys(dialects())) }

// SignatureError says that the request is not one that the sender made: answer 400 or 401.
type SignatureError struct {
	// Code is missing_header, malformed, too_old, too_new, no_match or bad_event.
	Code string
	// Header is where.
	Header  string
	Message string
}

func (e *SignatureError) Error() string {
	if e.Header == "" {
		return e.Message
	}
	return e.Header + ": " + e.Message
}

// Event is a verified event. Data is what was published, Body the whole JSON as the dialect writes it.
type Event struct {
	ID, Type                 string
	Time                     time.Time // zero: none
	Data, Body               json.RawMessage
	ResourceType, ResourceID string
	EndpointID, DeliveryID   string
}

type key struct {
	algorithm, kind string
	hmac            []byte
	public          ed25519.PublicKey
}

// WebhookVerifier verifies the requests of one endpoint. It may be used by many goroutines.
//
// The rules are those of the C library (docs/receiving.md): a content that could be split in two ways, a header that is there twice, a
// signature in another spelling and a time outside the window are refused, and every comparison takes constant time.
type WebhookVerifier struct {
	scheme    *scheme
	keys      []key
	digests   [][32]byte
	tolerance time.Duration
	url       string
	now       func() time.Time
}

// VerifierOption changes a verifier.
type VerifierOption func(*WebhookVerifier)

// Tolerance is how old, and how far in the future, a signed time may be; 0: any. Default 5 minutes.
func Tolerance(d time.Duration) VerifierOption { return func(v *WebhookVerifier) { v.tolerance = d } }

// URL of this receiver as it was registered, for dialects that sign it.
func URL(url string) VerifierOption { return func(v *WebhookVerifier) { v.url = url } }

// Now is the clock.
func Now(now func() time.Time) VerifierOption { return func(v *WebhookVerifier) { v.now = now } }

// NewWebhookVerifier makes a verifier of one secret.
func NewWebhookVerifier(secret, dialect string, options ...VerifierOption) (*WebhookVerifier, error) {
	return NewWebhookVerifierOf([]string{secret}, dialect, options...)
}

// NewWebhookVerifierOf makes a verifier of several secrets, while one is rotated. For a dialect of Ed25519 the public key is enough.
func NewWebhookVerifierOf(secrets []string, dialect string, options ...VerifierOption) (*WebhookVerifier, error) {
	found, ok := dialects()[dialect]
	if !ok {
		return nil, fmt.Errorf("tenterhook: there is no dialect %q; there are %s", dialect, strings.Join(DialectNames(), ", "))
	}
	v := &WebhookVerifier{scheme: found, tolerance: 300 * time.Second, now: time.Now}
	for _, option := range options {
		option(v)
	}
	for _, f := range found.Forms {
		covers := slices.ContainsFunc(f.Components, func(name string) bool { return name[0] == '@' && name != "@method" })
		if v.url == "" && (covers || slices.Contains(f.Content, "{endpoint.url}")) {
			return nil, fmt.Errorf("tenterhook: the dialect %s signs the URL of the endpoint: give it by URL()", dialect)
		}
	}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("tenterhook: a verifier needs a secret")
	}
	for number, text := range secrets {
		if text == "" {
			return nil, fmt.Errorf("tenterhook: a secret is empty")
		}
		v.digests = append(v.digests, sha256.Sum256([]byte(text)))
		fits := len(found.Forms) == 0
		seen := map[[2]string]bool{}
		for _, f := range found.Forms {
			if made := makeKey(f, text); made != nil && !seen[[2]string{f.Algorithm, f.Key}] {
				v.keys = append(v.keys, *made)
				fits = true
			}
			seen[[2]string{f.Algorithm, f.Key}] = true
		}
		if !fits {
			return nil, fmt.Errorf("tenterhook: secret %d does not have the form of the secrets of the dialect %s", number+1, dialect)
		}
	}
	return v, nil
}

// ProtectsAgainstReplay says whether an old request that somebody sends again is recognised: only where the scheme signs a time.
func (v *WebhookVerifier) ProtectsAgainstReplay() bool {
	for _, f := range v.scheme.Forms {
		if !slices.Contains(f.Content, "{ts}") {
			return false
		}
	}
	return len(v.scheme.Forms) > 0 && v.tolerance != 0
}

// ConstructEvent verifies a POST request and gives its event. rawBody are the bytes as they came. The error is a *SignatureError.
func (v *WebhookVerifier) ConstructEvent(rawBody []byte, headers http.Header) (*Event, error) {
	return v.ConstructEventOf(http.MethodPost, rawBody, headers)
}

// ConstructEventOf does the same with a request of another method, which HTTP message signatures (RFC 9421) cover.
func (v *WebhookVerifier) ConstructEventOf(method string, rawBody []byte, headers http.Header) (*Event, error) {
	if v.scheme.Auth != nil {
		if err := v.checkAuth(headers); err != nil {
			return nil, err
		}
	}
	if len(v.scheme.Forms) > 0 {
		if err := v.checkForms(rawBody, headers, method); err != nil {
			return nil, err
		}
	}
	event, err := readEvent(v.scheme, rawBody, headers)
	if err != nil {
		return nil, err
	}
	return event, nil
}

// Receive reads and verifies a request of net/http, whose body has at most 8 MiB; the body can be read again afterwards.
func (v *WebhookVerifier) Receive(request *http.Request) (*Event, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, request.Body, 8<<20))
	if err != nil {
		return nil, err
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	return v.ConstructEventOf(request.Method, body, request.Header)
}

// Handler is an http.Handler that verifies and calls then; what is not the sender's is answered 401 with the reason.
func (v *WebhookVerifier) Handler(then func(http.ResponseWriter, *http.Request, *Event)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := v.Receive(r)
		if _, ok := err.(*SignatureError); ok {
			http.Error(w, err.Error(), http.StatusUnauthorized)
		} else if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		} else {
			then(w, r, event)
		}
	})
}

func malformed(header, message string) *SignatureError {
	return &SignatureError{"malformed", header, message}
}

// one gives a header that must be there once.
func one(headers http.Header, name string) (string, *SignatureError) {
	found := headers[textproto.CanonicalMIMEHeaderKey(name)]
	switch len(found) {
	case 0:
		return "", &SignatureError{"missing_header", name, "the header is not there"}
	case 1:
		return found[0], nil
	}
	return "", malformed(name, "the header is there twice")
}

func has(headers http.Header, name string) bool {
	return len(headers[textproto.CanonicalMIMEHeaderKey(name)]) > 0
}

func (v *WebhookVerifier) checkAuth(headers http.Header) *SignatureError {
	name := v.scheme.Auth.Header
	text, failed := one(headers, name)
	if failed != nil {
		return failed
	}
	values, ok := match(v.scheme.Auth.Value, text)
	if !ok {
		return malformed(name, "the header does not have the form of the scheme")
	}
	digest, found := sha256.Sum256([]byte(values["secret"])), 0
	for _, own := range v.digests {
		found |= subtle.ConstantTimeCompare(digest[:], own[:])
	}
	if found == 0 {
		return &SignatureError{"no_match", name, "not one of the secrets"}
	}
	return nil
}

var rank = []string{"too_old", "too_new", "no_match", "malformed", "missing_header", "bad_event"}

func (v *WebhookVerifier) checkForms(body []byte, headers http.Header, method string) *SignatureError {
	var best *SignatureError
	for i := range v.scheme.Forms {
		f := &v.scheme.Forms[i]
		var keys []key
		for _, k := range v.keys {
			if k.algorithm == f.Algorithm && k.kind == f.Key {
				keys = append(keys, k)
			}
		}
		if len(keys) == 0 {
			continue
		}
		var failed *SignatureError
		if f.Encoding == "http-message" {
			failed = v.checkMessage(f, keys, body, headers, method)
		} else {
			failed = v.checkForm(f, keys, body, headers)
		}
		if failed == nil {
			return nil
		}
		if best == nil || slices.Index(rank, failed.Code) < slices.Index(rank, best.Code) {
			best = failed
		}
	}
	return best
}

func (v *WebhookVerifier) checkForm(f *form, keys []key, body []byte, headers http.Header) *SignatureError {
	text, failed := one(headers, f.Header)
	if failed != nil {
		return failed
	}
	values := map[string]string{"schema.version": v.scheme.SchemaVersion, "endpoint.url": v.url}
	signatures, failed := readHeader(f, text, values)
	if failed != nil {
		return failed
	}
	wanted := map[string]bool{}
	for _, piece := range f.Content {
		if name, ok := variable(piece); ok && name != "body" {
			if _, known := values[name]; !known {
				wanted[name] = true
			}
		}
	}
	for _, source := range v.scheme.Sources {
		known, there := values[source.Variable]
		if !wanted[source.Variable] || (there && !has(headers, source.Header)) {
			continue
		}
		value, failed := one(headers, source.Header)
		if failed != nil {
			return failed
		}
		if value == "" {
			return malformed(source.Header, "the header is empty")
		}
		if there && known != value {
			return malformed(source.Header, "another header gives a different value for the same field")
		}
		values[source.Variable] = value
	}
	if failed := v.checkTime(f, values); failed != nil {
		return failed
	}
	if ambiguous(f.Content, values, body) {
		return malformed(f.Header, "id, time and body could be separated in more than one way")
	}
	var content []byte
	for _, piece := range f.Content {
		if name, ok := variable(piece); !ok {
			content = append(content, piece...)
		} else if name == "body" {
			content = append(content, body...)
		} else {
			content = append(content, values[name]...)
		}
	}
	found := false
	if f.Algorithm == "ed25519" {
		if len(signatures) > 32 {
			return malformed(f.Header, "the header has too many signatures")
		}
		found = matchesEd25519(f, keys, content, signatures)
	} else {
		found = matchesHMAC(f, keys, content, signatures)
	}
	if !found {
		return &SignatureError{"no_match", f.Header, "it was made with another secret or for other bytes: the body must be the raw one, not parsed and written again"}
	}
	return nil
}

func (v *WebhookVerifier) checkTime(f *form, values map[string]string) *SignatureError {
	if !slices.Contains(f.Content, "{ts}") {
		return nil // a time that is not signed proves nothing
	}
	ts, there := values["ts"]
	if !there {
		return malformed(f.Header, "the header has no time")
	}
	var seconds int64
	at, ok := time.Time{}, false
	if f.Timestamp == "rfc3339" {
		at, ok = rfc3339(ts)
		seconds = at.Unix()
	} else {
		seconds, ok = decimal(ts)
	}
	if !ok {
		return malformed(f.Header, "the time is not written as the scheme writes it")
	}
	if f.Timestamp == "unix_millis" {
		seconds /= 1000
	}
	age, window := v.now().Unix()-seconds, int64(v.tolerance/time.Second)
	if window != 0 && age > window {
		return &SignatureError{"too_old", f.Header, "signed too long ago: replayed, delayed, or a wrong clock"}
	}
	if window != 0 && age < -window {
		return &SignatureError{"too_new", f.Header, "signed in the future: a wrong clock, or not in seconds"}
	}
	return nil
}

func variable(piece string) (string, bool) {
	if len(piece) > 2 && piece[0] == '{' {
		return piece[1 : len(piece)-1], true
	}
	return "", false
}

// match gives the values that the variables of a template have in a text.
func match(template []string, text string) (map[string]string, bool) {
	values := map[string]string{}
	for i, piece := range template {
		name, ok := variable(piece)
		if !ok {
			if !strings.HasPrefix(text, piece) {
				return nil, false
			}
			text = text[len(piece):]
			continue
		}
		end := len(text)
		if i+1 < len(template) && name == "items" {
			end = strings.LastIndex(text, template[i+1])
		} else if i+1 < len(template) {
			end = strings.Index(text, template[i+1])
		}
		if end < 0 {
			return nil, false
		}
		values[name], text = text[:end], text[end:]
	}
	return values, text == ""
}

var macBytes = map[string]int{"hmac-sha1": 20, "hmac-sha256": 32, "hmac-sha512": 64, "ed25519": 64}

// readHeader gives the signatures of a header, in their encoding, and puts its time into values. Elements of other forms are passed over.
func readHeader(f *form, text string, values map[string]string) ([]string, *SignatureError) {
	n := macBytes[f.Algorithm]
	length := 2 * n
	if f.Encoding == "base64" {
		length = base64.StdEncoding.EncodedLen(n)
	}
	var signatures []string
	wrongLength := false
	if f.Wrap != nil {
		outer, ok := match(f.Wrap, text)
		if !ok {
			return nil, malformed(f.Header, "the header does not have the form of the scheme")
		}
		if ts, there := outer["ts"]; there {
			values["ts"] = ts
		}
		text = outer["items"]
	}
	parts := []string{text}
	if f.Join != "" {
		parts = strings.Split(text, f.Join)
	}
	for _, part := range parts {
		if f.StampItem != nil {
			if stamp, ok := match(f.StampItem, part); ok {
				if _, there := values["ts"]; there {
					return nil, malformed(f.Header, "the header has two times")
				}
				values["ts"] = stamp["ts"]
				continue
			}
		}
		item, ok := match(f.Item, part)
		if !ok {
			continue
		}
		if len(item["sig"]) != length {
			wrongLength = true
			continue
		}
		if ts, there := item["ts"]; there {
			if known, before := values["ts"]; before && known != ts {
				return nil, malformed(f.Header, "the header has two times")
			}
			values["ts"] = ts
		}
		signatures = append(signatures, item["sig"])
	}
	if len(signatures) == 0 {
		if wrongLength {
			return nil, malformed(f.Header, "the signature does not have the length of the algorithm's signatures")
		}
		return nil, malformed(f.Header, "the header has no signature of a form that this scheme knows")
	}
	return signatures, nil
}

// ambiguous says whether another split of the same content could have been signed.
func ambiguous(content []string, values map[string]string, body []byte) bool {
	before := false // a variable stands before the time
	for i, piece := range content {
		name, ok := variable(piece)
		if !ok || name == "body" {
			continue
		}
		literal := ""
		if i+1 < len(content) {
			if _, next := variable(content[i+1]); !next {
				literal = content[i+1]
			}
		}
		if name == "ts" {
			behind := i + 1
			if literal != "" {
				behind++
			}
			if behind < len(content) && content[behind] == "{body}" && (before || literal == "") {
				rest := bytes.TrimLeft(body, "0123456789")
				if len(rest) < len(body) && bytes.HasPrefix(rest, []byte(literal)) {
					return true
				}
			}
			continue
		}
		if literal != "" && strings.Contains(values[name], literal) {
			return true
		}
		before = true
	}
	return false
}

func matchesHMAC(f *form, keys []key, content []byte, signatures []string) bool {
	makers := map[string]func() hash.Hash{"hmac-sha1": sha1.New, "hmac-sha256": sha256.New, "hmac-sha512": sha512.New}
	found := 0
	for _, k := range keys {
		mac := hmac.New(makers[f.Algorithm], k.hmac)
		mac.Write(content)
		own := hex.EncodeToString(mac.Sum(nil))
		if f.Encoding == "base64" {
			own = base64.StdEncoding.EncodeToString(mac.Sum(nil))
		}
		for _, text := range signatures {
			found |= subtle.ConstantTimeCompare([]byte(own), []byte(text))
		}
	}
	return found == 1
}

func matchesEd25519(f *form, keys []key, content []byte, signatures []string) bool {
	found := false
	for _, text := range signatures {
		raw, ok := unbase64(text)
		if f.Encoding == "hex" {
			raw, ok = unhex(text)
			ok = ok && hex.EncodeToString(raw) == text
		}
		if !ok || len(raw) != ed25519.SignatureSize {
			continue
		}
		for _, k := range keys {
			found = ed25519.Verify(k.public, content, raw) || found
		}
	}
	return found
}

// makeKey gives the key that a secret is for a form; nil: it is of another form.
func makeKey(f form, text string) *key {
	made := &key{algorithm: f.Algorithm, kind: f.Key}
	var raw []byte
	ok := true
	private := strings.HasPrefix(text, "whsk_")
	switch f.Key {
	case "utf8":
		raw = []byte(text)
	case "hex":
		raw, ok = unhex(text)
	case "whsec":
		raw, ok = unbase64(strings.TrimPrefix(text, "whsec_"))
	case "whsk":
		if !private && !strings.HasPrefix(text, "whpk_") {
			return nil
		}
		raw, ok = unbase64(text[5:])
	default:
		raw, ok = unbase64(text)
	}
	switch {
	case !ok || len(raw) == 0:
		return nil
	case f.Algorithm != "ed25519":
		made.hmac = raw
	case f.Key == "whsk" && private && (len(raw) == 32 || len(raw) == 64):
		made.public = ed25519.NewKeyFromSeed(raw[:32]).Public().(ed25519.PublicKey)
	case len(raw) == 32:
		made.public = raw
	default:
		return nil
	}
	return made
}

func unhex(text string) ([]byte, bool) {
	raw, err := hex.DecodeString(text)
	return raw, err == nil
}

// unbase64 takes one spelling of its bytes, with or without padding.
func unbase64(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	raw, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(text, "="))
	return raw, err == nil
}

var decimalForm = regexp.MustCompile(`^(0|[1-9][0-9]{0,14})$`)
var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$`)

func decimal(text string) (int64, bool) {
	if !decimalForm.MatchString(text) {
		return 0, false
	}
	value, err := strconv.ParseInt(text, 10, 64)
	return value, err == nil
}

func rfc3339(text string) (time.Time, bool) {
	if !timeForm.MatchString(text) {
		return time.Time{}, false
	}
	text = strings.ToUpper(text)
	if text[17:19] == "60" { // a leap second counts as the one before
		text = text[:17] + "59" + text[19:]
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	return at, err == nil && at.Unix() >= 0
}

func badEvent(message string) *SignatureError { return &SignatureError{"bad_event", "", message} }

// at gives the value at a path of a body; nil: there is none, or null.
func at(body json.RawMessage, path []string) json.RawMessage {
	if len(path) == 0 {
		return nil
	}
	for _, name := range path {
		var object map[string]json.RawMessage
		if json.Unmarshal(body, &object) != nil {
			return nil
		}
		body = object[name]
	}
	if string(body) == "null" {
		return nil
	}
	return body
}

// asText gives a string as it is, a number as it is written, null as nothing.
func asText(value json.RawMessage) (string, bool) {
	if value == nil {
		return "", true
	}
	if value[0] == '-' || (value[0] >= '0' && value[0] <= '9') {
		return string(value), true
	}
	var text string
	return text, value[0] == '"' && json.Unmarshal(value, &text) == nil
}

func timeOf(s *scheme, value json.RawMessage) (time.Time, *SignatureError) {
	if value == nil {
		return time.Time{}, nil
	}
	text, _ := asText(value)
	moment, ok := rfc3339(text)
	if value[0] != '"' {
		var seconds int64
		if seconds, ok = decimal(text); s.TimeMillis {
			moment = time.UnixMilli(seconds).UTC()
		} else {
			moment = time.Unix(seconds, 0).UTC()
		}
	}
	if ok && moment.Year() <= 9999 {
		return moment, nil
	}
	if s.Paths["data"] == nil {
		return time.Time{}, nil // the publisher's own member
	}
	return time.Time{}, badEvent("the time of the event is neither RFC 3339 nor unix seconds")
}

func readEvent(s *scheme, raw []byte, headers http.Header) (*Event, *SignatureError) {
	if !json.Valid(raw) || !utf8.Valid(raw) {
		return nil, badEvent("the body is not JSON")
	}
	body := json.RawMessage(bytes.TrimSpace(raw))
	if body[0] != '{' {
		return nil, badEvent("the body is not a JSON object")
	}
	event := &Event{Body: body, Data: body}
	fields := map[string]*string{"id": &event.ID, "type": &event.Type, "resource_type": &event.ResourceType, "resource_id": &event.ResourceID,
		"endpoint_id": &event.EndpointID, "delivery_id": &event.DeliveryID}
	for name, field := range fields {
		text, ok := asText(at(body, s.Paths[name]))
		if !ok {
			return nil, badEvent("a field of the event is neither a string nor a number")
		}
		*field = text
	}
	var failed *SignatureError
	if event.Time, failed = timeOf(s, at(body, s.Paths["time"])); failed != nil {
		return nil, failed
	}
	for _, source := range s.Sources {
		name := strings.ReplaceAll(strings.TrimPrefix(source.Variable, "event."), ".", "_")
		if source.Variable == "ts" || !has(headers, source.Header) {
			continue
		}
		value, failed := one(headers, source.Header)
		if failed != nil {
			return nil, failed
		}
		if moment, ok := rfc3339(value); name == "time" && ok && event.Time.IsZero() {
			event.Time = moment
		} else if field := fields[name]; field != nil && *field == "" {
			*field = value
		}
	}
	if event.ResourceType == "" {
		event.ResourceType = s.Resources[event.Type]
		for prefix, resource := range s.ResourcePrefixes {
			if event.ResourceType == "" && strings.HasPrefix(event.Type, prefix) {
				event.ResourceType = resource
			}
		}
	}
	if path := s.Paths["data"]; path != nil {
		event.Data = at(body, path)
	}
	if id, ok := asText(at(event.Data, []string{"id"})); ok && event.ResourceID == "" {
		event.ResourceID = id
	}
	return event, nil
}
