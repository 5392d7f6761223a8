/* Hides secrets that an answer repeats: what a debug page echoes must not be stored in clear text.
 *
 * A mask recognises texts without holding them: of each it has the length, a keyed hash, and the sequences of 4 bytes (grams) at its
 * first five places. An answer is looked at in every fifth place only, so an answer without secrets costs next to nothing. */
#ifndef TH_CORE_MASK_H
#define TH_CORE_MASK_H
#include "base/buf.h"
#include <stdbool.h>
#include <stdint.h>

#define TH_NEEDLE_MIN 8    /* bytes of the shortest text that a mask can know */
#define TH_NEEDLE_VALUE 12 /* bytes from which a value that may be anything counts as a secret */
#define TH_NEEDLES_MAX 256

/** Texts to be masked, in clear: wipe them with th_needles_fini. */
struct th_needles {
    struct th_buf text;
    uint32_t end[TH_NEEDLES_MAX];
    unsigned count;
};
void th_needles_init(struct th_needles *n);
void th_needles_fini(struct th_needles *n);
/** Adds a text of at least `min` bytes. Shorter ones, those that are there already, and more than
 * TH_NEEDLES_MAX are left out. */
void th_needles_add(struct th_needles *n, struct th_span text, size_t min);
/** Adds bytes, and their forms in hex, base64 and base64url. */
void th_needles_bytes(struct th_needles *n, const void *p, size_t count);
/** Adds the value of a header: the whole, its credentials behind the scheme, and the decoded credentials of
 * Basic. */
void th_needles_header(struct th_needles *n, struct th_span value);
/** Adds path and query of a URL: the whole, its segments and its values, also without percent-encoding. */
void th_needles_target(struct th_needles *n, struct th_span target);

struct th_mask;
/** Makes a mask of the texts; *out is NULL when there are none. TH_NOMEM. Free it with th_mask_free. */
TH_MUST_USE enum th_error th_mask_new(const struct th_needles *n, uint64_t seed, struct th_mask **out);
void th_mask_free(struct th_mask *m);
/** Appends `text` with "***" for all that the masks know (NULL ones know nothing), also where it stands with the escapes of
 * JSON, of URLs or of HTML. cut: the text ends where it was cut, so the beginning of a known text at its end counts too.
 * Failure is out->failed; then nothing is to be used. Never appends more bytes than `text` has. */
void th_mask_write(struct th_mask *const *masks, unsigned count, struct th_span text, bool cut,
                   struct th_buf *out);
#endif
