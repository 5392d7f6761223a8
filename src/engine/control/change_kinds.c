/* The functions of each kind of change: one row for each kind. */
#include "engine/control/change.h"

/* clang-format off */
const struct th_change_kind_row th_change_kinds[TH_CHANGE_KINDS] = {
    [TH_CHANGE_TENANT_PUT]       = {th_change_begin_tenant_put, th_change_end_tenant_put, NULL},
    [TH_CHANGE_TENANT_DEL]       = {th_change_begin_tenant_del, th_change_end_tenant_del, NULL},
    [TH_CHANGE_KEY_ADD]          = {th_change_begin_key_add, th_change_end_key_add, NULL},
    [TH_CHANGE_KEY_DEL]          = {th_change_begin_key_del, th_change_end_key_del, NULL},
    [TH_CHANGE_TYPE_PUT]         = {th_change_begin_type_put, th_change_end_type_put, NULL},
    [TH_CHANGE_TYPE_DEL]         = {th_change_begin_type_del, th_change_end_type_del, NULL},
    [TH_CHANGE_ENDPOINT_ADD]     = {th_change_begin_endpoint_put, th_change_end_endpoint_add, th_change_look_up},
    [TH_CHANGE_ENDPOINT_SET]     = {th_change_begin_endpoint_put, th_change_end_endpoint_set, th_change_look_up},
    [TH_CHANGE_ENDPOINT_DEL]     = {th_change_begin_endpoint_del, th_change_end_endpoint_del, NULL},
    [TH_CHANGE_ENDPOINT_DISABLE] = {th_change_begin_endpoint_disable, th_change_end_endpoint_set, NULL},
    [TH_CHANGE_ENDPOINT_CONSENT] = {th_ask_change_begin, th_change_end_endpoint_set, NULL},
    [TH_CHANGE_ENDPOINT_ENABLE]  = {th_change_begin_endpoint_enable, th_change_end_endpoint_set, NULL},
    [TH_CHANGE_SECRET_ROTATE]    = {th_change_begin_rotate, th_change_end_secrets, NULL},
    [TH_CHANGE_SECRET_REVOKE]    = {th_change_begin_revoke, th_change_end_secrets, NULL},
};
/* clang-format on */
