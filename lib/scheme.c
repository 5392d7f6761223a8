/* Schemes: what a receiver must know of a dialect, out of the text of its file.
 *
 * One reader serves built-in dialects (their texts are in the library) and files that a caller brings; no
 * vendor's name stands in C. It takes request.headers, auth, one of signatures with its variants,
 * body.envelope, secret.signing and the place of the catalogue; inside these groups unknown keys are refused, since a
 * misspelt one would weaken the check silently; other groups belong to the sender.
 *
 * Of a dialect that passes data through, the file says nothing about where type and time stand in the body,
 * but its samples show it: the first top-level member whose value is the sample's own type, and the first
 * that is an RFC 3339 time.
 *
 * A sender that signs in several headers lets the receiver choose: the entry with the strongest algorithm.
 *
 * Where only the oldest secret signs and the file names no `join`, the header holds one signature: a list there
 * is refused, as the vendors' own verifiers do.
 *
 * Refuses: groups and keys that are there twice, escapes in texts that are kept (they are kept as spans), and forms
 * of signature that tenterhook_verifier_init would not accept. */
#include "lib/dialect_keys.h"
#include "lib/internal.h"

#define FILE_MAX ((size_t)1 << 20) /* bytes of a text */
#define LEVELS 4                   /* of an envelope */
/* Texts of one signature; NULL where the file is silent. */
struct raw_form {
#define MEMBER(key, whose) struct th_span key;
    TH_KEYS_OF_FORM(MEMBER)
};
struct raw_entry { /* one of signatures */
    struct raw_form form[TENTERHOOK_SIGNATURES_MAX];
    struct th_span variant_name[TENTERHOOK_SIGNATURES_MAX];
    unsigned forms, line; /* of its first key */
};
struct reader {
    struct tenterhook_scheme *scheme;
    struct raw_entry entry, best;
    struct th_span stamp; /* request.timestamp */
    struct th_span source_name, source_value;
    struct { /* members of the envelope that are open */
        struct th_span name, from, as;
    } level[LEVELS];
    bool passthrough, oldest_signs;
    size_t catalogue_at, catalogue_end; /* of the lines of the group; end 0: not over yet */
    bool in_catalogue;
    const char *group; /* key of the top-level group being read */
    unsigned groups;   /* bits of those that were read */
    struct th_span row_type;
    struct tenterhook_path shown_type, shown_time; /* where samples have them */
};

static bool fault(struct th_yaml *y, const char *what)
{
    if (!y->fault)
        y->fault = what;
    return false;
}

/* Keeps a text once. */
static bool keep(struct th_yaml *y, const struct th_span *scalar, struct th_span *out)
{
    if (!scalar)
        return true;
    if (out->p)
        return fault(y, "the key is there twice");
    if (y->escaped)
        return fault(y, "escapes are not possible here");
    *out = *scalar;
    return true;
}

static bool at_key(const struct th_yaml *y, unsigned level, const char *key)
{
    return y->depth > level && !y->frame[level].list && tenterhook_is(y->frame[level].key, key);
}

/* Of keys and values as th_lib_choose wants them. */
#define KEY(key, whose) #key "\0"
#define NAME(name) name "\0"

/* A key whose value the receiver does not take. */
static bool passes_over(struct th_yaml *y, struct th_span key, const char *keys)
{
    return th_lib_choose(key, keys) || fault(y, "unknown key");
}

/* ---- auth and request ---- */

static bool on_auth(struct th_yaml *y, const struct th_span *scalar, struct reader *r)
{
    if (!scalar)
        return true;
    if (y->depth == 2 && at_key(y, 1, "header"))
        return keep(y, scalar, &r->scheme->auth_header);
    if (y->depth == 2 && at_key(y, 1, "value"))
        return keep(y, scalar, &r->scheme->auth_value);
    return fault(y, "unknown key");
}

