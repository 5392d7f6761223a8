/* Runs programs: writes the text or the JSON that a program describes, taking values from its environment.
 *
 * A member or a line without a value leaves no trace (or null, if the shape says so), so its name is written first and taken
 * back.
 *
 * Invariants: 1. In JSON the last byte tells whether a comma is due: after '{' and '[' none is. No value ends with these.
 * 2. Nothing is parsed but values that a form must change. 3. No recursion: lists are loops in the program, one deep.
 * 4. Only lists go back in a program, and each time counts against the steps of a run, so it ends whatever an environment says
 * of their length. */
#include "core/program/program.h"
#include "core/ecma.h"
#include "lib/codec.h"

/* ---- texts ---- */

/* Towards the past, as the text form of a time is cut. */
static int64_t seconds_of(int64_t ms)
{
    return ms >= 0 ? ms / 1000 : -((999 - ms) / 1000);
}

static struct th_span integer_text(int64_t v, char room[TH_PROGRAM_TEXT])
{
    char *end = room + TH_PROGRAM_TEXT, *p = th_decimal_before(end, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);

    if (v < 0)
        *--p = '-';
    return th_span(p, (size_t)(end - p));
}

struct th_span th_program_time(int64_t ms, enum th_form form, char room[TH_PROGRAM_TEXT])
{
    if (form == TH_FORM_UNIX)
        return integer_text(seconds_of(ms), room);
    if (form == TH_FORM_UNIX_MILLIS)
        return integer_text(ms, room);
    ms = ms < TH_RFC3339_FIRST ? TH_RFC3339_FIRST : ms > TH_RFC3339_LAST ? TH_RFC3339_LAST : ms;
    return th_span(room, th_rfc3339_write(ms, form == TH_FORM_RFC3339_MILLIS, room));
}

/* A string's characters, or the JSON of another scalar; what has members is no text. */
static struct th_span json_text(struct th_span json, struct th_buf *decoded)
{
    struct th_json v = th_json_of(json);

    if (v.type == TH_JSON_NULL || v.type == TH_JSON_ARRAY || v.type == TH_JSON_OBJECT)
        return th_span("", 0);
    if (v.type != TH_JSON_STRING)
        return v.raw;
    if (!memchr(v.raw.p, '\\', v.raw.n))
        return th_span(v.raw.p + 1, v.raw.n - 2);
    th_buf_reset(decoded);
    th_json_string(v, decoded);
    return th_buf_view(decoded);
}

static struct th_span text_of(const struct th_program_op *op, const struct th_env *env,
                              char room[TH_PROGRAM_TEXT], struct th_buf *decoded)
{
    struct th_program_value v;

    if (!env->get(env->ctx, &op->from, 0, &v))
        return th_span("", 0);
    switch (v.kind) {
    case TH_V_INT:
        return integer_text(v.i, room);
    case TH_V_TIME:
        return th_program_time(v.i, op->from.form, room);
    case TH_V_JSON:
        return json_text(v.s, decoded);
    default:
        return v.s;
    }
}

/* Flags in a word of eight bytes: which are no visible ASCII or space. A borrow or a carry comes only from a byte that is
 * flagged itself, so no flag is exact. */
static uint64_t invisible(uint64_t w)
{
    return ((w - TH_ONES * ' ') | (w + TH_ONES) | w) & TH_HIGHS;
}

static uint64_t word_at(const char *p)
{
    uint64_t w;

    memcpy(&w, p, 8);
    return w;
}

bool th_program_visible(struct th_span s)
{
    uint64_t flags = 0;

    if (s.n < 8) {
        for (size_t i = 0; i < s.n; i++)
            if ((unsigned char)s.p[i] < ' ' || (unsigned char)s.p[i] > '~')
                return false;
        return true;
    }
    for (size_t i = 0; i + 8 < s.n; i += 8)
        flags |= invisible(word_at(s.p + i));
    return !(flags | invisible(word_at(s.p + s.n - 8)));
}

/* Whether percent-encoding keeps eight bytes as they are. */
static bool stays(uint64_t w)
{
    uint64_t quote = w ^ TH_ONES * '"', percent = w ^ TH_ONES * '%';

    return !(invisible(w) | ((w - TH_ONES * '!') & TH_HIGHS) |
             ((((quote - TH_ONES) & ~quote) | ((percent - TH_ONES) & ~percent)) & TH_HIGHS));
}

