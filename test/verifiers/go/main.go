// Puts the printed handler behind net/http on a free port of loopback. Prints "listening PORT"; each line on standard
// input is {"secrets": {"tiro": ...}} and is answered "ok"; each event that the handler takes is printed as
// "handled {...}".
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
)

// WebhookEvent is the payload that the vendor's page describes; the page leaves the type to the reader.
type WebhookEvent struct {
	ID            string `json:"id"`
	Type          string `json:"type"`
	CreatedAt     string `json:"createdAt"`
	WorkspaceGUID string `json:"workspaceGuid"`
	Data          struct {
		ResourceType string          `json:"resourceType"`
		ResourceID   string          `json:"resourceId"`
		Resource     json.RawMessage `json:"resource"`
	} `json:"data"`
}

var output sync.Mutex

func say(line string) {
	output.Lock()
	defer output.Unlock()
	fmt.Println(line)
}

func handleWebhookEvent(event WebhookEvent) {
	text, err := json.Marshal(event)
	if err != nil {
		log.Fatal(err)
	}
	say("handled " + string(text))
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/en/developers/webhooks/tiro", handleWebhook)
	go func() { log.Fatal(http.Serve(listener, nil)) }()
	say(fmt.Sprintf("listening %d", listener.Addr().(*net.TCPAddr).Port))
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var command struct{ Secrets struct{ Tiro string } }
		if err := json.Unmarshal(lines.Bytes(), &command); err != nil {
			log.Fatal(err)
		}
		os.Setenv("WEBHOOK_SECRET", command.Secrets.Tiro)
		say("ok")
	}
}