/* A header line is over: it is a source when its value is one variable. */
static bool end_header(struct th_yaml *y, struct reader *r)
{
    struct tenterhook_scheme *s = r->scheme;
    bool is_secret =
        r->source_value.n && th_lib_find(r->source_value, tenterhook_str("{secret}")) != SIZE_MAX;

    if (is_secret && !s->auth_header.p) {
        s->auth_header = r->source_name;
        s->auth_value = r->source_value;
    } else if (r->source_name.n && r->source_value.n) {
        /* "{event.type.object}/{event.type.action}" and the like: the type, as this vendor writes it */
        if (th_span_starts(r->source_value, tenterhook_str("{event.type.")))
            r->source_value = tenterhook_str("{event.type}");
        if (th_lib_variable(r->source_value) == TH_LIB_TEXT ||
            th_lib_variable(r->source_value) == TH_LIB_SCHEMA_VERSION)
            r->source_name = th_span(NULL, 0);
        else if (s->source_count == TENTERHOOK_SOURCES_MAX)
            return fault(y, "too many headers that carry a variable");
        else
            s->source[s->source_count++] = (struct tenterhook_source){r->source_name, r->source_value};
    }
    r->source_name = r->source_value = th_span(NULL, 0);
    return true;
}

static bool on_request(struct th_yaml *y, const struct th_span *scalar, struct reader *r)
{
    if (at_key(y, 1, "headers")) {
        if (y->depth != 4)
            return !scalar || scalar->n == 0 || fault(y, "must be a list of maps");
        if (!scalar)
            return end_header(y, r);
        return at_key(y, 3, "name")    ? keep(y, scalar, &r->source_name)
               : at_key(y, 3, "value") ? keep(y, scalar, &r->source_value)
                                       : passes_over(y, y->frame[3].key, TH_KEYS_OF_HEADER(KEY));
    }
    if (!scalar)
        return true;
    if (at_key(y, 1, "timestamp"))
        return keep(y, scalar, &r->stamp);
    return passes_over(y, y->frame[1].key, TH_KEYS_OF_REQUEST(KEY));
}

/* ---- signatures ---- */

static bool on_form(struct th_yaml *y, const struct th_span *scalar, struct raw_form *f, struct th_span key,
                    const char *keys)
{
    unsigned which = th_lib_choose(key, TH_KEYS_OF_FORM(KEY));

    return which ? keep(y, scalar, (struct th_span *)f + which - 1) : passes_over(y, key, keys);
}

static unsigned strength(const struct raw_entry *e)
{
    return th_lib_choose(e->form[0].algorithm, "hmac-sha1\0hmac-sha256\0hmac-sha512\0ed25519\0");
}

/* A variant's form, by name; NULL when there are too many. */
static struct raw_form *variant(struct raw_entry *e, struct th_span name)
{
    unsigned v = 1;

    while (v < e->forms && !th_span_eq(e->variant_name[v], name))
        v++;
    if (v == TENTERHOOK_SIGNATURES_MAX)
        return NULL;
    e->variant_name[v] = name;
    e->forms = v < e->forms ? e->forms : v + 1;
    return &e->form[v];
}

static bool on_signature(struct th_yaml *y, const struct th_span *scalar, struct reader *r)
{
    struct raw_entry *e = &r->entry;
    struct raw_form *form;

    if (y->depth < 3)
        return !scalar || fault(y, "signatures is a list of maps");
    if (!y->frame[1].list)
        return fault(y, "signatures is a list of maps");
    if (!scalar && y->depth == 3) { /* the entry is over */
        if (r->best.forms == 0 || strength(e) > strength(&r->best))
            r->best = *e;
        memset(e, 0, sizeof *e);
        return true;
    }
    if (!e->forms) {
        e->forms = 1;
        e->line = y->line;
    }
    if (!scalar)
        return true;
    if (y->depth == 3 && !at_key(y, 2, "variants"))
        return on_form(y, scalar, &e->form[0], y->frame[2].key, TH_KEYS_OF_SIGNATURE(KEY));
    if (y->depth != 5 || !at_key(y, 2, "variants"))
        return fault(y, "is of another form than expected");
    form = variant(e, y->frame[3].key);
    if (!form)
        return fault(y, "too many variants");
    return on_form(y, scalar, form, y->frame[4].key, TH_KEYS_OF_VARIANT(KEY));
}

static struct th_span either(struct th_span own, struct th_span base, const char *otherwise)
{
    return own.p ? own : base.p ? base : tenterhook_str(otherwise);
}