/* Percent-encoding of what the HTTP binding of CloudEvents (1.0.2, 3.1.3.2) escapes: space, quote, percent,
 * and all that is not visible ASCII. */
static void add_percent(struct th_buf *out, struct th_span s)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t plain = 0; /* where a run of bytes that stay begins */

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        char escape[3] = {'%', digits[c >> 4], digits[c & 15]};

        if (s.n - i >= 8 && stays(word_at(s.p + i))) {
            i += 7;
            continue;
        }
        if (c > ' ' && c <= '~' && c != '"' && c != '%')
            continue;
        th_buf_add(out, s.p + plain, i - plain);
        th_buf_add(out, escape, 3);
        plain = i + 1;
    }
    th_buf_add(out, s.p + plain, s.n - plain);
}

/* It ends here. */
static void refuse(struct th_program_run *run)
{
    run->refused = true;
    run->at = run->program->count;
}

static void add_field(struct th_program_run *run, const struct th_program_op *op, const struct th_env *env)
{
    char room[TH_PROGRAM_TEXT];
    struct th_span s = text_of(op, env, room, &run->text);

    if (op->percent)
        add_percent(run->out, s);
    else if (th_program_visible(s))
        th_buf_span(run->out, s);
    else
        refuse(run);
}

struct th_span th_program_text(const struct th_program_op *op, const struct th_env *env,
                               char room[TH_PROGRAM_TEXT])
{
    struct th_buf none = {.max = 0}; /* no template of a signature names JSON */

    return op->kind == TH_DO_TEXT ? op->text : text_of(op, env, room, &none);
}

void th_program_pieces(const struct th_program *p, const struct th_env *env, struct th_bytes *pieces,
                       char (*rooms)[TH_PROGRAM_TEXT])
{
    for (unsigned i = 0; i < p->count; i++) {
        struct th_span s = th_program_text(&p->ops[i], env, rooms[i]);

        pieces[i] = (struct th_bytes){s.p, s.n};
    }
}

/* ---- JSON ---- */

static void begin(struct th_program_run *run, struct th_span name)
{
    struct th_buf *out = run->out;
    bool due = !out->failed && out->n > run->start && out->p[out->n - 1] != '{' && out->p[out->n - 1] != '[';

    if (name.n)
        th_buf_add(out, name.p + !due, name.n - !due);
    else if (due)
        th_buf_char(out, ',');
}

/* The value as plain text, for comparing, and for numbers and times in strings. */
static bool plain(struct th_program_run *run, const struct th_program_value *v, struct th_span *out)
{
    struct th_json string = {TH_JSON_STRING, v->s};

    if (v->kind == TH_V_TEXT || (v->kind == TH_V_JSON && v->s.p[0] != '"')) {
        *out = v->s;
        return true;
    }
    th_buf_reset(&run->text);
    if (v->kind == TH_V_JSON)
        th_json_string(string, &run->text);
    else
        th_buf_i64(&run->text, v->i);
    *out = th_buf_view(&run->text);
    return !run->text.failed;
}

static bool write_mapped(struct th_program_run *run, const struct th_member *m,
                         const struct th_program_value *v)
{
    struct th_span text;

    if (!plain(run, v, &text))
        return false;
    for (unsigned i = 0; i < m->map_count; i++)
        if (th_span_eq(m->map[i].from, text) || th_span_is(m->map[i].from, "*")) {
            th_buf_span(run->out, m->map[i].to);
            return true;
        }
    return false;
}

static bool write_time(struct th_program_run *run, enum th_form form, int64_t ms)
{
    struct th_buf *out = run->out;

    if (form == TH_FORM_UNIX || form == TH_FORM_INTEGER) {
        th_buf_i64(out, seconds_of(ms));
    } else if (form == TH_FORM_UNIX_MILLIS) {
        th_buf_i64(out, ms);
    } else {
        th_buf_char(out, '"');
        th_wall_format(out, (struct th_wall){ms},
                       form == TH_FORM_RFC3339_MILLIS ? TH_RFC3339_MILLIS : TH_RFC3339_SECONDS);
        th_buf_char(out, '"');
    }
    return true;
}

