"""What tools/check-layers reads out of the object files of a build: which file calls which, and what nobody uses.

A file calls another when its object needs a symbol that the object of the other one defines; calls through pointers are
not seen, which is what a port is for. Functions inside a file are static and are no part of this.
"""
import pathlib
import re
import subprocess

# folder -> the most files that may call each other in a circle
CIRCLES = {
    "lib": 3,
    "base": 3,
    "core": 3,
    "engine": 3,
    "store": 3,
    "net": 3,
    "api": 3,
    "options": 3,
    "app": 3,
    "cli": 3,
}

# layer -> its inner folders and files, from the lowest: each may call itself and those before it. What is not named is lowest.
RANKS = {
    "engine": [[], [r"settings/.*"], [r"shard/.*"], [r"control/.*"], [r"job\.c", r"engine\.c"]],
}

# An exported name begins with th_ and its module, perhaps with its folder in front (th_api_...). The module is the name of
# the file, or of the file without its last words (http_client_send.c: th_http_client_send_..., th_http_client_...,
# th_http_...), in the singular or the plural, or the inner folder that the file is in (core/program). Other agreed
# beginnings, by file:
NAMES = {
    "lib/*": r"tenterhook_|th_",
    "src/base/alloc.c": r"th_(malloc|calloc|realloc|free|wipe)$",
    "src/base/enc.c": r"th_(un)?(hex|base64(url)?)$",
    "src/base/json_write.c": r"th_(jw|utf8)_",
    "src/base/map.c": r"th_(smap_|hash$)",
    "src/base/metric.c": r"th_(metrics_|observe)",
    "src/base/time.c": r"th_wall_",
    "src/base/unseen.c": r"th_utf8_",
    "src/core/addr.c": r"th_cidr_",
    "src/core/dialect_message.c": r"th_message_",
    "src/core/guard*.c": r"th_(event_type_(form|ok)|id_ok|addr_loopback)$",
    "src/core/http_class.c": r"th_outcome_name$",
    "src/core/mask.c": r"th_needles_",
    "src/core/reach.c": r"th_auth_",
    "src/core/retry.c": r"th_(disable_name|(facts|health)_(apply|check))$",
    "src/core/url.c": r"th_port_ok$",
    "src/core/jsonpath/*.c": r"(jp|th_iregexp)_",
    "src/core/jsonpath/value.c": r"th_(characters|number|tape|texts)_",  # values of documents, for schemas too
    "src/core/schema/*.c": r"sc_",
    "src/core/sched*.c": r"(address|ep|heap|host|item|items|line|list|number|order|sched|share|slot|spill)_",
    "src/engine/*.c": r"th_engine_",
    "src/engine/*/*.c": r"th_engine_",  # what the engine's users call
    "src/engine/settings/catalogue.c": r"th_(event_type|validate|version)_",
    "src/engine/settings/payload.c": r"th_(method|type_version)_",
    "src/engine/control/follow_row.c": r"th_settings_follow$",
    "src/engine/settings/settings.c": r"th_(ep|graves|key|role|run|tenant|token)_",  # the objects that settings consist of
    "src/store/sqlite/migrations.c": r"th_store_migration",
    "src/store/sqlite/*": r"sq_|th_(sqlite|store_sqlite)_",
    "src/store/postgres/postgres_inbox.c": r"th_inbox_db_",  # its port is inbox_db.h
    "src/store/postgres/*": r"pg_|th_store_(postgres_|waiting)",
    "src/store/store_*.c": r"st_",
    "src/net/*": r"hc_|th_(http_|conn_|parts_|exchange_|server_|peers_|pool_|addrs_|names?_|is_trusted$|addr_same$)",
    "src/api/*": r"th_h_",
    "src/api/session.c": r"th_api_sessions_",
    "src/api/stream*.c": r"th_api_(streams|source)_",
    "src/options/*": r"th_(options$|dialect_)",
    "src/app/*": r"th_app_",
    "src/cli/*": r"th_",
}

