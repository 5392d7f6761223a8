/* Decodes scalars, which the walk of lib/yaml.h gives as they are written. Private to options/yaml.c. */
#ifndef TH_OPTIONS_YAML_LINES_H
#define TH_OPTIONS_YAML_LINES_H
#include "base/buf.h"
#include "lib/yaml.h"

/** A callback for th_yaml_walk: takes the further lines of a scalar. */
bool th_yaml_lines(struct th_yaml *y, bool flow, struct th_span *scalar);
/** Appends the text of a scalar or key whose written form differs from its text (y->escaped), while the walk
 * stands at it. Returns NULL, or what is wrong with it. */
const char *th_yaml_decode(const struct th_yaml *y, struct th_span s, char quote, struct th_buf *out);
#endif
