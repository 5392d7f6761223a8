/* General categories of Unicode's characters, for \p{..} and \P{..}: a sorted table of where one begins, made by
 * tools/make-categories. */
#include "core/jsonpath/iregexp.h"

/* In the order of RFC 9485: the names of a group stand together. */
/* clang-format off */
#define TH_CATEGORIES(X) \
    X(Ll) X(Lm) X(Lo) X(Lt) X(Lu) X(Mc) X(Me) X(Mn) X(Nd) X(Nl) X(No) X(Pc) X(Pd) X(Pe) X(Pf) X(Pi) X(Po) X(Ps) \
    X(Zl) X(Zp) X(Zs) X(Sc) X(Sk) X(Sm) X(So) X(Cc) X(Cf) X(Cn) X(Co)
/* clang-format on */

#define X(name) CAT_##name,
enum { TH_CATEGORIES(X) CAT_COUNT };
#undef X
#define X(name) #name,
static const char *const names[CAT_COUNT] = {TH_CATEGORIES(X)};
#undef X

#define R(from, name) ((uint32_t)(from) << 5 | CAT_##name),
static const uint32_t begins[] = {
#include "core/jsonpath/categories.def"
};
#undef R

uint32_t th_iregexp_category(uint32_t c)
{
    size_t low = 0, high = sizeof begins / sizeof *begins; /* begins[low] <= c < begins[high] */

    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;

        if (begins[mid] >> 5 <= c)
            low = mid;
        else
            high = mid;
    }
    return 1u << (begins[low] & 31);
}

uint32_t th_iregexp_category_bits(struct th_span name)
{
    uint32_t bits = 0;

    if (name.n != 1 && name.n != 2)
        return 0;
    for (unsigned i = 0; i < CAT_COUNT; i++)
        if (memcmp(names[i], name.p, name.n) == 0)
            bits |= 1u << i;
    return bits;
}
