/* International host names.
 *
 * Why here: what a tenant writes (`bücher.example`) and what goes over the wire and into certificates
 * (`xn--bcher-kva.example`) must be the same name for everybody who looks at either, so conversion happens once, where the
 * URL comes in, and the ASCII form is what is stored, judged, resolved and sent.
 *
 * Refuses: everything that UTS 46 refuses (IDNA2008, not transitional, so `ß` stays what it is); characters that the mapping
 * would replace by others or drop, capitals aside (a reader without the mapping sees another host); labels that mix scripts
 * whose letters look alike, or consist of look-alikes of Latin letters only (UTS 39, "moderately restrictive"). Whoever
 * owns such a name can still give it in its ASCII form, which nobody takes for another.
 *
 * No memory is kept; what libidn2 allocates is freed here. */
#include "net/idn.h"
#include <idn2.h>

enum { HOST_MAX = 1024 }; /* bytes of UTF-8; a host name has at most 253 characters */

/* ---- where the host lies ---- */

/* False: no host that could be an international name. */
static bool find_host(struct th_span url, size_t *from, size_t *to)
{
    size_t i = 0, end;

    while (i + 3 <= url.n && memcmp(url.p + i, "://", 3) != 0)
        i++;
    if (i + 3 >= url.n || url.p[i + 3] == '[')
        return false;
    *from = i + 3;
    for (end = *from; end < url.n && !memchr("/?#\\", url.p[end], 4); end++)
        if (url.p[end] == '@')
            return false;
    *to = *from;
    while (*to < end && url.p[*to] != ':')
        ++*to;
    return *to > *from && *to - *from < HOST_MAX;
}

