/* Structured log: logfmt on a terminal, JSON lines otherwise. Thread-safe, one write per line, never secrets.
 */
#ifndef TH_BASE_LOG_H
#define TH_BASE_LOG_H
#include "base/span.h"

enum th_log_level { TH_LOG_DEBUG, TH_LOG_INFO, TH_LOG_WARN, TH_LOG_ERROR };

struct th_log_kv {
    const char *key;
    enum { TH_KV_SPAN, TH_KV_I64 } kind;
    struct th_span s;
    int64_t i;
};
#define TH_KS(key, span_value) ((struct th_log_kv){(key), TH_KV_SPAN, (span_value), 0})
#define TH_KC(key, c_string) ((struct th_log_kv){(key), TH_KV_SPAN, th_str(c_string), 0})
#define TH_KI(key, number) ((struct th_log_kv){(key), TH_KV_I64, {0, 0}, (int64_t)(number)})

/** th_log(TH_LOG_INFO, "listening", TH_KC("address", text), TH_KI("port", 80)); the message is a constant
 * phrase. The values are computed only where the line is written. */
#define th_log(level, ...) TH_LOG_PICK(level, __VA_ARGS__, TH_LOG_END)
#define TH_LOG_END ((struct th_log_kv){0})
#define TH_LOG_PICK(level, message, ...)                                                                     \
    ((void)(th_log_wants(level) &&                                                                           \
            (th_log_write((level), (message), (const struct th_log_kv[]){__VA_ARGS__}), true)))

/** Whether lines of this level are written: ask before building a line that costs something to build. */
bool th_log_wants(enum th_log_level level);
/** kv ends with a row whose key is NULL. Writes one line to standard error. Any thread. */
void th_log_write(enum th_log_level level, const char *message, const struct th_log_kv *kv);

enum th_log_form { TH_LOG_AUTO, TH_LOG_LOGFMT, TH_LOG_JSON };
/** Call once at the start, before there are threads. AUTO is logfmt on a terminal, else JSON. */
void th_log_setup(enum th_log_level least, enum th_log_form form);
#endif
