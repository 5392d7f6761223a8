"""Verifying requests that Tenterhook sends, in every built-in dialect.

The rules are those of the C library (docs/receiving.md): a content that could be split in two ways, a header that is there twice, a
signature in another spelling and a time outside the window are refused, and every comparison takes constant time. Dialects that sign with Ed25519
need the package `cryptography` (`tenterhook[ed25519]`)."""
from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import functools
import hashlib
import hmac
import importlib.resources
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from . import _message

Headers = Mapping[str, Any] | Iterable[tuple[Any, Any]]

_MAC_BYTES = {"hmac-sha1": 20, "hmac-sha256": 32, "hmac-sha512": 64, "ed25519": 64}
_ED25519_ITEMS = 32
_RANK = ["too_old", "too_new", "no_match", "malformed", "missing_header", "bad_event"]
_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class SignatureError(Exception):
    """The request is not one that the sender made: answer 400 or 401. `code` says why: missing_header, malformed, too_old, too_new,
    no_match, bad_event; `header` where."""

    def __init__(self, code: str, message: str, header: str | None = None):
        super().__init__(f"{header}: {message}" if header else message)
        self.code, self.header = code, header


@dataclasses.dataclass(frozen=True)
class WebhookEvent:
    """A verified event. `data` is what was published, `body` the whole JSON as the dialect writes it."""

    id: str | None
    type: str | None
    time: datetime.datetime | None
    data: Any
    resource_type: str | None
    resource_id: str | None
    endpoint_id: str | None
    delivery_id: str | None
    body: Any


@functools.cache
def _dialects() -> dict[str, Any]:
    return json.loads(importlib.resources.files(__package__).joinpath("dialects.json").read_text("utf-8"))


def dialect_names() -> list[str]:
    """The names of the dialects that are built in."""
    return list(_dialects())


