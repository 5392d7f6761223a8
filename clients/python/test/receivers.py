"""A receiver with the adapter that its argument names. Prints "listening PORT", takes {"secret"} a line, prints "event JSON"."""
import json
import socket
import sys
import threading

from tenterhook import WebhookEvent, WebhookVerifier


class Current:
    """The verifier of the test that is under way."""

    made = None

    def construct_event(self, *given):
        return self.made.construct_event(*given)


current, listener = Current(), socket.create_server(("127.0.0.1", 0))


def say(event, raw):
    assert json.loads(raw) == event.body, "the raw body is lost"
    print("event", json.dumps({"id": event.id, "data": event.data}), flush=True)


def commands():
    for line in sys.stdin:
        current.made = WebhookVerifier(json.loads(line)["secret"])
        print("ok", flush=True)


threading.Thread(target=commands, daemon=True).start()
print("listening", listener.getsockname()[1], flush=True)
if sys.argv[1] == "flask":
    import flask
    from werkzeug.serving import make_server

    from tenterhook.flask import webhook

    app = flask.Flask("receiver")

    @app.post("/hook")
    @webhook(current)
    def hook(event):
        say(event, flask.request.get_data())
        return "", 204

    make_server("127.0.0.1", listener.getsockname()[1], app, threaded=True, fd=listener.fileno()).serve_forever()
else:
    import uvicorn
    from fastapi import Depends, FastAPI, Request

    from tenterhook.fastapi import webhook

    app = FastAPI()

    @app.post("/hook", status_code=204)
    async def hook(request: Request, event: WebhookEvent = Depends(webhook(current))):
        say(event, await request.body())

    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
