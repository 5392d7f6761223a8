/* For the targets of libtenterhook: spans out of a taken piece, and the built-in dialects with verifiers. */
#ifndef TH_TEST_LIB_FUZZ_H
#define TH_TEST_LIB_FUZZ_H
#include "fuzz.h"
#include "lib/internal.h"

#define DIALECTS_MAX 32
#define NOW INT64_C(1700000000)

static inline struct th_span span_of(struct fuzz_bytes b)
{
    return th_span(b.p, b.n);
}

static inline bool lies_in(struct th_span s, const void *p, size_t n)
{
    return s.n == 0 || ((const char *)p <= s.p && s.p + s.n <= (const char *)p + n);
}

/** Secrets for all forms of keys: each scheme takes one of them. With hex and base64, Ed25519 signs with the
 * seed and verifies with the public key. */
static const struct {
    const char *sign, *verify;
} secrets[] = {
    {"MDEyMzQ1Njc4OWFiY2RlZg==", NULL},
    {"whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=", NULL},
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"},
    {"nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}};
#define SECRETS (sizeof secrets / sizeof *secrets)

static inline bool is_asymmetric(const struct tenterhook_scheme *s, unsigned form)
{
    return s->signature_count && s->signature[form].algorithm == TENTERHOOK_ED25519;
}

static inline struct th_span verifying_secret(const struct tenterhook_scheme *s, unsigned i)
{
    bool pair = is_asymmetric(s, 0) && secrets[i].verify;

    return tenterhook_str(pair ? secrets[i].verify : secrets[i].sign);
}

/** The i-th built-in scheme, in a circle. Read once. */
static inline const struct tenterhook_scheme *built_in(unsigned i)
{
    static struct tenterhook_scheme schemes[DIALECTS_MAX];
    static unsigned count;

    for (const char *name; count == 0 || (name = tenterhook_dialect_at(count)); count++)
        must(count < DIALECTS_MAX &&
             tenterhook_scheme_find(tenterhook_dialect_at(count), &schemes[count]) == TENTERHOOK_OK);
    return &schemes[i % count];
}

static inline bool serves(const struct tenterhook_verifier *v, const struct tenterhook_signature *form)
{
    const struct th_lib_verifier *in = th_lib_verifier(v);

    for (unsigned k = 0; k < in->key_count; k++)
        if (in->key[k].algorithm == form->algorithm && in->key[k].kind == form->key)
            return true;
    return false;
}

/** A verifier of the i-th built-in dialect, and which of the secrets it took: the first that fits a form of
 * signature. Made once. */
struct fuzz_verifier {
    struct tenterhook_verifier v;
    unsigned secret;
    bool ready;
};
static inline struct fuzz_verifier *built_in_verifier(unsigned i, unsigned form)
{
    static struct fuzz_verifier made[DIALECTS_MAX][TENTERHOOK_SIGNATURES_MAX];
    const struct tenterhook_scheme *s = built_in(i);
    struct fuzz_verifier *f = &made[s - built_in(0)][form];

    for (; !f->ready; f->secret += !f->ready) {
        struct th_span secret;

        must(f->secret < SECRETS);
        secret = verifying_secret(s, f->secret);
        f->ready = tenterhook_verifier_init(&f->v, s, &secret, 1, NULL) == TENTERHOOK_OK &&
                   (!s->signature_count || serves(&f->v, &s->signature[form]));
    }
    return f;
}
#endif
