/* A tenant is near one of its limits: reports that once, in the log and to the tenant "operator", until there
 * is room again. Limits of the tenant "operator" itself are not reported. Home reports for all engines. */
#include "engine/shard/near.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "engine/mail.h"
#include "engine/shard/operator.h"
#include "engine/state.h"

struct near_letter {
    struct th_mail mail;
    uint64_t tenant;
    enum th_limit id;
};

static void near_heard(struct th_engine *home, struct th_mail *m)
{
    struct near_letter *l = TH_CONTAINER(m, struct near_letter, mail);
    struct th_tenant *t = th_map_get(&home->tenants_by_no, l->tenant);

    if (t && !t->deleting)
        th_near_added(home, t, l->id);
    th_free(l);
}

void th_near_added(struct th_engine *e, struct th_tenant *t, enum th_limit id)
{
    int64_t allowed = th_engine_allowed(e, t, id), used;
    unsigned bit = 1u << id;

    if (!allowed)
        return;
    used = th_engine_used(e, t, id);
    if (!th_engine_near(e, used, allowed)) {
        t->near &= ~bit;
        return;
    }
    if (t->near & bit)
        return;
    t->near |= bit;
    if (!th_is_home(e)) { /* which says it once for all */
        struct near_letter *l = th_calloc(1, sizeof *l);
        if (l) {
            l->tenant = t->no;
            l->id = id;
            th_mail_send(e, 0, &l->mail, near_heard);
        }
        return;
    }
    th_log(TH_LOG_WARN, "a tenant nears a limit; raise it with PUT /v1/tenants/{tenant}, or find out why",
           TH_KS("tenant", t->id), TH_KC("limit", th_limit_name(id)), TH_KI("used", used),
           TH_KI("allowed", allowed));
    th_operator_limit(e, t, id, used, allowed);
}
