/* HTTP Message Signatures (RFC 9421): what sender and receiver have to read alike. Pure. */
#ifndef TH_LIB_MESSAGE_H
#define TH_LIB_MESSAGE_H
#include "lib/span.h"

#define TH_MESSAGE_COMPONENTS 12 /* of one signature */
#define TH_MESSAGE_ROOM 300      /* of a derived component that is no piece of the URL */

/** Reads covered components as they stand in an inner list: `"@method" "content-digest"`. NULL, or what is wrong with them. */
const char *th_message_components(struct th_span text, struct th_span name[TH_MESSAGE_COMPONENTS],
                                  unsigned *count);
/** The value of a derived component (RFC 9421 section 2.2) of a request. url: absolute, with a path, without a fragment; in
 * room lies what is not a piece of it. False: it is none of those that are known here, or url or method is not there. */
bool th_message_derived(struct th_span name, struct th_span method, struct th_span url,
                        char room[TH_MESSAGE_ROOM], struct th_span *value);
#endif
