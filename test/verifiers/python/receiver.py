"""What Tiro's public page "Webhooks Overview" prints for Python and Flask, behind werkzeug's threaded server on a free
port of loopback.

Prints "listening PORT"; each line on standard input is {"secrets": {"tiro": ...}} and is answered "ok"; each event
that the handler takes is printed as "handled {...}".
"""
import json
import sys
import threading

from werkzeug.serving import make_server

# ---- printed, word for word; one line added: the app, which the page takes for granted ----
import os
from flask import Flask, request

app = Flask(__name__)


def verify_webhook_auth(auth_header, expected_secret):
    if not auth_header or not auth_header.startswith('Bearer '):
        return False
    token = auth_header.replace('Bearer ', '')
    return token == expected_secret

# Usage in your webhook endpoint
@app.route('/en/developers/webhooks/tiro', methods=['POST'])
def handle_webhook():
    auth_header = request.headers.get('Authorization')
    
    if not verify_webhook_auth(auth_header, os.getenv('WEBHOOK_SECRET')):
        return 'Unauthorized', 401
    
    # Process webhook event
    event = request.get_json()
    handle_webhook_event(event)
    
    return 'OK', 200
# ---- end ----


lock = threading.Lock()


def say(line):
    with lock:
        print(line, flush=True)


def handle_webhook_event(event):
    say("handled " + json.dumps(event))


def main():
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say(f"listening {server.server_port}")
    for line in sys.stdin:
        os.environ["WEBHOOK_SECRET"] = json.loads(line)["secrets"]["tiro"]
        say("ok")


main()
