/* Sessions of operators in browsers. Private to api/. */
#ifndef TH_API_SESSION_H
#define TH_API_SESSION_H
#include "base/error.h"
#include "base/span.h"
#include "core/guard.h"
#include "port/clock.h"

#include <pthread.h>

struct th_entropy;

#define TH_API_SESSIONS 1000   /* sessions and links in all */
#define TH_API_KEY_SESSIONS 50 /* of one key */
#define TH_API_TOKEN 64        /* bytes of a token's text at most, NUL included */

enum th_api_session_kind { TH_SESSION_FREE, TH_SESSION_OPEN, TH_SESSION_LINK };

struct th_api_session {
    enum th_api_session_kind kind;
    uint8_t hash[32]; /* SHA-256 of its token */
    uint8_t key[32];  /* of the operator's key that it stands for */
    char id[24];      /* "ses_" and 16 digits */
    char csrf[33];
    int64_t until_us, end_us; /* monotonic: unless it is used before; in any case */
    int64_t made_ms, used_ms, end_ms;
    struct th_addr from;
};

struct th_api_sessions {
    pthread_mutex_t lock; /* of all; held for one look-up */
    struct th_api_session v[TH_API_SESSIONS];
};

/** How long it may be idle, and how long it lasts. */
struct th_api_session_times {
    int64_t idle_s, life_s;
};

void th_api_sessions_init(struct th_api_sessions *s);
void th_api_sessions_fini(struct th_api_sessions *s);
/** Makes one for the key with this hash; its token is written to `token`, and what it is to *out. Where there is no more room,
 * the one that was used longest ago ends: of the same key when that one has its share, else of all. */
void th_api_session_make(struct th_api_sessions *s, enum th_api_session_kind kind, const uint8_t key[32],
                         const struct th_entropy *entropy, struct th_now now,
                         struct th_api_session_times times, const struct th_addr *from,
                         char token[TH_API_TOKEN], struct th_api_session *out);
/** The one with this token, copied; idle_s > 0: it has been used now. False: there is none, or it has ended. */
bool th_api_session_find(struct th_api_sessions *s, enum th_api_session_kind kind, struct th_span token,
                         struct th_now now, int64_t idle_s, struct th_api_session *out);
/** Whether the one with this hash is still open, without using it. */
bool th_api_session_is_open(struct th_api_sessions *s, const uint8_t hash[32], struct th_now now);
/** Ends the one with this hash. False: somebody else has. */
bool th_api_session_end(struct th_api_sessions *s, const uint8_t hash[32]);
/** Copies the open ones, newest first, at most TH_API_SESSIONS; returns how many. */
unsigned th_api_session_list(struct th_api_sessions *s, struct th_now now, struct th_api_session *out);
#endif