static const char *finish_form(const struct raw_form *own, const struct raw_form *base, struct th_span stamp,
                               bool one, struct tenterhook_signature *out)
{
    struct th_lib_form compiled;

    out->header = either(own->header, base->header, "");
    out->algorithm = (enum tenterhook_algorithm)th_lib_choose(either(own->algorithm, base->algorithm, ""),
                                                              TH_NAMES_OF_ALGORITHM(NAME));
    out->key = (enum tenterhook_key)th_lib_choose(either(own->key, base->key, ""), TH_NAMES_OF_KEY(NAME));
    out->encoding = (enum tenterhook_encoding)th_lib_choose(either(own->encoding, base->encoding, ""),
                                                            TH_NAMES_OF_ENCODING(NAME));
    out->stamp = (enum tenterhook_stamp)th_lib_choose(
        either(own->timestamp.p ? own->timestamp : base->timestamp, stamp, "unix"), TH_NAMES_OF_STAMP(NAME));
    out->content = either(own->content, base->content, "");
    out->item = either(own->item, base->item, "{sig}");
    out->join = either(own->join, base->join, one ? "" : ",");
    out->wrap = either(own->wrap, base->wrap, "{items}");
    if (out->encoding == TENTERHOOK_HTTP_MESSAGE) {
        out->item = either(own->tag, base->tag, "");
        out->join = out->wrap = th_span(NULL, 0);
    }
    if (!out->stamp)
        return "timestamp must be unix, unix_millis or rfc3339";
    return th_lib_form(out, &compiled);
}

/* ---- the envelope ---- */

/* Where the scheme keeps the place of a field; NULL: nowhere. */
static struct tenterhook_path *path_of(struct tenterhook_scheme *s, struct th_span from)
{
    if (tenterhook_is(from, "data"))
        return &s->data;
    if (tenterhook_is(from, "event.type.object"))
        return &s->type;
    switch (th_lib_var(from)) {
    case TH_LIB_EVENT_ID:
        return &s->id;
    case TH_LIB_EVENT_TYPE:
        return &s->type;
    case TH_LIB_EVENT_TIME:
        return &s->time;
    case TH_LIB_RESOURCE_TYPE:
        return &s->resource_type;
    case TH_LIB_RESOURCE_ID:
        return &s->resource_id;
    case TH_LIB_ENDPOINT_ID:
        return &s->endpoint_id;
    case TH_LIB_DELIVERY_ID:
        return &s->delivery_id;
    default:
        return NULL;
    }
}

static bool take_path(struct th_yaml *y, struct reader *r, unsigned depth, struct th_span from)
{
    struct tenterhook_path *path = path_of(r->scheme, from);

    if (!path || path->depth)
        return true;
    for (unsigned k = 0; k <= depth; k++) {
        if (r->level[k].name.n == 0)
            return fault(y, "name must stand before shape");
        path->name[k] = r->level[k].name;
    }
    path->depth = depth + 1;
    if (path == &r->scheme->time && tenterhook_is(r->level[depth].as, "unix_millis"))
        r->scheme->time_form = TENTERHOOK_UNIX_MILLIS;
    return true;
}

static bool on_body(struct th_yaml *y, const struct th_span *scalar, struct reader *r)
{
    unsigned depth;

    if (!at_key(y, 1, "envelope"))
        return true;
    if (y->depth == 2) {
        if (!scalar)
            return true;
        r->passthrough = tenterhook_is(*scalar, "passthrough");
        return r->passthrough || fault(y, "the envelope must be a list, or passthrough");
    }
    /* frames: body, envelope list, member, then for each level "shape" list and member */
    if (y->depth < 4 || y->depth % 2 || (depth = (y->depth - 4) / 2) >= LEVELS)
        return y->depth % 2 ? true : fault(y, "the envelope is nested too deeply");
    if (y->depth > 4 && !at_key(y, y->depth - 3, "shape"))
        return true; /* a map of renamings */
    if (scalar) {
        if (at_key(y, y->depth - 1, "name"))
            return keep(y, scalar, &r->level[depth].name);
        if (at_key(y, y->depth - 1, "from"))
            return keep(y, scalar, &r->level[depth].from);
        if (at_key(y, y->depth - 1, "as"))
            return keep(y, scalar, &r->level[depth].as);
        return true;
    }
    if (r->level[depth].from.n && !take_path(y, r, depth, r->level[depth].from))
        return false;
    memset(&r->level[depth], 0, sizeof r->level[depth]);
    return true;
}