class WebhookVerifier:
    """secret: the endpoint's secret, or several while one is rotated; for a dialect of Ed25519 the public key is enough. dialect: one
    of dialect_names(). tolerance: how old, and how far in the future, a signed time may be, in seconds; 0: any. url: of this receiver
    as it was registered, for dialects that sign it. now: the clock."""

    def __init__(self, secret: str | Sequence[str], dialect: str = "standard", *, tolerance: int = 300, url: str | None = None,
                 now: Callable[[], float] = time.time, scheme: dict[str, Any] | None = None):
        self._scheme = scheme or _dialects().get(dialect)
        if self._scheme is None:
            raise ValueError(f"there is no dialect {dialect!r}; there are {', '.join(dialect_names())}")
        secrets = [secret] if isinstance(secret, str) else list(secret)
        if not secrets:
            raise ValueError("a verifier needs a secret")
        if not url and any("{endpoint.url}" in form["content"] or any(name[0] == "@" and name != "@method" for name in form.get("components", []))
                           for form in self._scheme["forms"]):
            raise ValueError(f"the dialect {dialect} signs the URL of the endpoint: give it as url=")
        self._tolerance, self._url, self._now = tolerance, url or "", now
        self._keys: list[tuple[int, str, str, Any]] = []
        self._digests: list[bytes] = []
        for number, text in enumerate(secrets):
            self._add(text, number, dialect)

    @property
    def protects_against_replay(self) -> bool:
        """Whether an old request that somebody sends again is recognised: only where the scheme signs a time."""
        forms = self._scheme["forms"]
        return bool(forms) and self._tolerance != 0 and all("{ts}" in form["content"] for form in forms)

    def construct_event(self, raw_body: bytes | str, headers: Headers | str, method: str = "POST") -> WebhookEvent:
        """Verifies a request and gives its event. raw_body: the bytes as they came, before any JSON parser. headers: all of them, or the
        signature's value alone where the scheme needs no other. method: of the request, which HTTP message signatures (RFC 9421) cover. Raises
        SignatureError."""
        body = raw_body.encode() if isinstance(raw_body, str) else bytes(raw_body)
        fields = _Fields(headers, self._scheme)
        if self._scheme["auth"]:
            self._check_auth(fields, self._scheme["auth"])
        if self._scheme["forms"]:
            self._check_forms(fields, body, method)
        return _read_event(self._scheme, fields, body)

    def _add(self, text: str, number: int, dialect: str) -> None:
        if not text:
            raise ValueError("a secret is empty")
        self._digests.append(hashlib.sha256(text.encode()).digest())
        fits = not self._scheme["forms"]
        for algorithm, kind in dict.fromkeys((form["algorithm"], form["key"]) for form in self._scheme["forms"]):
            key = _make_key(algorithm, kind, text)
            if key is not None:
                self._keys.append((number, algorithm, kind, key))
                fits = True
        if not fits:
            raise ValueError(f"secret {number + 1} does not have the form of the secrets of the dialect {dialect}")

    def _check_auth(self, fields: _Fields, auth: dict[str, Any]) -> None:
        values = _match(auth["value"], fields.get(auth["header"]))
        if values is None:
            raise SignatureError("malformed", "the header does not have the form of the scheme", auth["header"])
        given = values["secret"]
        forms = {given.encode("utf-8", "surrogateescape"), given.encode("latin-1", "replace")}  # as servers decode headers
        found = False
        for own in self._digests:
            for form in forms:
                found = hmac.compare_digest(hashlib.sha256(form).digest(), own) or found
        if not found:
            raise SignatureError("no_match", "not one of the secrets", auth["header"])

    def _check_forms(self, fields: _Fields, body: bytes, method: str) -> None:
        best: SignatureError | None = None
        for form in self._scheme["forms"]:
            keys = [key for _, algorithm, kind, key in self._keys if algorithm == form["algorithm"] and kind == form["key"]]
            if not keys:
                continue
            try:
                if form["encoding"] == "http-message":
                    _message.verify(form, keys, fields, body, method, self._url, int(self._now()), self._tolerance, _unbase64, SignatureError)
                else:
                    self._check_form(form, keys, fields, body)
                return
            except SignatureError as error:
                if best is None or _RANK.index(error.code) < _RANK.index(best.code):
                    best = error
        assert best is not None  # each secret serves a form
        raise best

    def _check_form(self, form: dict[str, Any], keys: list[Any], fields: _Fields, body: bytes) -> None:
        header = form["header"]
        signatures, ts = _read_header(form, fields.get(header))
        values = {"schema.version": self._scheme["schema_version"], "endpoint.url": self._url, **({} if ts is None else {"ts": ts})}
        wanted = [piece[1:-1] for piece in form["content"] if _is_variable(piece) and piece != "{body}" and piece[1:-1] not in values]
        for source in self._scheme["sources"]:
            name, variable = source["header"], source["variable"]
            if variable not in wanted or (variable in values and not fields.has(name)):
                continue
            value = fields.get(name)
            if not value:
                raise SignatureError("malformed", "the header is empty", name)
            if values.setdefault(variable, value) != value:
                raise SignatureError("malformed", "another header gives a different value for the same field", name)
        self._check_time(form, values)
        if _ambiguous(form["content"], values, body):
            raise SignatureError("malformed", "id, time and body could be separated in more than one way", header)
        parts = [body if piece == "{body}" else (values.get(piece[1:-1], "") if _is_variable(piece) else piece).encode("utf-8", "surrogateescape")
                 for piece in form["content"]]
        found = _matches_ed25519(form, keys, parts, signatures) if form["algorithm"] == "ed25519" else _matches_hmac(form, keys, parts, signatures)
        if not found:
            raise SignatureError("no_match", "it was made with another secret or for other bytes: the body must be the raw one, not parsed and "
                                             "written again", header)

    def _check_time(self, form: dict[str, Any], values: dict[str, str]) -> None:
        header = form["header"]
        if "{ts}" not in form["content"]:
            return  # a time that is not signed proves nothing
        if "ts" not in values:
            raise SignatureError("malformed", "the header has no time", header)
        seconds = _rfc3339(values["ts"]) if form["timestamp"] == "rfc3339" else _decimal(values["ts"])
        if seconds is None:
            raise SignatureError("malformed", "the time is not written as the scheme writes it", header)
        age = int(self._now()) - (int(seconds) // 1000 if form["timestamp"] == "unix_millis" else int(seconds))
        if self._tolerance and age > self._tolerance:
            raise SignatureError("too_old", "signed too long ago: replayed, delayed, or a wrong clock", header)
        if self._tolerance and age < -self._tolerance:
            raise SignatureError("too_new", "signed in the future: a wrong clock, or not in seconds", header)


# ---- headers ----


class _Fields:
    def __init__(self, headers: Headers | str, scheme: dict[str, Any]):
        self._values: dict[str, list[str]] = {}
        if isinstance(headers, str):
            own = scheme["forms"][0]["header"] if scheme["forms"] else scheme["auth"]["header"]
            headers = [(own, headers)]
        for name, value in headers.items() if hasattr(headers, "items") else headers:
            for one in value if isinstance(value, (list, tuple)) else [value]:
                self._values.setdefault(_text(name).lower(), []).append(_text(one))

    def has(self, name: str) -> bool:
        return name.lower() in self._values

    def get(self, name: str) -> str:
        found = self._values.get(name.lower())
        if not found:
            raise SignatureError("missing_header", "the header is not there", name)
        if len(found) > 1:
            raise SignatureError("malformed", "the header is there twice", name)
        return found[0]


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _is_variable(piece: str) -> bool:
    return piece.startswith("{") and len(piece) > 2


def _match(template: list[str], text: str) -> dict[str, str] | None:
    """The values that the variables of a template have in a text; None: it does not fit."""
    values: dict[str, str] = {}
    for number, piece in enumerate(template):
        if not _is_variable(piece):
            if not text.startswith(piece):
                return None
            text = text[len(piece):]
            continue
        following = template[number + 1] if number + 1 < len(template) else None
        end = len(text) if following is None else text.rfind(following) if piece == "{items}" else text.find(following)
        if end < 0:
            return None
        values[piece[1:-1]], text = text[:end], text[end:]
    return values if text == "" else None


def _read_header(form: dict[str, Any], text: str) -> tuple[list[str], str | None]:
    """The signatures of a header, in their encoding, and its time. Elements of other forms are passed over."""
    n = _MAC_BYTES[form["algorithm"]]
    length = 2 * n if form["encoding"] == "hex" else (n + 2) // 3 * 4
    signatures: list[str] = []
    ts, wrong_length = None, False
    if form["wrap"]:
        outer = _match(form["wrap"], text)
        if outer is None:
            raise SignatureError("malformed", "the header does not have the form of the scheme", form["header"])
        ts, text = outer.get("ts"), outer.get("items", "")
    for part in text.split(form["join"]) if form["join"] and text else [text]:
        stamp = _match(form["stamp_item"], part) if form["stamp_item"] else None
        item = _match(form["item"], part) if stamp is None else None
        if stamp is not None:
            if ts is not None:
                raise SignatureError("malformed", "the header has two times", form["header"])
            ts = stamp["ts"]
        elif item is not None and len(item["sig"]) != length:
            wrong_length = True
        elif item is not None:
            if item.get("ts", ts) != (item.get("ts") if ts is None else ts):
                raise SignatureError("malformed", "the header has two times", form["header"])
            ts = item.get("ts", ts)
            signatures.append(item["sig"])
    if not signatures:
        raise SignatureError("malformed", "the signature does not have the length of the algorithm's signatures" if wrong_length
                             else "the header has no signature of a form that this scheme knows", form["header"])
    return signatures, ts


def _ambiguous(content: list[str], values: dict[str, str], body: bytes) -> bool:
    """Whether another split of the same content could have been signed."""
    variable = False
    for number, piece in enumerate(content):
        if not _is_variable(piece) or piece == "{body}":
            continue
        following = content[number + 1] if number + 1 < len(content) else None
        literal = following if following is not None and not _is_variable(following) else ""
        if piece == "{ts}":
            behind = number + 1 + bool(literal)
            if content[behind:behind + 1] == ["{body}"] and (variable or not literal) and re.match(rb"[0-9]+" + re.escape(literal.encode()), body):
                return True
            continue
        if literal and literal in values.get(piece[1:-1], ""):
            return True
        variable = True
    return False


# ---- signatures ----


def _matches_hmac(form: dict[str, Any], keys: list[bytes], parts: list[bytes], signatures: list[str]) -> bool:
    found = False
    for key in keys:
        mac = hmac.new(key, digestmod=form["algorithm"][5:])
        for part in parts:
            mac.update(part)
        own = mac.hexdigest() if form["encoding"] == "hex" else base64.b64encode(mac.digest()).decode()
        for text in signatures:
            found = hmac.compare_digest(own.encode(), text.encode("utf-8", "replace")) or found
    return found


def _matches_ed25519(form: dict[str, Any], keys: list[Any], parts: list[bytes], signatures: list[str]) -> bool:
    from cryptography.exceptions import InvalidSignature

    if len(signatures) > _ED25519_ITEMS:
        raise SignatureError("malformed", "the header has too many signatures", form["header"])
    message, found = b"".join(parts), False
    for text in signatures:
        raw = _unhex(text) if form["encoding"] == "hex" else _unbase64(text)
        if raw is None or len(raw) != 64 or (form["encoding"] == "hex" and raw.hex() != text):
            continue
        for key in keys:
            try:
                key.verify(raw, message)
                found = True
            except InvalidSignature:
                pass
    return found


# ---- secrets ----


def _make_key(algorithm: str, kind: str, text: str) -> Any:
    if algorithm != "ed25519":
        key = text.encode() if kind == "utf8" else _unhex(text) if kind == "hex" else _unbase64(text.removeprefix("whsec_") if kind == "whsec" else text)
        return key or None
    if kind == "whsk" and not text.startswith(("whsk_", "whpk_")):
        return None
    raw = _unhex(text) if kind == "hex" else _unbase64(text[5:] if kind == "whsk" else text)
    private = text.startswith("whsk_")
    if raw is None or len(raw) not in ((32, 64) if private else (32,)):
        return None
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    except ImportError:
        raise ValueError("signatures of Ed25519 need the package cryptography: pip install 'tenterhook[ed25519]'") from None
    return Ed25519PrivateKey.from_private_bytes(raw[:32]).public_key() if private else Ed25519PublicKey.from_public_bytes(raw)


def _unhex(text: str) -> bytes | None:
    return bytes.fromhex(text) if re.fullmatch(r"([0-9a-fA-F]{2})+", text) else None


def _unbase64(text: str) -> bytes | None:
    bare = text.rstrip("=")
    try:
        raw = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode().rstrip("=") == bare else None


# ---- the event ----


def _decimal(text: str) -> float | None:
    return int(text) if re.fullmatch(r"0|[1-9][0-9]{0,14}", text, re.ASCII) else None


def _rfc3339(text: str) -> float | None:
    """Seconds since 1970 of an RFC 3339 time."""
    found = _RFC3339.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    zone = found.group(8).upper()
    offset = 0 if zone == "Z" else (int(zone[1:3]) * 60 + int(zone[4:6])) * (-60 if zone[0] == "-" else 60)
    try:
        at = datetime.datetime(year, month, day, hour, minute, min(second, 59), tzinfo=datetime.timezone.utc)
    except ValueError:
        return None
    seconds = at.timestamp() - offset + float(found.group(7) or 0)
    return seconds if seconds >= 0 and second <= 60 else None


def _at(body: Any, path: list[str] | None) -> Any:
    value = body if path else None
    for name in path or []:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _as_text(value: Any) -> str | None:
    """A string as it is, a number as its text, null as nothing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise SignatureError("bad_event", "a field of the event is neither a string nor a number")


def _time(scheme: dict[str, Any], value: Any) -> datetime.datetime | None:
    if value is None:
        return None
    seconds: float | None = None
    if isinstance(value, str):
        seconds = _rfc3339(value)
    elif isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        seconds = value / 1000 if scheme["time_millis"] else value
    if seconds is not None and seconds < 253402300800:
        return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    if "data" not in scheme["paths"]:
        return None  # the publisher's own member
    raise SignatureError("bad_event", "the time of the event is neither RFC 3339 nor unix seconds")


def _read_event(scheme: dict[str, Any], fields: _Fields, raw: bytes) -> WebhookEvent:
    try:
        body = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise SignatureError("bad_event", "the body is not JSON") from None
    if not isinstance(body, dict):
        raise SignatureError("bad_event", "the body is not a JSON object")
    paths = scheme["paths"]
    found = {name: _as_text(_at(body, paths.get(name))) for name in ("id", "type", "resource_type", "resource_id", "endpoint_id", "delivery_id")}
    at = _time(scheme, _at(body, paths.get("time")))
    for source in scheme["sources"]:
        header, variable = source["header"], source["variable"]
        name = variable.removeprefix("event.").replace(".", "_")
        if variable == "ts" or not fields.has(header):
            continue
        if name == "time":
            seconds = _rfc3339(fields.get(header))
            at = at or (None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc))
        elif not found.get(name):
            found[name] = fields.get(header)
    kind = found["type"] or ""
    if not found["resource_type"]:
        prefixes = scheme["resource_prefixes"].items()
        found["resource_type"] = scheme["resources"].get(kind) or next((resource for prefix, resource in prefixes if kind.startswith(prefix)), None)
    data = _at(body, paths.get("data")) if "data" in paths else body
    own = _at(data, ["id"])
    if not found["resource_id"] and isinstance(own, (str, int, float)) and not isinstance(own, bool):
        found["resource_id"] = str(own)
    return WebhookEvent(found["id"], found["type"], at, data, found["resource_type"], found["resource_id"], found["endpoint_id"], found["delivery_id"], body)