static bool is_integer(struct th_span s)
{
    size_t i = s.n && s.p[0] == '-';

    if (i == s.n || (s.p[i] == '0' && s.n > i + 1))
        return false;
    for (; i < s.n; i++)
        if (!th_is_digit(s.p[i]))
            return false;
    return true;
}

static bool write_string(struct th_program_run *run, struct th_span text)
{
    struct th_jw jw = th_jw(run->out);

    th_jw_string(&jw, text);
    return true;
}

static bool write_raw(struct th_program_run *run, const struct th_program_value *v)
{
    if (v->kind == TH_V_TIME)
        return write_time(run, TH_FORM_RFC3339, v->i);
    if (v->kind == TH_V_INT)
        th_buf_i64(run->out, v->i);
    else if (v->kind == TH_V_TEXT)
        return write_string(run, v->s);
    else if (v->ecmascript)
        return th_ecma_write(th_json_of(v->s), run->out, NULL) == TH_OK || run->out->failed;
    else
        th_buf_span(run->out, v->s);
    return true;
}

static bool write_form(struct th_program_run *run, enum th_form form, const struct th_program_value *v)
{
    struct th_span text;
    struct th_wall t;

    switch (form) {
    case TH_FORM_AS_IS:
    case TH_FORM_RAW:
        return write_raw(run, v);
    case TH_FORM_STRING:
        if (v->kind == TH_V_TIME || (v->kind == TH_V_JSON && v->s.p[0] == '"'))
            return write_raw(run, v);
        return plain(run, v, &text) && write_string(run, text);
    case TH_FORM_BOOLEAN:
        if (!plain(run, v, &text) || (!th_span_is(text, "true") && !th_span_is(text, "false")))
            return false;
        th_buf_span(run->out, text);
        return true;
    case TH_FORM_INTEGER:
        if (v->kind == TH_V_TIME)
            return write_time(run, TH_FORM_UNIX, v->i);
        if (!plain(run, v, &text) || !is_integer(text))
            return false;
        th_buf_span(run->out, text);
        return true;
    default: /* the forms of time */
        if (v->kind == TH_V_TIME)
            return write_time(run, form, v->i);
        return plain(run, v, &text) && th_wall_parse(text, &t) && write_time(run, form, t.ms);
    }
}

/* map: whether the member's renaming holds. */
static bool write_from(struct th_program_run *run, const struct th_program_op *op, const struct th_env *env,
                       const struct th_field_ref *from, bool map)
{
    struct th_program_value v;

    if (!env->get(env->ctx, from, run->index, &v))
        return false;
    if (from->field == TH_F_ATTRIBUTE && v.kind == TH_V_JSON && v.s.p[0] == '"') {
        /* written as the other names are, whatever escapes the operator used: only data goes byte for byte */
        if (!plain(run, &v, &v.s))
            return false;
        v.kind = TH_V_TEXT;
    }
    if (v.kind == TH_V_JSON && th_span_is(v.s, "null")) {
        if (from->field != TH_F_DATA)
            return false;
        th_buf_add(run->out, "null", 4); /* a publisher's null is a value: data, byte for byte */
        return true;
    }
    return map && op->member->map ? write_mapped(run, op->member, &v) : write_form(run, op->from.form, &v);
}

static void add_member(struct th_program_run *run, const struct th_program_op *op, const struct th_env *env)
{
    size_t before = run->out->n;

    begin(run, op->text);
    if (write_from(run, op, env, &op->from, true))
        return;
    /* What stands in for it takes the same form, but not the renaming: that is of the first source's values. */
    if (op->member->other.field != TH_F_NONE && write_from(run, op, env, &op->member->other, false))
        return;
    if (op->member->or_null)
        th_buf_add(run->out, "null", 4);
    else if (!run->out->failed)
        run->out->n = before;
}

/* The end of an element: the next one, or the end of the list. True: the next one. */
static bool next_element(struct th_program_run *run, const struct th_env *env)
{
    run->index++;
    if (run->index < run->count && env->stop && env->stop(env->ctx, run->index, run->out->n - run->start))
        run->count = run->index;
    if (run->index < run->count)
        return true;
    run->index = 0;
    return false;
}