static bool is_ascii(struct th_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

/* The next code point of valid UTF-8. */
static uint32_t next_point(const char *text, size_t *i)
{
    unsigned char c = (unsigned char)text[(*i)++];
    unsigned more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    uint32_t point = more == 3 ? c & 7u : more == 2 ? c & 15u : more ? c & 31u : c;

    while (more-- && text[*i])
        point = point << 6 | ((unsigned char)text[(*i)++] & 63u);
    return point;
}

/* ---- scripts ---- */

enum script { COMMON, LATIN, GREEK, CYRILLIC, ARMENIAN, CHEROKEE, HAN, KANA, BOPOMOFO, HANGUL, OTHER };

static const struct {
    uint32_t from, to;
    enum script script;
} scripts[] = {
    {0, 0x40, COMMON},          {0x41, 0x5a, LATIN},        {0x5b, 0x60, COMMON},
    {0x61, 0x7a, LATIN},        {0x7b, 0xa9, COMMON},       {0xaa, 0xaa, LATIN},
    {0xab, 0xb9, COMMON},       {0xba, 0xba, LATIN},        {0xbb, 0xbf, COMMON},
    {0xc0, 0x2af, LATIN},       {0x2b0, 0x36f, COMMON},     {0x370, 0x3ff, GREEK},
    {0x400, 0x52f, CYRILLIC},   {0x530, 0x58f, ARMENIAN},   {0x1100, 0x11ff, HANGUL},
    {0x13a0, 0x13ff, CHEROKEE}, {0x1c80, 0x1c8f, CYRILLIC}, {0x1e00, 0x1eff, LATIN},
    {0x1f00, 0x1fff, GREEK},    {0x2000, 0x2bff, COMMON},   {0x2c60, 0x2c7f, LATIN},
    {0x2de0, 0x2dff, CYRILLIC}, {0x2e80, 0x2fdf, HAN},      {0x3000, 0x3004, COMMON},
    {0x3005, 0x3007, HAN},      {0x3041, 0x30fa, KANA},     {0x30fb, 0x30fc, COMMON},
    {0x30fd, 0x30ff, KANA},     {0x3100, 0x312f, BOPOMOFO}, {0x3130, 0x318f, HANGUL},
    {0x31a0, 0x31bf, BOPOMOFO}, {0x31f0, 0x31ff, KANA},     {0x3400, 0x4dbf, HAN},
    {0x4e00, 0x9fff, HAN},      {0xa640, 0xa69f, CYRILLIC}, {0xa720, 0xa7ff, LATIN},
    {0xa960, 0xa97f, HANGUL},   {0xab30, 0xab64, LATIN},    {0xab70, 0xabbf, CHEROKEE},
    {0xac00, 0xd7ff, HANGUL},   {0xf900, 0xfaff, HAN},      {0x20000, 0x3ffff, HAN},
};

/* Letters that nobody can tell apart from Latin ones. */
static const uint32_t latin_alike[] = {
    0x430, 0x435, 0x43e, 0x440, 0x441, 0x443, 0x445, 0x455, 0x456, 0x458, 0x475, 0x4bb, 0x4cf, 0x501, 0x50d,
    0x51b, 0x51d, 0x3b1, 0x3b9, 0x3ba, 0x3bd, 0x3bf, 0x3c1, 0x3c4, 0x3c5, 0x3c9, 0x566, 0x578, 0x57d, 0x585,
};

/* What is known about one label. */
struct label {
    unsigned seen;       /* bits of enum script */
    uint32_t other;      /* block of the script that has no name here */
    bool others;         /* more than one such block */
    bool all_alike, any; /* of its letters */
};

static void look_at(struct label *l, uint32_t point)
{
    enum script script = OTHER;
    bool alike = false;

    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        if (point >= scripts[i].from && point <= scripts[i].to)
            script = scripts[i].script;
    if (script == COMMON)
        return;
    if (script == OTHER) {
        l->others = l->others || ((l->seen & 1u << OTHER) && l->other != point >> 7);
        l->other = point >> 7;
    }
    l->seen |= 1u << script;
    for (size_t i = 0; i < sizeof latin_alike / sizeof latin_alike[0]; i++)
        alike = alike || latin_alike[i] == point;
    l->all_alike = (!l->any || l->all_alike) && alike;
    l->any = true;
}

static const char *judge_label(const struct label *l)
{
    const unsigned alike = 1u << LATIN | 1u << GREEK | 1u << CYRILLIC | 1u << ARMENIAN | 1u << CHEROKEE;
    unsigned east = l->seen & (1u << HAN | 1u << KANA | 1u << BOPOMOFO | 1u << HANGUL);
    unsigned rest = l->seen & ~(1u << LATIN | east), looks = l->seen & alike;
    bool mixed = l->others || (rest & (rest - 1)) || (rest && east) || (looks & (looks - 1)) ||
                 ((east & ~(1u << HAN)) & ((east & ~(1u << HAN)) - 1));

    if (mixed)
        return "the host name mixes scripts whose letters can be taken for each other; if it is meant, write "
               "it in its "
               "ASCII form (xn--)";
    if (l->any && l->all_alike)
        return "the host name has only letters that can be taken for Latin ones; if it is meant, write it in "
               "its ASCII "
               "form (xn--)";
    return NULL;
}

static const char *judge_scripts(const char *host)
{
    struct label l = {0};
    const char *why = NULL;

    for (size_t i = 0; host[i] && !why;) {
        uint32_t point = next_point(host, &i);

        if (point != '.') {
            look_at(&l, point);
            continue;
        }
        why = judge_label(&l);
        l = (struct label){0};
    }
    return why ? why : judge_label(&l);
}

/* Characters outside ASCII; marks that combine with the letter before do not count. */
static unsigned foreign(const char *text)
{
    unsigned n = 0;

    for (size_t i = 0; text[i];) {
        uint32_t point = next_point(text, &i);

        n += point >= 0x80 && !(point >= 0x300 && point <= 0x36f);
    }
    return n;
}

/* ---- conversion ---- */

static const char *refusal(int error)
{
    switch (error) {
    case IDN2_MALLOC:
        return "out of memory";
    case IDN2_TOO_BIG_LABEL:
    case IDN2_TOO_BIG_DOMAIN:
        return "the host name is too long in its ASCII form";
    case IDN2_BIDI:
        return "the host name mixes directions of writing";
    case IDN2_DISALLOWED:
    case IDN2_CONTEXTJ:
    case IDN2_CONTEXTO:
    case IDN2_CONTEXTJ_NO_RULE:
    case IDN2_CONTEXTO_NO_RULE:
    case IDN2_UNASSIGNED:
        return "the host name has a character that names cannot have";
    default:
        return "the host name is not a valid international name";
    }
}

static const char *convert(const char *host, char **ascii)
{
    char *shown = NULL;
    const char *why = NULL;
    int error = idn2_to_ascii_8z(host, ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);

    if (error != IDN2_OK)
        return refusal(error);
    error = idn2_to_unicode_8z8z(*ascii, &shown, 0);
    if (error != IDN2_OK)
        why = refusal(error);
    else if (foreign(shown) < foreign(host))
        why = "the host name has a character that stands for another one; write that one";
    else
        why = judge_scripts(shown);
    idn2_free(shown);
    if (why)
        idn2_free(*ascii);
    return why;
}

static void put(struct th_buf *out, struct th_span url, size_t from, const char *host, size_t to)
{
    th_buf_add(out, url.p, from);
    th_buf_str(out, host);
    th_buf_add(out, url.p + to, url.n - to);
}

bool th_idn_url(struct th_span url, struct th_buf *out, const char **why)
{
    char host[HOST_MAX], *ascii;
    size_t from, to;

    *why = NULL;
    th_buf_reset(out);
    if (!find_host(url, &from, &to) || is_ascii(th_span(url.p + from, to - from)))
        return false;
    memcpy(host, url.p + from, to - from);
    host[to - from] = 0;
    *why = convert(host, &ascii);
    if (*why)
        return true;
    put(out, url, from, ascii, to);
    idn2_free(ascii);
    if (out->failed)
        *why = out->failed == TH_NOMEM ? "out of memory" : "the URL is too long with its host name in ASCII";
    return true;
}

static bool has_xn(struct th_span host)
{
    for (size_t i = 0; i + 4 <= host.n; i++)
        if ((i == 0 || host.p[i - 1] == '.') && th_span_ieq(th_span(host.p + i, 4), TH_LIT("xn--")))
            return true;
    return false;
}

bool th_idn_show(struct th_span url, struct th_buf *out)
{
    char host[HOST_MAX], *shown = NULL;
    size_t from, to;

    th_buf_reset(out);
    if (!find_host(url, &from, &to) || !has_xn(th_span(url.p + from, to - from)))
        return false;
    memcpy(host, url.p + from, to - from);
    host[to - from] = 0;
    if (idn2_to_unicode_8z8z(host, &shown, 0) != IDN2_OK)
        return false;
    put(out, url, from, shown, to);
    idn2_free(shown);
    if (out->failed)
        th_buf_reset(out);
    return out->n > 0;
}
