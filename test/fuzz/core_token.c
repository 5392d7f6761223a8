/* The answer of a token's server, which a tenant chooses, of any bytes: a token that is taken can stand in a header line and
 * lives from a second to a day, the same text gives the same twice, a refusal has a reason; an error is a word or nothing. A
 * token of the input's bytes, written as JSON by us, is taken if and only if it can stand in a header. Input: the answer. */
#include "core/reach.h"
#include "fuzz.h"

static bool is_visible(struct th_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return s.n > 0 && s.n <= TH_AUTH_TOKEN_BYTES;
}

static void answer(struct th_span text)
{
    struct th_auth_token token = {.lives_s = 0}, again = {.lives_s = 0};
    struct th_span word = th_auth_token_error(text);
    const char *why = NULL, *why_again = NULL;
    struct th_arena mem;
    enum th_error error;

    for (size_t i = 0; i < word.n; i++)
        must(word.p[i] == '_' || (word.p[i] >= 'a' && word.p[i] <= 'z'));
    must(word.n <= 64);
    th_arena_init(&mem, (size_t)1 << 20);
    error = th_auth_token_read(text, &mem, &token, &why);
    must(error == TH_OK || (error == TH_INVALID && why && *why));
    must(th_auth_token_read(text, &mem, &again, &why_again) == error);
    if (!error) {
        must(is_visible(token.text) && token.lives_s >= 1 && token.lives_s <= 86400);
        must(th_span_eq(token.text, again.text) && token.lives_s == again.lives_s);
    } else {
        must(why == why_again);
    }
    th_arena_fini(&mem);
}

/* The same bytes as the token of an answer that is right but for them. */
static void as_token(struct th_span text)
{
    struct th_auth_token token;
    const char *why;
    struct th_arena mem;
    struct th_buf json;
    struct th_jw w;
    enum th_error error;

    th_buf_init(&json, (size_t)1 << 16);
    th_arena_init(&mem, (size_t)1 << 20);
    w = th_jw(&json);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("access_token"));
    th_jw_string(&w, text);
    th_jw_key(&w, TH_LIT("token_type"));
    th_jw_string(&w, TH_LIT("bearer"));
    th_jw_end_object(&w);
    must(!json.failed);
    error = th_auth_token_read(th_buf_view(&json), &mem, &token, &why);
    must((error == TH_OK) == is_visible(text));
    must(error || (th_span_eq(token.text, text) && token.lives_s == 300));
    th_arena_fini(&mem);
    th_buf_fini(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    struct fuzz_bytes bytes = fuzz_rest(&f);

    answer(th_span(bytes.p, bytes.n));
    as_token(th_span(bytes.p, bytes.n));
    fuzz_end(&f);
    return 0;
}
