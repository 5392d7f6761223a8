package tenterhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// HTTP message signatures (RFC 9421) with Content-Digest (RFC 9530) for the body, by the rules of the C library.
//
// A request may carry several signatures, each under a label. One is judged when it has the scheme's tag (none: no tag) and algorithm, says
// when it was made, and covers everything that the scheme says; of the scheme's headers those that the request has. Refused are what is no
// structured field (RFC 9651), a label or a parameter twice, components with parameters, and values with line ends.

const (
	mostSignatures = 8
	mostCovered    = 16
	mostParams     = 2048
)

var (
	fieldKey     = regexp.MustCompile(`^[a-z*][a-z0-9_\-.*]*`)
	fieldString  = regexp.MustCompile(`^"((?:[ !#-\[\]-~]|\\["\\])*)"`)
	fieldBytes   = regexp.MustCompile(`^:([A-Za-z0-9+/=]*):`)
	fieldItem    = regexp.MustCompile(`^(?:"(?:[ !#-\[\]-~]|\\["\\])*"|:[A-Za-z0-9+/=]*:|\?[01]|0|-?[1-9][0-9]{0,14}|[A-Za-z*][!#$%&'*+\-.^_\x60|~:/A-Za-z0-9]*)`)
	fieldDecimal = regexp.MustCompile(`^(?:0|[1-9][0-9]{0,14})$`)
	absoluteURL  = regexp.MustCompile(`(?s)^([^:/?#]+)://([^/?]*)(/[^?]*)(\?.*)?$`)
)

type scanner struct{ rest string }

func (s *scanner) eat(text string) bool {
	rest, found := strings.CutPrefix(s.rest, text)
	s.rest = rest
	return found
}

func (s *scanner) skip(white string) { s.rest = strings.TrimLeft(s.rest, white) }

// take gives what a pattern, or its group, has at the beginning, and takes it off.
func (s *scanner) take(pattern *regexp.Regexp) (string, bool) {
	found := pattern.FindStringSubmatch(s.rest)
	if found == nil {
		return "", false
	}
	s.rest = s.rest[len(found[0]):]
	return found[len(found)-1], true
}

// item takes an item without parameters; a number that only begins as one is none.
func (s *scanner) item() (string, bool) {
	text, ok := s.take(fieldItem)
	if ok && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9')) && s.rest != "" && strings.ContainsAny(s.rest[:1], "0123456789.") {
		return "", false
	}
	return text, ok
}

// dictionary calls member for each key, which takes what stands behind it; false where it cannot be read.
func dictionary(field string, member func(s *scanner, key string) bool) bool {
	s := &scanner{strings.TrimLeft(field, " ")}
	for first := true; ; first = false {
		if !first {
			s.skip(" \t")
			if s.rest == "" {
				return true
			}
			if !s.eat(",") {
				return false
			}
			s.skip(" \t")
		}
		key, ok := s.take(fieldKey)
		if !ok || !member(s, key) {
			return false
		}
	}
}

type param struct{ key, value string }

type messageInput struct {
	label, text string
	covered     []string
	usable      bool
	params      map[string]string
}

func (s *scanner) params() ([]param, bool) {
	var found []param
	for s.eat(";") {
		s.skip(" ")
		key, ok := s.take(fieldKey)
		value := "?1"
		if ok && s.eat("=") {
			value, ok = s.item()
		}
		if !ok {
			return nil, false
		}
		found = append(found, param{key, value})
	}
	return found, true
}

func written(params []param) string {
	var out strings.Builder
	for _, p := range params {
		out.WriteString(";" + p.key)
		if p.value != "?1" {
			out.WriteString("=" + p.value)
		}
	}
	return out.String()
}

