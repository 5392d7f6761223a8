/* The keys of those groups of a dialect file that sender and receiver both read: one list for the schema of the server
 * (core/dialect_schema.c) and for the library (lib/scheme.c).
 *
 * X(key, whose): RECEIVER: the library takes its value. SENDER: it concerns the sender alone, and the library passes over it.
  * The schema does not compile with a key that is not listed here, and the library refuses every key that is not listed: a misspelt key
 * would weaken its check silently. The order is the one in which the server shows the keys. */
#ifndef TH_LIB_DIALECT_KEYS_H
#define TH_LIB_DIALECT_KEYS_H

#define TH_KEYS_OF_REQUEST(X)                                                                                \
    X(method, SENDER)                                                                                        \
    X(content_type, SENDER) X(user_agent, SENDER) X(timestamp, RECEIVER) X(headers, RECEIVER)
#define TH_KEYS_OF_HEADER(X)                                                                                 \
    X(name, RECEIVER) X(value, RECEIVER) X(otherwise, SENDER) X(escape, SENDER) X(when, SENDER)
#define TH_KEYS_OF_AUTH(X) X(header, RECEIVER) X(value, RECEIVER)
#define TH_KEYS_OF_FORM(X)                                                                                   \
    X(header, RECEIVER)                                                                                      \
    X(algorithm, RECEIVER)                                                                                   \
    X(key, RECEIVER)                                                                                         \
    X(content, RECEIVER)                                                                                     \
    X(timestamp, RECEIVER)                                                                                   \
    X(encoding, RECEIVER) X(item, RECEIVER) X(join, RECEIVER) X(wrap, RECEIVER) X(tag, RECEIVER)
#define TH_KEYS_OF_SIGNATURE(X)                                                                              \
    TH_KEYS_OF_FORM(X)                                                                                       \
    X(expires_seconds, SENDER) X(nonce, SENDER) X(variant, SENDER) X(when, SENDER) X(variants, RECEIVER)
#define TH_KEYS_OF_VARIANT(X) TH_KEYS_OF_FORM(X) X(secret_form, SENDER)

/* Values of keys, in the order of the enumerations of both sides. */
#define TH_NAMES_OF_ALGORITHM(X) X("hmac-sha256") X("hmac-sha1") X("hmac-sha512") X("ed25519")
#define TH_NAMES_OF_KEY(X) X("utf8") X("hex") X("base64") X("whsec") X("whsk")
#define TH_NAMES_OF_ENCODING(X) X("hex") X("base64") X("http-message")
#define TH_NAMES_OF_STAMP(X) X("unix") X("unix_millis") X("rfc3339")
#endif