static unsigned count_of(const struct th_env *env, unsigned list)
{
    return env->count ? env->count(env->ctx, (enum th_field_list)list) : 0;
}

/* ---- the program ---- */

void th_program_begin(struct th_program_run *run, const struct th_program *p, struct th_buf *out)
{
    *run = (struct th_program_run){.program = p,
                                   .out = out,
                                   .text = {.max = TH_PROGRAM_VALUE_MAX},
                                   .start = out->n,
                                   .steps = TH_PROGRAM_STEPS};
}

static void end_line(struct th_program_run *run, struct th_span end)
{
    if (run->out->n > run->value)
        th_buf_span(run->out, end);
    else if (!run->out->failed)
        run->out->n = run->line;
}

/* One operation that stands in JSON. False: the run pauses behind it. */
static bool json_op(struct th_program_run *run, const struct th_program_op *op, const struct th_env *env,
                    size_t pause_at)
{
    struct th_buf *out = run->out;

    switch (op->kind) {
    case TH_DO_OPEN:
        begin(run, op->text);
        th_buf_char(out, '{');
        break;
    case TH_DO_CLOSE:
        th_buf_char(out, '}');
        break;
    case TH_DO_LIST:
        if (op->jump && count_of(env, op->arg) == 0) {
            run->at += op->jump;
            break;
        }
        begin(run, op->text);
        th_buf_char(out, '[');
        break;
    case TH_DO_LIST_END:
        th_buf_char(out, ']');
        break;
    case TH_DO_EACH:
        run->index = 0;
        run->count = count_of(env, op->arg);
        if (run->count == 0)
            run->at = op->jump;
        break;
    case TH_DO_NEXT:
        if (!next_element(run, env))
            break;
        if (run->steps < run->at - op->jump) {
            out->failed = TH_TOO_LARGE;
            break;
        }
        run->steps -= run->at - op->jump;
        run->at = op->jump;
        return out->n < pause_at;
    case TH_DO_CONST:
        begin(run, op->text);
        th_buf_span(out, op->from.arg);
        break;
    default: /* TH_DO_MEMBER */
        add_member(run, op, env);
        break;
    }
    return true;
}

/* One operation that stands in a text, or leads through the program. */
static void text_op(struct th_program_run *run, const struct th_program_op *op, const struct th_env *env)
{
    struct th_buf *out = run->out;

    switch (op->kind) {
    case TH_DO_FIELD:
        add_field(run, op, env);
        break;
    case TH_DO_WHEN:
        run->at += env->holds(env->ctx, op->arg, op->text) ? 0 : op->jump;
        break;
    case TH_DO_JUMP:
        run->at += op->jump;
        break;
    case TH_DO_LINE:
        run->line = out->n;
        th_buf_span(out, op->text);
        run->value = out->n;
        break;
    case TH_DO_ELSE:
        run->at += out->n > run->value ? op->jump : 0;
        break;
    case TH_DO_LINE_END:
        end_line(run, op->text);
        break;
    default: /* TH_DO_CALL */
        if (!env->write(env->ctx, op->arg, out))
            refuse(run);
        break;
    }
}

bool th_program_step(struct th_program_run *run, const struct th_env *env, size_t pause_at)
{
    const struct th_program_op *ops = run->program->ops;
    const unsigned count = run->program->count;
    struct th_buf *out = run->out;

    while (run->at < count && !out->failed) {
        const struct th_program_op *op = &ops[run->at++];

        if (op->kind == TH_DO_TEXT)
            th_buf_span(out, op->text);
        else if (op->kind < TH_DO_OPEN)
            text_op(run, op, env);
        else if (!json_op(run, op, env, pause_at))
            return false;
    }
    if (run->text.failed && !out->failed)
        out->failed = run->text.failed;
    return true;
}

void th_program_end(struct th_program_run *run, bool secret)
{
    if (!run->text.p)
        return;
    if (secret)
        th_buf_wipe(&run->text);
    else
        th_buf_fini(&run->text);
}

enum th_error th_program_write(const struct th_program *p, const struct th_env *env, struct th_buf *out)
{
    struct th_program_run run;

    th_program_begin(&run, p, out);
    (void)th_program_step(&run, env, SIZE_MAX);
    th_program_end(&run, false);
    return run.refused ? TH_INVALID : out->failed;
}