func known(params []param) (map[string]string, bool) {
	found := map[string]string{}
	for _, p := range params {
		numeric, text := p.key == "created" || p.key == "expires", p.key == "alg" || p.key == "tag"
		_, twice := found[p.key]
		switch {
		case numeric && (twice || !fieldDecimal.MatchString(p.value)):
			return nil, false
		case numeric:
			found[p.key] = p.value
		case text || p.key == "keyid" || p.key == "nonce":
			if p.value[0] != '"' || (text && twice) {
				return nil, false
			}
			found[p.key] = p.value[1 : len(p.value)-1]
		}
	}
	return found, true
}

func readInputs(field string) ([]*messageInput, bool) {
	var found []*messageInput
	ok := dictionary(field, func(s *scanner, label string) bool {
		in := &messageInput{label: label, usable: true}
		if len(found) == mostSignatures || !s.eat("=") || !s.eat("(") ||
			slices.ContainsFunc(found, func(other *messageInput) bool { return other.label == label }) {
			return false
		}
		var pieces []string
		for s.skip(" "); !s.eat(")"); s.skip(" ") {
			name, ok := s.take(fieldString)
			if !ok || len(in.covered) == mostCovered {
				return false
			}
			own, ok := s.params()
			if !ok || s.rest == "" || (s.rest[0] != ' ' && s.rest[0] != ')') {
				return false
			}
			in.usable = in.usable && len(own) == 0 && !slices.Contains(in.covered, name)
			in.covered = append(in.covered, name)
			pieces = append(pieces, `"`+name+`"`+written(own))
		}
		params, ok := s.params()
		if !ok {
			return false
		}
		in.text = "(" + strings.Join(pieces, " ") + ")" + written(params)
		if in.params, ok = known(params); !ok || len(in.text) > mostParams {
			return false
		}
		found = append(found, in)
		return true
	})
	return found, ok
}

// memberBytes gives the bytes that a dictionary has under a key, in base64.
func memberBytes(field, wanted string) (text string, there, readable bool) {
	readable = dictionary(field, func(s *scanner, key string) bool {
		if !s.eat("=") {
			return false
		}
		bytes, ok := s.take(fieldBytes)
		if !ok || (key == wanted && there) {
			return false
		}
		if key == wanted {
			text, there = bytes, true
		}
		return true
	})
	return text, there, readable
}

func derived(name, method, url string) (string, bool) {
	if name == "@method" {
		return method, true
	}
	found := absoluteURL.FindStringSubmatch(url)
	if found == nil {
		return "", false
	}
	scheme, authority, path, query := found[1], found[2], found[3], found[4]
	switch name {
	case "@target-uri":
		return url, true
	case "@authority":
		port := ":80"
		if len(scheme) == 5 {
			port = ":443"
		}
		if authority != port {
			authority = strings.TrimSuffix(authority, port)
		}
		return strings.ToLower(authority), true
	case "@scheme":
		return strings.ToLower(scheme), true
	case "@request-target":
		return path + query, true
	case "@path":
		return path, true
	case "@query":
		if query == "" {
			query = "?"
		}
		return query, true
	}
	return "", false
}

func (v *WebhookVerifier) messageBase(in *messageInput, headers http.Header, method string) ([]byte, *SignatureError) {
	var base strings.Builder
	for _, name := range in.covered {
		var value string
		if strings.HasPrefix(name, "@") {
			if (name == "@method" && method == "") || (name != "@method" && v.url == "") {
				return nil, malformed("Signature-Input", "the signature covers the method or the URL, and none is given")
			}
			found, ok := derived(name, method, v.url)
			if !ok {
				return nil, malformed("Signature-Input", "covers a component that is unknown, or the URL is not absolute")
			}
			value = found
		} else {
			found, failed := one(headers, name)
			if failed != nil {
				return nil, failed
			}
			value = strings.Trim(found, " \t")
		}
		if strings.ContainsAny(value, "\r\n") {
			return nil, malformed("Signature-Input", "a covered value has a line end")
		}
		base.WriteString(`"` + name + `": ` + value + "\n")
	}
	return []byte(base.String() + `"@signature-params": ` + in.text), nil
}

