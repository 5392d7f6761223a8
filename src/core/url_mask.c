/* URLs that are credentials: whoever knows the path or the query may post there.
 *
 * The endpoint says whether its URL is one; without its word only the names in the query decide. When a name looks
 * like a credential's and is not, the only harm is that the URL is shown to fewer people. */
#include "core/guard.h"

static bool is_letter(char c)
{
    return th_lower(c) >= 'a' && th_lower(c) <= 'z';
}

/* A word of a name ends where the letters end, and where small ones are followed by a capital. */
static struct th_span next_word(struct th_span *rest)
{
    struct th_span word;
    size_t n = 0;

    while (rest->n && !is_letter(*rest->p)) {
        rest->p++;
        rest->n--;
    }
    while (n < rest->n && is_letter(rest->p[n]) && !(n && rest->p[n] <= 'Z' && rest->p[n - 1] >= 'a'))
        n++;
    word = th_span(rest->p, n);
    rest->p += n;
    rest->n -= n;
    return word;
}

/* "key" in "apikey" and "accesskey", "token" in "xtoken": the end of a word counts. */
static bool ends_in(struct th_span word, struct th_span end)
{
    return word.n >= end.n && th_span_ieq(th_span(word.p + word.n - end.n, end.n), end);
}

static bool names_credential(struct th_span name)
{
    static const char *const words[] = {"sig", "auth", "jwt", "pwd", "pass", "hmac", "code", "authorization"};
    static const char *const ends[] = {"token",      "tokens",      "key",       "keys",
                                       "secret",     "password",    "signature", "passwd",
                                       "credential", "credentials", "passphrase"};
    struct th_span word;

    while ((word = next_word(&name)).n) {
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (th_span_ieq(word, th_str(words[i])))
                return true;
        for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
            if (ends_in(word, th_str(ends[i])))
                return true;
    }
    return false;
}

bool th_url_has_credential(struct th_span url)
{
    struct th_span query = url;

    (void)th_span_cut(&query, '?');
    while (query.n) {
        struct th_span value = th_span_cut(&query, '&'), name = th_span_cut(&value, '=');

        if (names_credential(name))
            return true;
    }
    return false;
}

/* Bytes of scheme and authority. */
static size_t origin_of(struct th_span url)
{
    size_t n = 0, slashes = 0;

    while (n < url.n && url.p[n] != '?' && !(url.p[n] == '/' && ++slashes == 3))
        n++;
    return n;
}

void th_url_mask(struct th_span url, struct th_buf *out)
{
    th_buf_add(out, url.p, origin_of(url));
    th_buf_str(out, "/***");
}

bool th_url_is_masked(struct th_span url)
{
    size_t n = origin_of(url);

    return th_span_is(th_span(url.p + n, url.n - n), "/***");
}
