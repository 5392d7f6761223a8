/* Ordering as an object of JSON: {"key": JSONPath or null, "max_wait": "1h" or null, "batch": 1 to 100}.
 *
 * A time to wait is a number and a unit, since people write hours and days here; it is shown in the largest unit that gives a whole
 * number. Whether the key is a good JSONPath is judged by the engine, as filters are. */
#include "api/ordering.h"
#include "api/fault.h"
#include "api/request.h"

enum { O_KEY, O_MAX_WAIT, O_BATCH, O_COUNT };

static const struct th_api_field fields[O_COUNT] = {
    {"key", TH_T_STRING, false, true, TH_ORDER_KEY_BYTES, 0, 0},
    {"max_wait", TH_T_STRING, false, true, 16, 0, 0},
    {"batch", TH_T_INTEGER, false, true, 0, 1, TH_ORDER_BATCH_MAX},
};

static const struct {
    char unit;
    uint32_t seconds;
} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

static bool seconds_of(struct th_span text, uint32_t *out)
{
    uint64_t n = 0;
    size_t i = 0;

    for (; i < text.n && i < 9 && th_is_digit(text.p[i]); i++)
        n = n * 10 + (uint64_t)(text.p[i] - '0');
    for (unsigned u = 0; i && i + 1 == text.n && u < sizeof units / sizeof *units; u++)
        if (text.p[i] == units[u].unit && n && n * units[u].seconds <= TH_ORDER_WAIT_MAX_S) {
            *out = (uint32_t)n * units[u].seconds;
            return true;
        }
    return false;
}

bool th_api_ordering_read(struct th_api_req *r, struct th_span pointer, struct th_json object,
                          struct th_ordering *out)
{
    struct th_api_value v[O_COUNT];

    if (!th_api_decode(r, object, pointer, fields, O_COUNT, false, v))
        return false;
    if (!v[O_KEY].present && !out->by)
        th_api_fault(r, th_api_fault_pointer(r, pointer, TH_LIT("key")),
                     "is required: a JSONPath such as $.data.order_id, or null to order the whole endpoint");
    if (v[O_KEY].present && !v[O_KEY].bad) {
        out->by = v[O_KEY].null ? TH_ORDER_ALL : TH_ORDER_KEY;
        out->key = v[O_KEY].null ? TH_LIT("") : v[O_KEY].text;
    }
    if (v[O_MAX_WAIT].present && v[O_MAX_WAIT].null)
        out->max_wait_s = 0;
    else if (v[O_MAX_WAIT].present && !v[O_MAX_WAIT].bad && !seconds_of(v[O_MAX_WAIT].text, &out->max_wait_s))
        th_api_fault(r, th_api_fault_pointer(r, pointer, TH_LIT("max_wait")),
                     "must be 1s to 30d: a number with the unit s, m, h or d; or null to wait until the "
                     "delivery has ended");
    if (v[O_BATCH].present && !v[O_BATCH].bad)
        out->batch = v[O_BATCH].null ? 0 : (uint32_t)v[O_BATCH].i;
    return true;
}

void th_api_ordering_write(struct th_jw *w, const struct th_ordering *o)
{
    unsigned u = 0;

    th_jw_object(w);
    th_jw_key(w, TH_LIT("key"));
    if (o->by == TH_ORDER_KEY)
        th_jw_string(w, o->key);
    else
        th_jw_null(w);
    th_jw_key(w, TH_LIT("max_wait"));
    while (o->max_wait_s % units[u].seconds)
        u++;
    if (o->max_wait_s)
        th_jw_raw(w, TH_LIT("\""));
    if (o->max_wait_s)
        th_buf_printf(w->out, "%u%c\"", o->max_wait_s / units[u].seconds, units[u].unit);
    else
        th_jw_null(w);
    if (o->batch > 1) {
        th_jw_key(w, TH_LIT("batch"));
        th_jw_u64(w, o->batch);
    }
    th_jw_end_object(w);
}
