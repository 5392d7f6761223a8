/* Other spellings of a body, of which one may have been signed. */
#ifndef TH_CORE_RESTYLE_H
#define TH_CORE_RESTYLE_H
#include "base/buf.h"
#include "base/span.h"

enum th_restyle_way {
    TH_RESTYLE_NONE, /* as it is: it has no function */
    TH_RESTYLE_LESS_NEWLINE,
    TH_RESTYLE_MORE_NEWLINE,
    TH_RESTYLE_MINIFY,
    TH_RESTYLE_PYTHON,
    TH_RESTYLE_PYTHON_ASCII,
    TH_RESTYLE_ASCII,
    TH_RESTYLE_PHP,
    TH_RESTYLE_ECMASCRIPT,
    TH_RESTYLE_PRETTY2,
    TH_RESTYLE_PRETTY4,
    TH_RESTYLE_TO_LF,
    TH_RESTYLE_TO_CRLF,
    TH_RESTYLE_LESS_MARK,
    TH_RESTYLE_MORE_MARK,
    TH_RESTYLE_DECODED_ONCE,
    TH_RESTYLE_WITH_POINT,
    TH_RESTYLE_ENVELOPE,
    TH_RESTYLE_NOTHING,
    TH_RESTYLES
};

struct th_restyle {
    /* Appends the body written this way. False: that is not possible. */
    bool (*make)(struct th_span body, struct th_buf *out);
    const char *what;
};
extern const struct th_restyle th_restyles[TH_RESTYLES];
#endif
