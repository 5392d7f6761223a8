// A receiver with net/http. Prints "listening PORT", takes {"secret"} a line, prints "event JSON".
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"

	tenterhook "tenterhook.example/go"
)

var current atomic.Pointer[tenterhook.WebhookVerifier] // of the test that is under way

func hook(w http.ResponseWriter, r *http.Request, event *tenterhook.Event) {
	raw, _ := io.ReadAll(r.Body)
	if !bytes.Equal(raw, event.Body) {
		panic("the raw body is lost")
	}
	shown, _ := json.Marshal(map[string]any{"id": event.ID, "data": event.Data})
	fmt.Printf("event %s\n", shown)
	w.WriteHeader(http.StatusNoContent)
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("listening %d\n", listener.Addr().(*net.TCPAddr).Port)
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); fmt.Println("ok") {
			var told struct{ Secret string }
			_ = json.Unmarshal(lines.Bytes(), &told)
			verifier, err := tenterhook.NewWebhookVerifier(told.Secret, "standard")
			if err != nil {
				panic(err)
			}
			current.Store(verifier)
		}
	}()
	http.HandleFunc("/hook", func(w http.ResponseWriter, r *http.Request) { current.Load().Handler(hook).ServeHTTP(w, r) })
	panic(http.Serve(listener, nil))
}
