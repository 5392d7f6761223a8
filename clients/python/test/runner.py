"""Makes the calls of ../../conformance/ (README.md there): a command a line in, an answer a line out. `runner.py async` makes them with
the asynchronous client."""
import asyncio
import base64
import inspect
import json
import sys

from tenterhook import ApiError, AsyncTenterhook, Publisher, SignatureError, Tenterhook, TenterhookError, WebhookVerifier


def options_of(given):
    seconds = {name: given[f"{name}_ms"] / 1000 for name in ("timeout", "first_wait", "max_wait") if f"{name}_ms" in given}
    return {**seconds, **{name: given[name] for name in ("server", "key", "tenant", "retries") if given.get(name) is not None}}


def arguments_of(call, args):
    if call == "webhooks.test":
        return [args["id"], args.get("type")], {}
    if call == "tenants.delete_key":
        return [args["id"], args["key"]], {}
    named = {name: args[name] for name in ("idempotency_key", "if_match") if name in args}
    return [args[name] for name in ("id", "body") if name in args], {**named, **args.get("query", {})}


def plain(value):
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.to_dict() if hasattr(value, "to_dict") else value


def publisher(client, args):
    wrong, failed = args.get("wrong", []), []
    with Publisher(client, max_batch=args["options"]["max_batch"]) as made:
        futures = [made.publish({"type": "no type" if number in wrong else "a.b", "data": {"i": number}}) for number in range(args["count"])]
    for future in futures:
        assert future.done()
        if future.exception():
            failed.append(future.exception().kind)
    return {"accepted": len(futures) - len(failed), "failed": failed}


def publisher_full(client, args):
    refused = 0
    with Publisher(client, max_batch=args["options"]["max_batch"], max_pending=args["options"]["max_pending"]) as made:
        for number in range(args["count"]):
            try:
                made.publish({"type": "a.b", "data": number}, timeout=0)
            except TenterhookError as error:
                assert error.kind == "full"
                refused += 1
    return {"taken": args["count"] - refused, "refused": refused}


def verify(args):
    verifier = WebhookVerifier(args["secrets"], args["dialect"], tolerance=args["tolerance"], url=args["url"], now=lambda: args["now"])
    event = verifier.construct_event(base64.b64decode(args["body_base64"]), [tuple(pair) for pair in args["headers"]], args.get("method") or "POST")
    return {"id": event.id, "type": event.type, "time": event.time and int(event.time.timestamp()), "data": event.data, "resource_type": event.resource_type,
            "resource_id": event.resource_id, "endpoint_id": event.endpoint_id, "delivery_id": event.delivery_id, "protects": verifier.protects_against_replay}


async def run_async(call, args, options):
    async with AsyncTenterhook(**options) as client:
        part, method = call.split(".")
        places, named = arguments_of(call, args)
        result = getattr(getattr(client, part), method)(*places, **named)
        return plain(await result if inspect.isawaitable(result) else await result.all(args.get("most")))


def run(call, args, options):
    if call == "verify":
        return verify(args)
    if sys.argv[1:] == ["async"] and "." in call:
        return asyncio.run(run_async(call, args, options))
    with Tenterhook(**options) as client:
        if call == "publisher":
            return publisher(client, args)
        if call == "publisher_full":
            return publisher_full(client, args)
        part, method = call.split(".")
        places, named = arguments_of(call, args)
        result = getattr(getattr(client, part), method)(*places, **named)
        return plain(result.all(args.get("most")) if hasattr(result, "all") else result)


def shown(error):
    if isinstance(error, ApiError):
        return {"kind": error.kind, "status": error.status, "detail": error.detail, "request_id": error.request_id, "retry_after": error.retry_after,
                "errors": error.errors}
    if isinstance(error, SignatureError):
        return {"kind": "signature", "code": error.code}
    if isinstance(error, TenterhookError):
        return {"kind": error.kind}
    return {"kind": "configuration" if isinstance(error, ValueError) else "unexpected", "detail": repr(error)}


for line in sys.stdin:
    command = json.loads(line)
    try:
        answer = {"ok": run(command["call"], command["args"], options_of(command["client"]))}
    except Exception as error:
        answer = {"error": shown(error)}
    print(json.dumps(answer), flush=True)
