/* Sessions of operators in browsers. Private to api/. */
#ifndef TH_API_SESSION_H
#define TH_API_SESSION_H
#include "api/token.h"
#include "base/error.h"
#include "base/span.h"
#include "core/guard.h"
#include "port/clock.h"

#include <pthread.h>

#define TH_API_SESSIONS 1000   /* sessions and links in all */
#define TH_API_KEY_SESSIONS 50 /* sessions of one key: its share */

enum th_api_session_kind { TH_SESSION_FREE, TH_SESSION_OPEN, TH_SESSION_LINK };

struct th_api_session {
    enum th_api_session_kind kind;
    uint8_t hash[32]; /* SHA-256 of its token */
    uint8_t key[32];  /* the hash of the operator's key for which it stands */
    char id[24];      /* "ses_" and 16 digits */
    char csrf[33];
    int64_t until_us, end_us; /* monotonic: its end if it is not used before, and its end in any case */
    int64_t made_ms, used_ms, end_ms;
    struct th_addr from;
};

struct th_api_sessions {
    pthread_mutex_t lock; /* of all; held for one look-up */
    struct th_api_session v[TH_API_SESSIONS];
};

/** How long a session may be idle, and how long it lasts. */
struct th_api_session_times {
    int64_t idle_s, life_s;
};

void th_api_sessions_init(struct th_api_sessions *s);
void th_api_sessions_fini(struct th_api_sessions *s);
/** Makes a session or a link for the key with this hash; its token is written to `token`, and the session to
 * *out. If there is no more room, the session that has been unused for the longest ends: one of the same key
 * when that key has its share, otherwise one of all. */
void th_api_session_make(struct th_api_sessions *s, enum th_api_session_kind kind, const uint8_t key[32],
                         const struct th_entropy *entropy, struct th_now now,
                         struct th_api_session_times times, const struct th_addr *from,
                         char token[TH_API_TOKEN], struct th_api_session *out);
/** Copies the session with this token; idle_s > 0: counts it as used now. False: there is none, or it has
 * ended. */
bool th_api_session_find(struct th_api_sessions *s, enum th_api_session_kind kind, struct th_span token,
                         struct th_now now, int64_t idle_s, struct th_api_session *out);
/** Tells whether the session with this hash is still open, without counting it as used. */
bool th_api_session_is_open(struct th_api_sessions *s, const uint8_t hash[32], struct th_now now);
/** Ends the session with this hash. False: somebody else has ended it. */
bool th_api_session_end(struct th_api_sessions *s, const uint8_t hash[32]);
/** Copies the open sessions, newest first, at most TH_API_SESSIONS; returns how many. */
unsigned th_api_session_list(struct th_api_sessions *s, struct th_now now, struct th_api_session *out);
#endif
