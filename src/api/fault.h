/* The list of faults of a request. Private to api/. */
#ifndef TH_API_FAULT_H
#define TH_API_FAULT_H
#include "base/span.h"

struct th_api_req;

#define TH_API_MAX_ERRORS 20

struct th_api_fault {
    struct th_span pointer, detail; /* JSON pointer into the body, or the name of a query parameter */
    bool parameter;
};

/** Remembers one fault of the body (JSON pointer) or of the query (parameter name). Bytes are copied. */
void th_api_fault(struct th_api_req *r, struct th_span pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void th_api_fault_param(struct th_api_req *r, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** First name of a pointer, after the index of a batch ("/3/type": "type"), or the parameter's name. */
struct th_span th_api_fault_field(const struct th_api_fault *f);
/** prefix + "/" + name with ~ and / escaped (RFC 6901); cut when long. */
struct th_span th_api_fault_pointer(struct th_api_req *r, struct th_span prefix, struct th_span name);
#endif
