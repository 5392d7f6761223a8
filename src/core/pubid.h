/* Public ids without an index: prefix + 26 characters of Crockford base32 (ULID form): 48 bits of time (ms), 27 random
 * bits, 53 bits row number XOR a keyed hash of time and random bits. Decoding gives the number to read; the row's own
 * time and random bits then prove the id. Pure. */
#ifndef TH_CORE_PUBID_H
#define TH_CORE_PUBID_H
#include "base/buf.h"
#include "base/time.h"

struct th_pubid {
    struct th_wall at;
    uint32_t rnd; /* 27 bits */
    uint64_t no;  /* 53 bits, not 0 */
};
/** Appends prefix and 26 characters. key: 16 secret bytes of the installation. */
void th_pubid_format(struct th_buf *out, const uint8_t key[16], struct th_span prefix, struct th_pubid id);
/** The same as a UUID of version 7 (RFC 9562, 5.7): 48 bits of time, 27 random bits, and the number in 47 bits, masked in
 * the same way. LIMIT: it leads back to numbers whose counter (port/store.h) is below 2^34, which is 17 thousand million
 * rows a day; beyond that the row's time and random bits do not prove the id. */
void th_pubid_format_uuid(struct th_buf *out, const uint8_t key[16], struct th_span prefix,
                          struct th_pubid id);
/** A permutation of all 64-bit numbers, by key and tweak, and its inverse: the result tells nothing about the number, nor about the
 * distance between two numbers. It is for numbers in cursors and entity tags. */
uint64_t th_pubid_hide(const uint8_t key[16], uint64_t tweak, uint64_t no);
uint64_t th_pubid_show(const uint8_t key[16], uint64_t tweak, uint64_t hidden);
/** Integer ids. Numbers below `from` are shown as they are; those from `from` on are permuted among themselves by key and tweak, so
 * that an id tells nothing of how many there are, and no id of one part is one of the other. Both give numbers below 2^53,
 * which every JSON reader keeps exactly. LIMIT: numbers are shown as they are where `from` lies above 2^52, because the clock had stood in the year
 * 2037 or later before numbers were masked. */
uint64_t th_pubid_number(const uint8_t key[16], uint64_t tweak, uint64_t from, uint64_t no);
/** The number behind an integer id; 0: none. */
uint64_t th_pubid_number_of(const uint8_t key[16], uint64_t tweak, uint64_t from, uint64_t shown);
/** False when the text is not prefix + a UUID of version 7 in lower case. */
bool th_pubid_parse_uuid(const uint8_t key[16], struct th_span prefix, struct th_span text,
                         struct th_pubid *out);
/** False when the text is not prefix + 26 valid characters. The caller compares at and rnd with the row. */
bool th_pubid_parse(const uint8_t key[16], struct th_span prefix, struct th_span text, struct th_pubid *out);
#endif
