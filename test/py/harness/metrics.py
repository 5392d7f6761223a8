"""Reads GET /metrics, and is strict about its form."""
import re

SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-z_]+=\"[^\"\\]*\",?)*)\})? (\S+)")


def metrics(api):
    """The exposition, parsed strictly: {name with labels: value}, {family: type}."""
    answer = api.get("/metrics").expect(200)
    assert answer.header("Content-Type").startswith("text/plain")
    text = answer.body.decode()
    assert text.endswith("\n")
    values, types, helped = {}, {}, set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            helped.add(line.split(" ", 3)[2])
        elif line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in types and kind in ("counter", "gauge", "histogram"), line
            types[family] = kind
        elif line:
            found = SAMPLE.fullmatch(line)
            assert found, line
            name = found[1]
            family = re.sub(r"_(bucket|sum|count)$", "", name) if name not in types else name
            assert family in types and family in helped, line
            assert types[family] != "counter" or name.endswith("_total"), line
            key = name + (f"{{{found[2]}}}" if found[2] else "")
            assert key not in values, line
            values[key] = float(found[3])
    return values, types
