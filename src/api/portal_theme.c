/* How the portal looks for one platform: colours, corners, logo, name, language.
 *
 * A theme is made of values, never of style sheets: a colour is six digits, a radius is a number, so nothing in it can cover the
 * page, load something, or read what is typed. A logo is the picture itself, in a format that cannot carry scripts. A
 * picture on another server is refused, because whoever runs that server would learn who looks at the portal, and when.
 *
 * What is kept is written anew from the values that were read. */
#include "api/portal_theme.h"
#include "api/decode.h"
#include "api/fault.h"
#include "api/member.h"

enum { ACCENT, ACCENT_DARK, GROUND, GROUND_DARK, RADIUS, LOGO, NAME, LANG, MODE, MEMBERS };

static const struct th_api_field fields[MEMBERS] = {
    [ACCENT] = {"accent", TH_T_STRING, false, false, 7, 0, 0},
    [ACCENT_DARK] = {"accent_dark", TH_T_STRING, false, false, 7, 0, 0},
    [GROUND] = {"ground", TH_T_STRING, false, false, 7, 0, 0},
    [GROUND_DARK] = {"ground_dark", TH_T_STRING, false, false, 7, 0, 0},
    [RADIUS] = {"radius", TH_T_INTEGER, false, false, 0, 0, 16},
    [LOGO] = {"logo", TH_T_STRING, false, false, TH_API_LOGO_MAX, 0, 0},
    [NAME] = {"name", TH_T_STRING, false, false, 64, 0, 0},
    [LANG] = {"lang", TH_T_STRING, false, false, 8, 0, 0},
    [MODE] = {"mode", TH_T_STRING, false, false, 8, 0, 0},
};

static bool is_colour(struct th_span s)
{
    if (s.n != 7 || s.p[0] != '#')
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f') ||
              (s.p[i] >= 'A' && s.p[i] <= 'F')))
            return false;
    return true;
}

/* data:image/png;base64,… */
static bool is_picture(struct th_span s)
{
    static const struct th_span begins[] = {{"data:image/png;base64,", 22},
                                            {"data:image/jpeg;base64,", 23},
                                            {"data:image/gif;base64,", 22},
                                            {"data:image/webp;base64,", 23}};
    size_t at = 0, end = s.n;

    for (unsigned i = 0; i < sizeof begins / sizeof begins[0]; i++)
        if (th_span_starts(s, begins[i]))
            at = begins[i].n;
    while (end > at && s.n - end < 2 && s.p[end - 1] == '=')
        end--;
    if (!at || end == at || (s.n - at) % 4 != 0)
        return false;
    for (size_t i = at; i < end; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'z') ||
              (s.p[i] >= 'A' && s.p[i] <= 'Z') || s.p[i] == '+' || s.p[i] == '/'))
            return false;
    return true;
}

static bool is_one_of(struct th_span s, const char *const *words)
{
    for (; *words; words++)
        if (th_span_is(s, *words))
            return true;
    return false;
}

static void check(struct th_api_req *r, const struct th_api_value v[MEMBERS])
{
    static const char *const languages[] = {"en", "de", NULL}, *const modes[] = {"light", "dark", "auto",
                                                                                 NULL};
    static const char *const colours[] = {"/theme/accent", "/theme/accent_dark", "/theme/ground",
                                          "/theme/ground_dark"};

    for (unsigned i = ACCENT; i <= GROUND_DARK; i++)
        if (v[i].present && !v[i].bad && !is_colour(v[i].text))
            th_api_fault(r, th_str(colours[i]),
                         "must be a colour such as #1d5a96: # and six hexadecimal digits");
    if (v[LOGO].present && !v[LOGO].bad && !is_picture(v[LOGO].text))
        th_api_fault(r, TH_LIT("/theme/logo"),
                     "must be the picture itself: data:image/png;base64,… (or jpeg, gif, webp), at most %u "
                     "characters; the portal loads nothing from other servers",
                     TH_API_LOGO_MAX);
    if (v[LANG].present && !v[LANG].bad && !is_one_of(v[LANG].text, languages))
        th_api_fault(r, TH_LIT("/theme/lang"), "must be one of en, de; without it the browser decides");
    if (v[MODE].present && !v[MODE].bad && !is_one_of(v[MODE].text, modes))
        th_api_fault(r, TH_LIT("/theme/mode"), "must be one of light, dark, auto");
}

bool th_api_portal_theme(struct th_api_req *r, struct th_json object, struct th_buf *out)
{
    struct th_api_value v[MEMBERS];
    struct th_jw w = th_jw(out);

    if (!th_api_decode(r, object, TH_LIT("/theme"), fields, MEMBERS, false, v))
        return false;
    check(r, v);
    if (r->error_count)
        return true;
    th_jw_object(&w);
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (!v[i].present)
            continue;
        if (i == RADIUS)
            th_api_member_int(&w, fields[i].name, v[i].i);
        else
            th_api_member_str(&w, fields[i].name, v[i].text);
    }
    th_jw_end_object(&w);
    return !out->failed;
}
