"""JSON against a JSON Schema: the keywords of draft 2020-12 that schemas/ uses. A keyword that is not known here is an
error, so that no rule is passed over in silence."""
import functools
import json
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "schemas"
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
FORMATS = {"date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "uri": r"[a-z][a-z0-9+.-]*:\S+"}
RULES = {}


def rule(keyword):
    def register(function):
        RULES[keyword] = function
        return function
    return register


@rule("$ref")
def _(value, name, schema, root):
    return faults(value, root["$defs"][name.removeprefix("#/$defs/")], root)


@rule("type")
def _(value, name, schema, root):
    fits = isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
    return [] if fits else [f": {value!r} is no {name}"]


@rule("enum")
def _(value, allowed, schema, root):
    return [] if value in allowed else [f": {value!r} is none of {allowed}"]


@rule("minimum")
def _(value, least, schema, root):
    return [] if value >= least else [f": {value} is too small"]


@rule("maximum")
def _(value, most, schema, root):
    return [] if value <= most else [f": {value} is too large"]


@rule("minLength")
def _(value, least, schema, root):
    return [] if len(value) >= least else [": is too short"]


@rule("format")
def _(value, name, schema, root):
    return [] if re.fullmatch(FORMATS[name], value) else [f": {value!r} is no {name}"]


@rule("oneOf")
def _(value, choices, schema, root):
    fitting = sum(not faults(value, choice, root) for choice in choices)
    return [] if fitting == 1 else [f": fits {fitting} of the choices"]


@rule("items")
def _(value, item, schema, root):
    return [f"/{i}{text}" for i, element in enumerate(value) for text in faults(element, item, root)]


@rule("required")
def _(value, names, schema, root):
    return [f"/{name}: is missing" for name in names if name not in value]


@rule("dependentRequired")
def _(value, needs, schema, root):
    return [f"/{name}: is missing" for given, names in needs.items() if given in value for name in names if name not in value]


@rule("properties")
def _(value, members, schema, root):
    return [f"/{name}{text}" for name in members if name in value for text in faults(value[name], members[name], root)]


@rule("additionalProperties")
def _(value, allowed, schema, root):
    assert allowed is False
    return [f"/{name}: is not in the schema" for name in value if name not in schema["properties"]]


def faults(value, schema, root):
    """What the schema has against the value, each with its JSON pointer."""
    unknown = set(schema) - set(RULES)
    assert not unknown, f"keywords that this checker does not know: {unknown}"
    if "type" in schema and (wrong := RULES["type"](value, schema["type"], schema, root)):
        return wrong
    return [text for keyword, argument in schema.items() for text in RULES[keyword](value, argument, schema, root)]


@functools.lru_cache
def document(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


def valid(value, name, definition):
    """`value`, or an AssertionError with all that schemas/<name>.json#/$defs/<definition> has against it."""
    root = document(name)
    found = faults(value, root["$defs"][definition], root)
    assert not found, f"{definition}: {found}"
    return value
