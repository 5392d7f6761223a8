"""HTTP message signatures (RFC 9421) with Content-Digest (RFC 9530) for the body, by the rules of the C library.

A request may carry several signatures, each under a label. One is judged when it has the scheme's tag (none: no tag) and algorithm, says when
it was made, and covers everything that the scheme says; of the scheme's headers those that the request has. Refused are what is no structured
field (RFC 9651), a label or a parameter twice, components with parameters, and values with line ends."""
from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any

_SIGNATURES, _COVERED, _PARAMS = 8, 16, 2048
_KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*")
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_BYTES = re.compile(r":([A-Za-z0-9+/=]*):")
_ITEM = re.compile(r'"(?:[ !#-\[\]-~]|\\["\\])*"|:[A-Za-z0-9+/=]*:|\?[01]|(?:0|-?[1-9][0-9]{0,14})(?![0-9.])|[A-Za-z*][!#$%&\'*+\-.^_`|~:/A-Za-z0-9]*')
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,14}")
Fail = Callable[[str, str, str], Exception]


class _Scanner:
    def __init__(self, text: str):
        self.text, self.at = text, 0

    @property
    def ended(self) -> bool:
        return self.at == len(self.text)

    def eat(self, text: str) -> bool:
        if not self.text.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def skip(self, white: str) -> None:
        while not self.ended and self.text[self.at] in white:
            self.at += 1

    def take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self.text, self.at)
        if not found:
            raise ValueError
        self.at = found.end()
        return found

    def members(self):
        """The keys of a dictionary; whoever iterates takes what stands behind each."""
        self.skip(" ")
        first = True
        while True:
            if not first:
                self.skip(" \t")
                if self.ended:
                    return
                if not self.eat(","):
                    raise ValueError
                self.skip(" \t")
            yield self.take(_KEY)[0]
            first = False


@dataclasses.dataclass
class _Input:
    label: str
    covered: list[str]
    text: str
    usable: bool
    params: dict[str, str]


def _params(s: _Scanner) -> list[tuple[str, str]]:
    found = []
    while s.eat(";"):
        s.skip(" ")
        key = s.take(_KEY)[0]
        found.append((key, s.take(_ITEM)[0] if s.eat("=") else "?1"))
    return found


def _written(params: list[tuple[str, str]]) -> str:
    return "".join(f";{key}" + ("" if value == "?1" else f"={value}") for key, value in params)


def _inputs(field: str) -> list[_Input]:
    s, found = _Scanner(field), []
    for label in s.members():
        if len(found) == _SIGNATURES or not s.eat("=") or not s.eat("(") or label in [one.label for one in found]:
            raise ValueError
        covered, pieces, usable = [], [], True
        while s.skip(" ") or not s.eat(")"):
            name = s.take(_STRING)[1]
            own = _params(s)
            if len(covered) == _COVERED or s.ended or s.text[s.at] not in " )":
                raise ValueError
            usable = usable and not own and name not in covered
            covered.append(name)
            pieces.append(f'"{name}"{_written(own)}')
        params = _params(s)
        text, known = f"({' '.join(pieces)}){_written(params)}", {}
        for key, value in params:
            if key in ("created", "expires", "alg", "tag", "keyid", "nonce"):
                numeric = key in ("created", "expires")
                if (numeric and not _DECIMAL.fullmatch(value)) or (not numeric and not value.startswith('"')) \
                        or (key in known and key not in ("keyid", "nonce")):
                    raise ValueError
                known[key] = value if numeric else value[1:-1]
        if len(text) > _PARAMS:
            raise ValueError
        found.append(_Input(label, covered, text, usable, known))
    return found


def _member(field: str, wanted: str) -> str | None:
    """The bytes that a dictionary has under a key, in base64; None: no such member."""
    s, found = _Scanner(field), None
    for key in s.members():
        if not s.eat("="):
            raise ValueError
        text = s.take(_BYTES)[1]
        if key == wanted:
            if found is not None:
                raise ValueError
            found = text
    return found


def _derived(name: str, method: str, url: str) -> str | None:
    if name == "@method":
        return method
    found = re.match(r"([^:/?#]+)://([^/?]*)(/[^?]*)(\?.*)?", url, re.DOTALL)
    if not found:
        return None
    scheme, authority, path, query = found[1], found[2], found[3], found[4]
    port = ":443" if len(scheme) == 5 else ":80"
    own = authority[:-len(port)] if authority.endswith(port) and authority != port else authority
    return {"@target-uri": url, "@authority": own.lower(), "@scheme": scheme.lower(), "@request-target": path + (query or ""), "@path": path,
            "@query": query or "?"}.get(name)


