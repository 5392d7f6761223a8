/* Schemas, parameters and headers of the OpenAPI document. Each table ends with a row whose name is NULL. Private to api/. */
#ifndef TH_API_SCHEMAS_H
#define TH_API_SCHEMAS_H

struct th_api_schema {
    const char *name, *json;
};
extern const struct th_api_schema th_api_schemas[];
extern const struct th_api_schema th_api_schemas_parameters[];
extern const struct th_api_schema th_api_schemas_headers[]; /* of answers */
#endif
