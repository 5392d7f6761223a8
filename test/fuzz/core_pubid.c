/* Public ids from anybody: what is read is written as the same text, in both forms; and any id that is written is
 * read back. Input: the key's first byte, the length of the prefix, the text. */
#include "core/pubid.h"
#include "fuzz.h"

static void write(struct th_buf *out, bool uuid, const uint8_t key[16], struct th_span prefix,
                  struct th_pubid id)
{
    th_buf_reset(out);
    if (uuid)
        th_pubid_format_uuid(out, key, prefix, id);
    else
        th_pubid_format(out, key, prefix, id);
    must(!out->failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    uint8_t key[16] = {fuzz_byte(&f)};
    size_t cut = fuzz_byte(&f) % 8;
    struct fuzz_bytes bytes = fuzz_rest(&f);
    struct th_span text = th_span(bytes.p, bytes.n), prefix = th_span(bytes.p, cut < bytes.n ? cut : bytes.n);
    struct th_pubid id = {.no = 1}, again;
    struct th_buf out;

    th_buf_init(&out, 256);
    for (int uuid = 0; uuid < 2; uuid++) {
        if (uuid ? th_pubid_parse_uuid(key, prefix, text, &again)
                 : th_pubid_parse(key, prefix, text, &again)) {
            id = again;
            write(&out, uuid, key, prefix, id);
            must(th_span_eq(th_buf_view(&out), text));
        }
        write(&out, uuid, key, prefix, id);
        if (uuid ? th_pubid_parse_uuid(key, prefix, th_buf_view(&out), &again)
                 : th_pubid_parse(key, prefix, th_buf_view(&out), &again))
            must(again.rnd == id.rnd && again.at.ms == id.at.ms && (uuid || again.no == id.no));
        else
            must(uuid); /* a number beyond what its bits can say */
    }
    th_buf_fini(&out);
    fuzz_end(&f);
    return 0;
}
