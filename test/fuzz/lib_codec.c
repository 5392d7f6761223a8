/* The small readers under the verifier on any text: hex, base64, decimals, times, splitting. What is decoded
 * is the only value of that text, and writing it again gives the text. */
#include "lib_fuzz.h"

static void fuzz_hex(struct fuzz *f, th_lib_span text)
{
    uint8_t *out = (uint8_t *)fuzz_block(f, text.n / 2);
    char *again;
    size_t n;

    if (!th_lib_unhex(text, out, text.n / 2, &n)) {
        bool foreign = text.n % 2;

        for (size_t i = 0; i < text.n; i++)
            foreign |= !text.p[i] || !strchr("0123456789abcdefABCDEF", text.p[i]);
        must(foreign);
        return;
    }
    again = fuzz_block(f, text.n);
    must(n == text.n / 2 && th_lib_encode(TENTERHOOK_HEX, out, n, again) == text.n);
    must(th_lib_ieq(th_lib_of(again, text.n), text));
    must(n == 0 || !th_lib_unhex(text, out, n - 1, &n));
}

static void fuzz_base64(struct fuzz *f, th_lib_span text)
{
    size_t cap = text.n / 4 * 3, n;
    uint8_t *out = (uint8_t *)fuzz_block(f, cap);
    char *again;

    if (!th_lib_unbase64(text, out, cap, &n))
        return;
    must(n <= cap);
    again = fuzz_block(f, text.n);
    must(th_lib_encode(TENTERHOOK_BASE64, out, n, again) == text.n);
    must(th_lib_eq(th_lib_of(again, text.n), text)); /* no other spelling */
    must(n == 0 || !th_lib_unbase64(text, out, n - 1, &n));
}

/* Any bytes, written and read back. */
static void fuzz_encode(struct fuzz *f, th_lib_span bytes)
{
    const size_t length[] = {2 * bytes.n, (bytes.n + 2) / 3 * 4};
    uint8_t *back = (uint8_t *)fuzz_block(f, bytes.n);

    for (int i = 0; i < 2; i++) {
        char *text = fuzz_block(f, length[i]);
        size_t n =
            th_lib_encode(i ? TENTERHOOK_BASE64 : TENTERHOOK_HEX, (const uint8_t *)bytes.p, bytes.n, text);

        must(n == length[i]);
        must(i ? th_lib_unbase64(th_lib_of(text, n), back, bytes.n, &n)
               : th_lib_unhex(th_lib_of(text, n), back, bytes.n, &n));
        must(th_lib_eq(th_lib_of((char *)back, n), bytes));
    }
}

static void fuzz_numbers(th_lib_span text)
{
    char out[32];
    int64_t v, again;

    if (th_lib_decimal(text, &v)) {
        must(v >= 0 && v <= INT64_C(999999999999999));
        if (v <= INT64_C(253402300799))
            must(th_lib_eq(th_lib_of(out, th_lib_stamp(TENTERHOOK_UNIX, v, out)), text));
        else
            must(th_lib_stamp(TENTERHOOK_UNIX, v, out) == 0);
    }
    if (th_lib_rfc3339(text, &v)) {
        size_t n = th_lib_stamp(TENTERHOOK_RFC3339, v, out);

        must(v > -86400 && (v < 0) == (n == 0 && v < INT64_C(253402300800)));
        must(n == 0 || (th_lib_rfc3339(th_lib_of(out, n), &again) && again == v));
    }
}

static void fuzz_split(th_lib_span text, th_lib_span sep)
{
    th_lib_span rest = text, part;
    bool more = true;
    size_t parts = 0, bytes = 0;

    while (th_lib_split(&rest, sep, &part, &more)) {
        must(lies_in(part, text.p, text.n));
        must(sep.n == 0 || th_lib_find(part, sep) == SIZE_MAX);
        parts++;
        bytes += part.n;
    }
    must(parts > 0 && bytes + (parts - 1) * sep.n == text.n);
    if (sep.n) {
        size_t first = th_lib_find(text, sep), last = th_lib_find_last(text, sep);

        must((first == SIZE_MAX) == (parts == 1) && (last == SIZE_MAX) == (parts == 1));
        must(first <= last && (last == SIZE_MAX || last + sep.n <= text.n));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    th_lib_span first = span_of(fuzz_line(&f)), rest = span_of(fuzz_rest(&f));

    fuzz_hex(&f, first);
    fuzz_base64(&f, first);
    fuzz_encode(&f, rest);
    fuzz_numbers(first);
    fuzz_split(rest, first);
    fuzz_end(&f);
    return 0;
}