func (v *WebhookVerifier) checkInput(in *messageInput, f *form, keys []key, headers http.Header, method, signatures string) *SignatureError {
	now, window := v.now().Unix(), int64(v.tolerance/time.Second)
	created, _ := strconv.ParseInt(in.params["created"], 10, 64)
	if text, there := in.params["expires"]; there {
		if expires, _ := strconv.ParseInt(text, 10, 64); now > expires {
			return &SignatureError{"too_old", "Signature-Input", "the signature has expired"}
		}
	}
	if window != 0 && now-created > window {
		return &SignatureError{"too_old", "Signature-Input", "signed too long ago: replayed, delayed, or a wrong clock"}
	}
	if window != 0 && now-created < -window {
		return &SignatureError{"too_new", "Signature-Input", "signed in the future: a wrong clock"}
	}
	message, failed := v.messageBase(in, headers, method)
	if failed != nil {
		return failed
	}
	text, there, readable := memberBytes(signatures, in.label)
	if !readable {
		return malformed("Signature", "is no dictionary of byte sequences")
	}
	if !there {
		return malformed("Signature", "has no signature of this label")
	}
	raw, ok := unbase64(text)
	if !ok || len(raw) > 64 {
		return malformed("Signature", "is not base64, or too long")
	}
	found := 0
	for _, k := range keys {
		if f.Algorithm == "ed25519" {
			if len(raw) == 64 && ed25519.Verify(k.public, message, raw) {
				found = 1
			}
			continue
		}
		mac := hmac.New(sha256.New, k.hmac)
		mac.Write(message)
		found |= subtle.ConstantTimeCompare(mac.Sum(nil), raw)
	}
	if found == 0 {
		return &SignatureError{"no_match", "Signature", "it was made with another secret, or for another method, URL or header"}
	}
	return nil
}

// concerns says whether a signature is one of the scheme, and covers what it says.
func (in *messageInput) concerns(f *form, headers http.Header) bool {
	if _, created := in.params["created"]; !in.usable || !created {
		return false
	}
	if algorithm, there := in.params["alg"]; there && algorithm != f.Algorithm {
		return false
	}
	if tag, there := in.params["tag"]; there != (f.Tag != "") || tag != f.Tag {
		return false
	}
	for _, name := range f.Components {
		if !slices.Contains(in.covered, name) && (name[0] == '@' || name == "content-digest" || has(headers, name)) {
			return false
		}
	}
	return true
}

func (v *WebhookVerifier) checkMessage(f *form, keys []key, body []byte, headers http.Header, method string) *SignatureError {
	field, failed := one(headers, "Signature-Input")
	if failed != nil {
		return failed
	}
	signatures, failed := one(headers, "Signature")
	if failed != nil {
		return failed
	}
	inputs, ok := readInputs(field)
	if !ok {
		return malformed("Signature-Input", "is not what RFC 9421 says, or has too many signatures, or a label twice")
	}
	failed = malformed("Signature-Input", "no signature of this scheme covers what the scheme says")
	for _, in := range inputs {
		if !in.concerns(f, headers) {
			continue
		}
		if failed = v.checkInput(in, f, keys, headers, method, signatures); failed == nil {
			break
		}
	}
	if failed != nil || !slices.Contains(f.Components, "content-digest") {
		return failed
	}
	return checkDigest(body, headers)
}

func checkDigest(body []byte, headers http.Header) *SignatureError {
	field, failed := one(headers, "Content-Digest")
	if failed != nil {
		return failed
	}
	text, there, readable := memberBytes(field, "sha-256")
	given, ok := unbase64(text)
	if !readable || !there || !ok || len(given) != sha256.Size {
		return malformed("Content-Digest", "has no SHA-256 as RFC 9530 writes it")
	}
	own := sha256.Sum256(body)
	if subtle.ConstantTimeCompare(own[:], given) == 0 {
		return &SignatureError{"no_match", "Content-Digest", "it is of other bytes: the body must be the raw one, not parsed and written again"}
	}
	return nil
}