def _base(one: _Input, fields: Any, method: str, url: str, fail: Fail) -> bytes:
    lines = []
    for name in one.covered:
        if name.startswith("@"):
            if not (method if name == "@method" else url):
                raise fail("malformed", "the signature covers the method or the URL, and none is given", "Signature-Input")
            value = _derived(name, method, url)
            if value is None:
                raise fail("malformed", "covers a component that is unknown, or the URL is not absolute", "Signature-Input")
        else:
            value = fields.get(name).strip(" \t")
        if "\r" in value or "\n" in value:
            raise fail("malformed", "a covered value has a line end", "Signature-Input")
        lines.append(f'"{name}": {value}')
    return "\n".join([*lines, f'"@signature-params": {one.text}']).encode("utf-8", "surrogateescape")


def _check_one(one: _Input, form: dict[str, Any], keys: list[Any], fields: Any, signatures: str, method: str, url: str, now: int, tolerance: int,
               unbase64: Callable[[str], bytes | None], fail: Fail) -> None:
    if "expires" in one.params and now > int(one.params["expires"]):
        raise fail("too_old", "the signature has expired", "Signature-Input")
    age = now - int(one.params["created"])
    if tolerance and age > tolerance:
        raise fail("too_old", "signed too long ago: replayed, delayed, or a wrong clock", "Signature-Input")
    if tolerance and age < -tolerance:
        raise fail("too_new", "signed in the future: a wrong clock", "Signature-Input")
    message = _base(one, fields, method, url, fail)
    try:
        text = _member(signatures, one.label)
    except ValueError:
        raise fail("malformed", "is no dictionary of byte sequences", "Signature") from None
    if text is None:
        raise fail("malformed", "has no signature of this label", "Signature")
    raw = unbase64(text)
    if raw is None or len(raw) > 64:
        raise fail("malformed", "is not base64, or too long", "Signature")
    found = False
    for key in keys:
        if form["algorithm"] != "ed25519":
            found = hmac.compare_digest(hmac.new(key, message, "sha256").digest(), raw) or found
        elif len(raw) == 64:
            from cryptography.exceptions import InvalidSignature
            try:
                key.verify(raw, message)
                found = True
            except InvalidSignature:
                pass
    if not found:
        raise fail("no_match", "it was made with another secret, or for another method, URL or header", "Signature")


def verify(form: dict[str, Any], keys: list[Any], fields: Any, body: bytes, method: str, url: str, now: int, tolerance: int,
           unbase64: Callable[[str], bytes | None], fail: Fail) -> None:
    """Raises what `fail` makes of (code, message, header) when a request is not one that a holder of the keys has signed."""
    field, signatures = fields.get("Signature-Input"), fields.get("Signature")
    try:
        inputs = _inputs(field)
    except ValueError:
        raise fail("malformed", "is not what RFC 9421 says, or has too many signatures, or a label twice", "Signature-Input") from None
    refusal: Exception | None = fail("malformed", "no signature of this scheme covers what the scheme says", "Signature-Input")
    for one in inputs:
        missing = [name for name in form["components"] if name not in one.covered
                   and (name.startswith("@") or name == "content-digest" or fields.has(name))]
        if not one.usable or missing or "created" not in one.params or one.params.get("alg", form["algorithm"]) != form["algorithm"] \
                or one.params.get("tag") != (form["tag"] or None):
            continue
        try:
            _check_one(one, form, keys, fields, signatures, method, url, now, tolerance, unbase64, fail)
            refusal = None
            break
        except type(refusal) as error:
            refusal = error
    if refusal:
        raise refusal
    if "content-digest" not in form["components"]:
        return
    try:
        given = _member(fields.get("Content-Digest"), "sha-256")
    except ValueError:
        given = None
    own = base64.b64encode(hashlib.sha256(body).digest()).decode()
    raw = unbase64(given) if given else None
    if raw is None or len(raw) != 32:
        raise fail("malformed", "has no SHA-256 as RFC 9530 writes it", "Content-Digest")
    if not hmac.compare_digest(base64.b64encode(raw), own.encode()):
        raise fail("no_match", "it is of other bytes: the body must be the raw one, not parsed and written again", "Content-Digest")
