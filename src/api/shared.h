/* State that the APIs of one process share, each of which runs on its own thread. Private to api/. */
#ifndef TH_API_SHARED_H
#define TH_API_SHARED_H
#include "api/meter.h"
#include "api/portal.h"
#include "api/session.h"
#include "base/map.h"

#define TH_API_NOTES 4096 /* addresses from which a key was right, see guess.c */

struct th_api_shared {
    struct th_api_meter keys, tenants, addresses; /* rate.c, guess.c; each has a lock of its own */

    /* guess.c */
    _Atomic int64_t guessed_until_us; /* some address must wait until then */
    _Atomic uint64_t notes[TH_API_NOTES];

    struct th_api_sessions sessions; /* with a lock of their own */
    struct th_api_portals portals;   /* likewise */

    pthread_mutex_t lock; /* guards what follows; held for one look-up */
    /* first 8 bytes of the key's hash → struct th_api_idem_first of the request that came first */
    struct th_map idem;
    int64_t guess_told_us; /* when the log last had a line about wrong keys */
    uint64_t guesses;      /* wrong keys since then */
    bool guess_told;
};

#endif
