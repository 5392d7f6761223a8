/* Descriptions in the OpenAPI document. NULL: there is no row. Private to api/. */
#ifndef TH_API_WORDS_H
#define TH_API_WORDS_H
#include "base/json.h"

const char *th_api_words(struct th_span schema, struct th_span property);
const char *th_api_words_example(const char *schema);
const char *th_api_words_tag(const char *path);
void th_api_words_tags(struct th_jw *w);
#endif