/* ---- the catalogue ---- */

/* Where a sample shows type and time, for dialects that pass data through. */
static void learn(struct reader *r, struct th_span type, struct th_span sample)
{
    struct th_json root, name, value;
    struct th_json_iter it;
    int64_t when;

    if (r->shown_type.depth || !th_lib_json(sample, &root) || root.type != TH_JSON_OBJECT)
        return;
    th_json_iter(&it, root);
    while (th_json_next(&it, &name, &value)) {
        struct th_span text;

        if (value.type != TH_JSON_STRING)
            continue;
        text = th_span(value.raw.p + 1, value.raw.n - 2);
        if (th_span_eq(text, type) && !r->shown_type.depth)
            r->shown_type =
                (struct tenterhook_path){.name = {th_span(name.raw.p + 1, name.raw.n - 2)}, .depth = 1};
        else if (th_lib_rfc3339(text, &when) && !r->shown_time.depth)
            r->shown_time =
                (struct tenterhook_path){.name = {th_span(name.raw.p + 1, name.raw.n - 2)}, .depth = 1};
    }
}

static bool on_catalogue(struct th_yaml *y, const struct th_span *scalar, struct reader *r)
{
    if (!at_key(y, 1, "types") || y->depth != 4)
        return true;
    if (!scalar)
        r->row_type = th_span(NULL, 0);
    else if (at_key(y, 3, "type"))
        r->row_type = *scalar;
    else if (at_key(y, 3, "sample") && r->row_type.n && !y->escaped)
        learn(r, r->row_type, *scalar);
    return true;
}

/* The lines of the group, from the one with its key to the one before the next top-level key. */
static void track_catalogue(struct th_yaml *y, const struct th_span *scalar, struct reader *r)
{
    bool in = at_key(y, 0, "catalogue");

    if (in && !r->in_catalogue && !r->catalogue_end)
        r->catalogue_at = (size_t)(y->frame[0].key.p - y->text.p);
    else if (!in && r->in_catalogue)
        r->catalogue_end = scalar ? (size_t)(y->frame[0].key.p - y->text.p) : y->at;
    r->in_catalogue = in;
}

/* ---- the file ---- */

/* A group that is there a second time would add to the first, or hide it. */
static bool begin_group(struct th_yaml *y, struct reader *r)
{
    unsigned bit =
        1u << th_lib_choose(y->frame[0].key,
                            "schema_version\0auth\0request\0signatures\0body\0catalogue\0secret\0");

    if (y->frame[0].key.p == r->group)
        return true;
    r->group = y->frame[0].key.p;
    if (bit > 1 && (r->groups & bit))
        return fault(y, "the group is there twice");
    r->groups |= bit;
    return true;
}

static bool on_file(struct th_yaml *y, const struct th_span *scalar)
{
    struct reader *r = y->ctx;

    if (y->frame[0].list)
        return fault(y, "a dialect is a map");
    if (y->depth == 1 && !scalar) {
        if (r->in_catalogue)
            r->catalogue_end = y->at;
        return true;
    }
    if (!begin_group(y, r))
        return false;
    track_catalogue(y, scalar, r);
    if (at_key(y, 0, "extends"))
        return fault(
            y,
            "it extends another file, which is not read here; `tenterhook dialect show --yaml FILE` writes "
            "both as one");
    if (y->depth == 1 && scalar->n == 0)
        return true; /* an empty group */
    if (at_key(y, 0, "schema_version") && y->depth == 1)
        return keep(y, scalar, &r->scheme->schema_version);
    if (at_key(y, 0, "auth"))
        return on_auth(y, scalar, r);
    if (at_key(y, 0, "request"))
        return on_request(y, scalar, r);
    if (at_key(y, 0, "signatures"))
        return on_signature(y, scalar, r);
    if (at_key(y, 0, "body"))
        return on_body(y, scalar, r);
    if (at_key(y, 0, "catalogue"))
        return on_catalogue(y, scalar, r);
    if (at_key(y, 0, "secret") && y->depth == 2 && scalar && at_key(y, 1, "signing"))
        r->oldest_signs = tenterhook_is(*scalar, "oldest");
    return true;
}