# Exported although no other file of the product uses them: tests do, or the public header promises them.
KEPT = {
    "lib": r"tenterhook_.*",
    "base": r"th_alloc_fail_after|th_secret_count|th_smap_next|th_metrics_join",
    "core": r"ep_count|heap_remove|th_node_of_json|th_dialect_secret_make|th_port_ok|th_sched_check",
    "engine": r"th_change_enter",
    "store": r"(s[qt]|pg)_.*",
    "net": r"th_http1_is_host|th_http_(abort|begin|end|write)",
    "options": r"th_dialect_load",
    "app": r"th_app_threads_quota",
}

# Members that no line of the product reads by name.
MEMBERS = {"flow", "form_number"}


def layer_of(source):
    return source.split("/")[1] if source.startswith("src/") else source.split("/")[0]


def object_files(build, root):
    """Yields (source, object) of the layers' files; an object whose source is gone is left out."""
    for target in sorted((build / "CMakeFiles").glob("*.dir")):
        if target.name.startswith("th_") or target.name == "tenterhook.dir":
            for path in sorted(target.rglob("*.c.o")):
                source = str(path.relative_to(target))[:-2]
                if (root / source).is_file():
                    yield source, path


def read_objects(build, root):
    """source -> (symbols that it defines, symbols that it needs), of the layers' object files."""
    found = {}
    for source, path in object_files(build, root):
        text = subprocess.run(["nm", str(path)], check=True, capture_output=True, text=True).stdout
        rows = [line.split()[-2:] for line in text.splitlines()]
        found[source] = ({name for kind, name in rows if kind in "TDBRC" and not name.startswith("_")},
                         {name for kind, name in rows if kind == "U"})
    return found


def stale(build, root):
    """A file that is newer than its object, or None."""
    for source, path in object_files(build, root):
        if (root / source).stat().st_mtime > path.stat().st_mtime:
            return source
    return None


