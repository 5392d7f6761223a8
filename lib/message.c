/* What an HTTP message signature covers (RFC 9421): lists of components, and those values that no header carries. Sender
 * and receiver both take them from here, since a value that the two write differently is a signature that fits nowhere.
 *
 * Refuses: components with parameters, a name twice, names that are not lower case, and the signature's own headers, which
 * could not cover themselves. */
#include "lib/message.h"
#include "lib/internal.h"

static const char derived[] = "@method\0@target-uri\0@authority\0@scheme\0@request-target\0@path\0@query\0";
enum { METHOD = 1, TARGET_URI, AUTHORITY, SCHEME, REQUEST_TARGET, PATH, QUERY };

static bool is_name(struct th_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !th_is_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
            return false;
    return s.n > 0;
}

static const char *check_name(struct th_span name, const struct th_span *before, unsigned count)
{
    if (name.n && name.p[0] == '@' ? !th_lib_choose(name, derived) : !is_name(name))
        return "covers a component that is unknown, or not in lower case";
    if (tenterhook_is(name, "signature") || tenterhook_is(name, "signature-input"))
        return "cannot cover its own headers";
    for (unsigned i = 0; i < count; i++)
        if (th_span_eq(before[i], name))
            return "covers a component twice";
    return NULL;
}

const char *th_message_components(struct th_span text, struct th_span name[TH_MESSAGE_COMPONENTS],
                                  unsigned *count)
{
    *count = 0;
    while (text.n) {
        const char *end = text.p[0] == '"' ? memchr(text.p + 1, '"', text.n - 1) : NULL, *why;
        struct th_span one;

        if (!end)
            return "must be a list of components in double quotes, as \"@method\" \"content-digest\"";
        one = th_span(text.p + 1, (size_t)(end - text.p) - 1);
        why = check_name(one, name, *count);
        if (!why && *count == TH_MESSAGE_COMPONENTS)
            why = "covers too many components";
        if (why)
            return why;
        name[(*count)++] = one;
        text = th_span(end + 1, text.n - one.n - 2);
        if (text.n && (text.n < 2 || text.p[0] != ' '))
            return "must have one space between two components, and no other";
        if (text.n)
            text = th_span(text.p + 1, text.n - 1);
    }
    return *count ? NULL : "must cover something";
}

static bool put_lower(struct th_span s, char room[TH_MESSAGE_ROOM], struct th_span *value)
{
    if (s.n == 0 || s.n > TH_MESSAGE_ROOM)
        return false;
    for (size_t i = 0; i < s.n; i++)
        room[i] = th_lower(s.p[i]);
    *value = th_span(room, s.n);
    return true;
}

bool th_message_derived(struct th_span name, struct th_span method, struct th_span url,
                        char room[TH_MESSAGE_ROOM], struct th_span *value)
{
    unsigned which = th_lib_choose(name, derived);
    size_t scheme = url.n ? th_lib_find(url, tenterhook_str("://")) : SIZE_MAX, at, query;
    struct th_span port;

    if (which == METHOD) {
        *value = method;
        return method.n > 0;
    }
    if (!which || scheme == SIZE_MAX)
        return false;
    for (at = scheme + 3; at < url.n && url.p[at] != '/' && url.p[at] != '?'; at++)
        ;
    if (at == url.n || url.p[at] != '/')
        return false;
    for (query = at; query < url.n && url.p[query] != '?'; query++)
        ;
    switch (which) {
    case AUTHORITY:
        port = scheme == 5 ? tenterhook_str(":443") : tenterhook_str(":80");
        *value = th_span(url.p + scheme + 3, at - scheme - 3);
        if (value->n > port.n && th_span_eq(th_span(value->p + value->n - port.n, port.n), port))
            value->n -= port.n;
        return put_lower(*value, room, value);
    case SCHEME:
        return put_lower(th_span(url.p, scheme), room, value);
    case REQUEST_TARGET:
        *value = th_span(url.p + at, url.n - at);
        return true;
    case PATH:
        *value = th_span(url.p + at, query - at);
        return true;
    case QUERY: /* "?" where there is none */
        *value = query < url.n ? th_span(url.p + query, url.n - query) : tenterhook_str("?");
        return true;
    default:
        *value = url;
        return true;
    }
}