/* NULL, or what is wrong, with *line when it is of one. */
static const char *finish(struct reader *r, struct th_span text, unsigned *line)
{
    struct tenterhook_scheme *s = r->scheme;

    *line = r->best.line;
    for (unsigned i = 0; i < r->best.forms; i++) {
        const char *why =
            finish_form(&r->best.form[i], &r->best.form[0], r->stamp, r->oldest_signs, &s->signature[i]);
        if (why)
            return why;
    }
    *line = 0;
    s->signature_count = r->best.forms;
    if (!r->best.forms && !s->auth_header.p)
        return "the dialect neither signs nor sends a secret";
    if (s->auth_header.p && !s->auth_value.p)
        return "auth has no value";
    if (r->passthrough) {
        s->type = r->shown_type;
        s->time = r->shown_time;
    }
    if (r->catalogue_end > r->catalogue_at)
        s->catalogue = th_span(text.p + r->catalogue_at, r->catalogue_end - r->catalogue_at);
    return NULL;
}

enum tenterhook_result tenterhook_scheme_read(const char *text, size_t n, struct tenterhook_scheme *scheme,
                                              struct tenterhook_fault *fault_out)
{
    struct th_yaml y;
    struct reader r;
    const char *why;

    memset(scheme, 0, sizeof *scheme);
    memset(&r, 0, sizeof r);
    r.scheme = scheme;
    y.line = 0;
    if (n > FILE_MAX) {
        why = "too long";
    } else if (!th_yaml_walk(&y, th_span(text, n), on_file, NULL, &r)) {
        why = y.fault;
    } else {
        why = finish(&r, th_span(text, n), &y.line);
    }
    if (!why)
        return TENTERHOOK_OK;
    if (fault_out)
        *fault_out = (struct tenterhook_fault){y.line, why};
    memset(scheme, 0, sizeof *scheme);
    return TENTERHOOK_BAD_DIALECT;
}

enum tenterhook_result tenterhook_scheme_find(const char *name, struct tenterhook_scheme *scheme)
{
    memset(scheme, 0, sizeof *scheme);
    for (const struct th_lib_dialect *d = th_lib_dialects; d->name[0]; d++)
        if (name && strcmp(name, d->name) == 0)
            return tenterhook_scheme_read((const char *)th_lib_dialect_text + d->at, d->n, scheme, NULL);
    return TENTERHOOK_UNKNOWN_DIALECT;
}

const char *tenterhook_dialect_at(unsigned i)
{
    for (unsigned k = 0; k <= i; k++)
        if (!th_lib_dialects[k].name[0])
            return NULL;
    return th_lib_dialects[i].name;
}

/* ---- looking up a resource type ---- */

struct lookup {
    struct th_span type, row_type, row_resource, found, by_prefix;
};

static bool on_lookup(struct th_yaml *y, const struct th_span *scalar)
{
    struct lookup *l = y->ctx;

    if (y->depth == 3 && at_key(y, 1, "resources") && scalar) {
        if (!l->by_prefix.n && th_span_starts(l->type, y->frame[2].key) && y->frame[2].key.n)
            l->by_prefix = *scalar;
        return true;
    }
    if (y->depth != 4 || !at_key(y, 1, "types"))
        return true;
    if (scalar) {
        if (at_key(y, 3, "type"))
            l->row_type = *scalar;
        else if (at_key(y, 3, "resource") && !y->escaped)
            l->row_resource = *scalar;
        return true;
    }
    if (!l->found.p && th_span_eq(l->row_type, l->type) && l->row_resource.n)
        l->found = l->row_resource;
    l->row_type = l->row_resource = th_span(NULL, 0);
    return true;
}

struct th_span th_lib_resource(struct th_span catalogue, struct th_span type)
{
    struct th_yaml y;
    struct lookup l;

    memset(&l, 0, sizeof l);
    l.type = type;
    if (catalogue.n == 0 || type.n == 0 || !th_yaml_walk(&y, catalogue, on_lookup, NULL, &l))
        return th_span(NULL, 0);
    return l.found.p ? l.found : l.by_prefix;
}