def circles(nodes, calls):
    """The strongly connected components of more than one file (Tarjan)."""
    number, low, stack, found = {}, {}, [], []

    def visit(node):
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in sorted(calls[node] & nodes):
            if other not in number:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == number[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for node in sorted(nodes):
        if node not in number:
            visit(node)
    return found


def check_circles(objects, faults):
    """Circles above the budget of their folder. Returns the largest of each folder."""
    owner = {name: source for source, (defined, _) in objects.items() for name in defined}
    calls = {source: {owner[n] for n in needed if n in owner} - {source} for source, (_, needed) in objects.items()}
    largest = {}
    for layer in sorted({layer_of(source) for source in objects}):
        found = circles({source for source in objects if layer_of(source) == layer}, calls)
        largest[layer] = max((len(c) for c in found), default=1)
        budget = CIRCLES.get(layer, 3)
        for circle in found:
            if len(circle) > budget:
                names = " ".join(pathlib.PurePath(source).name for source in circle)
                faults.append(f"{layer}: {len(circle)} files call each other in a circle, {budget} may: {names}")
    return largest


def check_ranks(objects, faults):
    """Files of a folder that call files of a folder above it, in layers whose inner folders have an order."""
    owner = {name: source for source, (defined, _) in objects.items() for name in defined}
    for source, (_, needed) in objects.items():
        for name in sorted(needed):
            other = owner.get(name)
            if other and layer_of(other) == layer_of(source) and rank_of(other) > rank_of(source):
                faults.append(f"{source} may not call {name} of {other}, which is above it")


def rank_of(source):
    """Where a file stands in its layer; files of layers without an order all stand at 0."""
    order = RANKS.get(layer_of(source), [])
    for rank, files in enumerate(order):
        if any(re.fullmatch(one, "/".join(source.split("/")[2:])) for one in files):
            return rank
    return 0


def carries_module(source, name):
    stem = pathlib.PurePath(source).stem.split("_")
    plain = name.replace(f"th_{layer_of(source)}_", "th_", 1)
    inner = source.split("/")[2:-1]  # a module of several files in a folder of its own
    if any(name.startswith(f"th_{folder}_") for folder in inner):
        return True
    for count in range(len(stem), 0, -1):
        module = "th_" + "_".join(stem[:count])
        for word in (module, module.removesuffix("s"), module + "s", module.removesuffix("y") + "ies"):  # one, or all of them
            if any(one == word or one.startswith(word + "_") for one in (name, plain)):
                return True
    return any(pathlib.PurePath(source).match(files) and re.match(names, name) for files, names in NAMES.items())


def check_names(objects, faults):
    for source, (defined, _) in objects.items():
        for name in sorted(defined - {"main"}):
            if not carries_module(source, name):
                faults.append(f"{source}: {name} does not carry the name of its module")


def check_use(objects, faults):
    needed = set().union(*(needs for _, needs in objects.values()), {"main"})
    for source, (defined, _) in objects.items():
        kept = KEPT.get(layer_of(source))
        for name in sorted(defined - needed):
            if not (kept and re.fullmatch(kept, name)):
                faults.append(f"{source}: no other file uses {name}: make it static, or delete it")


def without_comments(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"//[^\n]*", " ", text)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def members_of(body):
    """Names of the members that a struct's body declares, those of inner structs and unions too."""
    body = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", body)
    for part in re.split(r"[;{}]", re.sub(r"\benum(\s+\w+)?\s*\{[^}]*\}", "int ", body)):
        part = re.sub(r"\[[^\]]*\]", "", part).strip()
        pointer = re.match(r".*?\(\s*\*\s*(?:const\s+)?(\w+)\s*\)\s*\(", part, re.S)
        if pointer:
            yield pointer.group(1)
            continue
        if not part or part.startswith("#") or "(" in part:
            continue
        for one in part.split(","):
            name = re.search(r"(\w+)\s*(?::\s*\w+)?\s*$", one)
            if name and not re.fullmatch(r"struct|union|enum|\d+", name.group(1)) \
                    and not re.fullmatch(r"(struct|union|enum)\s+\w+", one.strip()):
                yield name.group(1)


def check_members(root, faults):
    """Members whose name is never read after a dot or an arrow. Names that several structs share hide one another."""
    declared, read, written = {}, set(), set()
    for top in ("include", "lib", "src", "test", "bench", "examples"):
        for path in sorted((root / top).rglob("*.[ch]")):
            text = without_comments(path.read_text(errors="replace"))
            source = str(path.relative_to(root))
            if top in ("lib", "src"):
                for found in re.finditer(r"\bstruct\s+(?:\w+\s+)?\{", text):
                    depth, at = 1, found.end()
                    while depth and at < len(text):
                        depth += {"{": 1, "}": -1}.get(text[at], 0)
                        at += 1
                    for name in members_of(text[found.end():at - 1]):
                        declared.setdefault(name, source)
            for use in re.finditer(r"(?:->|\.)\s*(\w+)(?=((?:\s*\[[^\]]*\])?\s*=(?!=))?)", text):
                (written if use.group(2) else read).add(use.group(1))
            read |= set(re.findall(r"\boffsetof\s*\([^,]*,\s*(\w+)", text))
    for name, source in sorted(declared.items(), key=lambda row: row[1]):
        if name in read or name in MEMBERS:
            continue
        faults.append(f"{source}: the member {name} is {'written and never read' if name in written else 'not used'}")


def check(build, root, faults):
    """Adds what is wrong to faults. Returns a few words of what was seen."""
    late = stale(build, root)
    if late:
        faults.append(f"{late} is newer than its object in {build}: build first")
        return "not measured"
    objects = read_objects(build, root)
    largest = check_circles(objects, faults)
    check_ranks(objects, faults)
    check_names(objects, faults)
    check_use(objects, faults)
    check_members(root, faults)
    return "largest circles: " + ", ".join(f"{layer} {size}" for layer, size in largest.items()
                                            if layer in CIRCLES)
