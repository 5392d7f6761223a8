/* Runs a compiled I-Regexp: a set of places in the program, which one character of the text moves on. A place is in the set once, so
 * a character costs at most one visit of each instruction, and the text is read once, forwards.
 *
 * Invariants: (1) `list` has no place twice: `seen` has the round in which it came in; (2) nothing is allocated. */
#include "core/jsonpath/iregexp_program.h"

struct set {
    uint32_t n;
    uint16_t at[TH_IREGEXP_SLOTS];
};

struct matcher {
    const struct th_iregexp_slot *slots;
    uint32_t round, visits;
    bool at_begin, at_end, at_edge, matched;
    uint32_t seen[TH_IREGEXP_SLOTS];
    uint16_t todo[TH_IREGEXP_SLOTS];
    struct set now, next;
};

/* Puts the place into the set, and what is reached from it without a character. */
static void follow(struct matcher *m, struct set *set, uint32_t pc)
{
    uint32_t todo = 0;

#define GO(to)                                                                                               \
    do {                                                                                                     \
        uint32_t to_ = (to);                                                                                 \
        if (m->seen[to_] != m->round) {                                                                      \
            m->seen[to_] = m->round;                                                                         \
            m->todo[todo++] = (uint16_t)to_;                                                                 \
        }                                                                                                    \
    } while (0)
    GO(pc);
    while (todo) {
        pc = m->todo[--todo];
        m->visits++;
        switch (m->slots[pc].op) {
        case OP_SPLIT:
            GO(pc + 1);
            GO(pc + m->slots[pc].arg);
            break;
        case OP_JUMP:
            GO(pc + m->slots[pc].arg);
            break;
        case OP_BEGIN:
            if (m->at_begin)
                GO(pc + 1);
            break;
        case OP_END:
            if (m->at_end)
                GO(pc + 1);
            break;
        case OP_EDGE:
        case OP_NO_EDGE:
            if (m->at_edge == (m->slots[pc].op == OP_EDGE))
                GO(pc + 1);
            break;
        case OP_MATCH:
            m->matched = true;
            break;
        default:
            set->at[set->n++] = (uint16_t)pc;
        }
    }
#undef GO
}

static bool in_class(const struct th_iregexp_slot *head, uint32_t c, uint32_t *visits)
{
    for (uint32_t i = 1; i <= head->arg; i++) {
        const struct th_iregexp_slot *item = head + i;
        bool in;

        ++*visits;
        if (item->op == ITEM_CATEGORY)
            in = item->arg & th_iregexp_category(c);
        else if (item->op == ITEM_NO_CATEGORY)
            in = !(item->arg & th_iregexp_category(c));
        else
            in = c >= item->op && c <= item->arg;
        if (in)
            return true;
    }
    return false;
}

/* How many slots further it goes with this character; 0: nowhere. */
static uint32_t takes(const struct th_iregexp_slot *slot, uint32_t c, uint32_t *visits)
{
    switch (slot->op) {
    case OP_CHAR:
        return c == slot->arg;
    case OP_ANY:
        return c != '\n' && c != '\r';
    case OP_CLASS:
        return in_class(slot, c, visits) ? slot->arg + 1 : 0;
    default:
        return in_class(slot, c, visits) ? 0 : slot->arg + 1;
    }
}

static bool is_word(uint32_t c)
{
    return c < 128 && (th_is_digit((char)c) || c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z'));
}

bool th_iregexp_match(const struct th_iregexp_slot *slots, uint32_t count, th_iregexp_next *next, void *text,
                      bool anywhere, uint32_t *steps)
{
    struct matcher m; /* a place is marked before it is looked at: nothing but `seen` is cleared */
    uint32_t c, ahead;
    bool more;

    m.slots = slots;
    m.round = 1;
    m.visits = 0;
    m.matched = false;
    m.now.n = 0;
    memset(m.seen, 0, count * sizeof *m.seen);
    more = next(text, &ahead);
    m.at_begin = true;
    m.at_end = !more;
    m.at_edge = more && is_word(ahead);
    follow(&m, &m.now, 0);
    while (more && !(anywhere && m.matched) && (m.now.n || anywhere)) {
        c = ahead;
        more = next(text, &ahead);
        m.round++;
        m.matched = false;
        m.at_begin = false;
        m.at_end = !more;
        m.at_edge = is_word(c) != (more && is_word(ahead));
        m.next.n = 0;
        m.visits++;
        for (uint32_t i = 0; i < m.now.n; i++) {
            uint32_t on = takes(&slots[m.now.at[i]], c, &m.visits);

            m.visits++;
            if (on)
                follow(&m, &m.next, m.now.at[i] + on);
        }
        if (anywhere) /* a match may begin behind each character */
            follow(&m, &m.next, 0);
        memcpy(m.now.at, m.next.at, m.next.n * sizeof *m.now.at);
        m.now.n = m.next.n;
        if (m.visits / 8 >= *steps) {
            *steps = 0;
            return false;
        }
    }
    ahead = m.visits / 8 + 1;
    *steps = *steps > ahead ? *steps - ahead : 0;
    /* for the whole text, a match counts only at its end */
    return *steps && m.matched && (anywhere || !more);
}
