/* What dashboard and portal do with one endpoint: choosing events, secrets, tests. */
import { html, plain, span, useEffect, useState, w } from './base.js';
import { call, serverNow } from './api.js';
import { Confirm, CopyButton, Dialog, Faults, Field, Icon, faultOf, toast } from './parts.js';
import { to } from './route.js';

/** "Name: value" lines ↔ an object. Values that were not touched stay as the server has them. */
export const linesOf = (o) => Object.entries(o ?? {}).map(([k, v]) => `${k}: ${v}`).join('\n');
export function objectOf(text, before, values) {
  const out = {};
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (!line.trim()) continue;
    const name = (colon < 0 ? line : line.slice(0, colon)).trim(), raw = colon < 0 ? '' : line.slice(colon + 1).trim();
    out[name] = values && /^(-?\d+(\.\d+)?|true|false)$/.test(raw) && typeof before?.[name] !== 'string' ? JSON.parse(raw) : raw;
  }
  return out;
}
/** A JSON Merge Patch that makes `now` of `before`: what is gone is null, what is the same is left out. */
export function patchOf(before, now) {
  const out = {};
  for (const name of new Set([...Object.keys(before ?? {}), ...Object.keys(now)])) {
    if (!(name in now)) out[name] = null;
    else if (JSON.stringify(now[name]) !== JSON.stringify(before?.[name])) out[name] = now[name];
  }
  return out;
}

/** What each type of authentication has: its name, and [member, label, kept secret]. */
const ways = () => ({ basic: [w('User and password'), [['username', w('User')], ['password', w('Password'), true]]], api_key: [w('A key in a header'), [['header', w('Header')], ['value', w('Value'), true]]],
  oauth2: [w('A token of OAuth 2.0'), [['token_url', w('URL of the token’s server')], ['client_id', w('Client’s id')], ['client_secret', w('Client’s secret'), true], ['scope', w('Scope, if any')], ['audience', w('Audience, if any')]]] });
/** A merge patch of the authentication; undefined: nothing changes. Secrets that were shown as *** stay. */
export function authPatch(before, now) {
  if (!now.type) return before ? null : undefined;
  if (before?.type !== now.type) return { type: now.type, ...Object.fromEntries(ways()[now.type][1].filter(([m]) => now[m]).map(([m]) => [m, now[m]])), ...(now.type === 'basic' ? { username: now.username ?? '', password: now.password ?? '' } : {}) };
  const patch = patchOf(before, now);
  for (const m of ['scope', 'audience']) if (patch[m] === '') patch[m] = null;
  return Object.keys(patch).length ? patch : undefined;
}
/** Chooses how requests show who sends them. */
export const Authentication = ({ value, onChange, fault }) => html`<fieldset class="field"><legend class="lab">${w('Authentication')} <small>${w('beside the signature')}</small></legend>
  <div class="pick"><${Field} id="au" label=${w('Requests carry')}><select id="au" value=${value.type ?? ''} onChange=${(e) => onChange({ ...value, type: e.target.value })}><option value="">${w('nothing more')}</option>${Object.entries(ways()).map(([type, [name]]) => html`<option value=${type}>${name}</option>`)}</select></${Field}>
  ${value.type && (ways()[value.type]?.[1] ?? []).map(([m, label, secret]) => html`<${Field} id=${'au-' + m} label=${label}><input id=${'au-' + m} class="mono" type=${secret ? 'password' : 'text'} autocomplete="off" spellcheck="false" value=${value[m] ?? ''} onInput=${(e) => onChange({ ...value, [m]: e.target.value })} /></${Field}>`)}</div>
  ${fault && html`<p class="hint bad" role="alert">${fault}</p>`}</fieldset>`;
/** The same in one line, for a list of settings. */
export const authText = (a) => `${ways()[a.type]?.[0] ?? a.type}: ${a.username ?? a.header ?? a.token_url ?? ''}`;
/** A merge patch of its own TLS; undefined: nothing changes. */
export function tlsPatch(before, now) {
  const set = Object.fromEntries(Object.entries(now ?? {}).filter(([, v]) => v?.trim()));
  const patch = patchOf(before, set);
  return Object.keys(patch).length ? patch : undefined;
}
/** Authorities and a client certificate of its own, as texts. */
export const OwnTls = ({ value, onChange, fault }) => html`<fieldset class="field"><legend class="lab">${w('TLS of its own')} <small>${w('in PEM')}</small></legend><div class="pick">
  ${[['certificate', w('Client certificate')], ['key', w('Its private key')], ['ca', w('Trust only these authorities')]].map(([m, label]) => html`<${Field} id=${'tls-' + m} label=${label}><textarea id=${'tls-' + m} class="mono" rows="2" spellcheck="false" value=${value?.[m] ?? ''} onInput=${(e) => onChange({ ...value, [m]: e.target.value })}></textarea></${Field}>`)}</div>
  ${fault && html`<p class="hint bad" role="alert">${fault}</p>`}</fieldset>`;

/** The types that may be chosen now: of the catalogues that hold for the tenant, for who may see them. */
export async function catalogueOf(/** @type {string} */ tenant, /** @type {AbortSignal | undefined} */ signal) {
  const read = (/** @type {string} */ path) => call('GET', path + '?limit=1000', { signal }).then((a) => a.data.data, () => []);
  const [own, all] = await Promise.all([tenant ? read(`/v1/tenants/${encodeURIComponent(tenant)}/event-types`) : [], read('/v1/event-types')]);
  return [...own, ...all.filter((t) => !own.some((o) => o.type === t.type))].filter((t) => !t.archived);
}

/** Types of the catalogue in groups: those that they were given, or their first names. */
export const Picker = ({ dialect, tenant = '', chosen, onChange, fault }) => {
  const [other, setOther] = useState(''), [more, setMore] = useState(/** @type {any[]} */ ([]));
  useEffect(() => {
    const stop = new AbortController();
    if (!dialect?.catalogue?.closed) catalogueOf(tenant, stop.signal).then(setMore, () => {});
    return () => stop.abort();
  }, [tenant, dialect?.catalogue?.closed]);
  const said = new Map(more.map((t) => [t.type, [t.description, t.deprecated ? w('deprecated') : ''].filter(Boolean).join(' · ')]));
  const types = [...new Set([...(dialect?.catalogue?.types ?? []).map((t) => t.type), ...more.map((t) => t.type)])], patterns = dialect?.endpoint?.prefixes;
  const groups = new Map();
  for (const t of types) { const g = t.split('.')[0]; groups.set(g, [...(groups.get(g) ?? []), t]); }
  const known = new Set([...types, ...[...groups.keys()].map((g) => g + '.*')]);
  const toggle = (t) => onChange(chosen.includes(t) ? chosen.filter((x) => x !== t) : [...chosen, t]);
  const add = () => { const t = other.trim().replace(/,$/, ''); if (t && !chosen.includes(t)) onChange([...chosen, t]); setOther(''); };
  const tick = (t, text) => html`<label class="tick"><input type="checkbox" checked=${chosen.includes(t)} onChange=${() => toggle(t)} /><span><span class="type">${t}</span>${text && html`<span class="sub">${text}</span>`}</span></label>`;
  return html`<fieldset class="field"><legend class="lab">${w('Events')} <small>${dialect?.endpoint?.empty_means_all ? w('none chosen: all, also types that come later') : w('at least one')}</small></legend>
    ${types.length > 0 && html`<div class="events" tabindex="0" role="group" aria-label=${w('Catalogue of event types')}>${[...groups].map(([g, list]) => html`<p class="grp">${g}</p>${patterns && list.length > 1 && tick(g + '.*', w('all types that begin with {0}.', g))}${list.map((t) => tick(t, plain(said.get(t) ?? '')))}`)}</div>`}
    ${chosen.filter((t) => !known.has(t)).map((t) => html`<span class="chip">${plain(t)} <button type="button" class="linkish" aria-label=${w('Remove {0}', t)} onClick=${() => toggle(t)}>×</button></span> `)}
    ${!dialect?.catalogue?.closed && html`<div class="copyline sec"><input aria-label=${w('Another type or pattern')} class="mono bareinput" placeholder=${patterns ? 'invoice.paid, invoice.*' : 'invoice.paid'} value=${other} onInput=${(e) => setOther(e.target.value)} onKeyDown=${(e) => { if (e.key === 'Enter' || e.key === ',') { e.preventDefault(); add(); } }} onBlur=${add} /><button class="btn" type="button" onClick=${add}>${w('Add')}</button></div>`}
    ${fault && html`<p class="hint bad" role="alert">${fault}</p>`}</fieldset>`;
};

/* ---- rotate, revoke, test ---- */

const Rotate = ({ id, tenant, dialect, onClose, onDone }) => {
  const usual = Number(dialect?.secret?.overlap_seconds ?? 86400);
  const [overlap, setOverlap] = useState(String(usual)), [own, setOwn] = useState(''), [problem, setProblem] = useState(null), [made, setMade] = useState(null);
  const may = dialect?.secret?.source !== 'generated';
  const submit = async (e) => {
    e.preventDefault();
    try {
      const { data } = await call('POST', `/v1/webhooks/${encodeURIComponent(id)}/rotate-secret`, { tenant, body: { ...(overlap === 'never' ? { overlap_seconds: null } : { overlap_seconds: Number(overlap) }), ...(own ? { secret: own } : {}) } });
      onDone();
      if (data.secrets?.[0]?.secret) setMade(data.secrets[0]); else { toast(w('The new secret is in use.')); onClose(); }
    } catch (error) { setProblem(error); }
  };
  if (made) return html`<${Dialog} title=${w('The new secret')} onClose=${onClose} foot=${html`<span></span><button class="btn go" type="button" data-first onClick=${onClose}>${w('I have stored it')}</button>`}><div class="db"><p>${w('Give it to whoever runs the receiver, over a channel you trust. Requests carry both signatures until the old one ends.')}</p>
    <div class="copyline sec"><code>${made.secret}</code><${CopyButton} text=${made.secret} small=${false} /></div>${made.public_key && html`<p class="hint">${w('Public key, for the receiver:')}</p><div class="copyline"><code>${made.public_key}</code><${CopyButton} text=${made.public_key} small=${false} /></div>`}</div></${Dialog}>`;
  return html`<${Dialog} title=${w('Rotate the secret')} onClose=${onClose}><form onSubmit=${submit}><div class="db"><${Faults} problem=${problem} fields=${['secret', 'overlap_seconds']} />
    <p>${w('A new secret signs beside the old one, so the receiver can change over without losing a request.')}</p>
    <div class="sec"><${Field} id="ov" label=${w('The old one ends')} fault=${faultOf(problem, 'overlap_seconds')}><select id="ov" data-first value=${overlap} onChange=${(e) => setOverlap(e.target.value)}>
      ${[['0', w('at once')], ['3600', w('after 1 hour')], ['86400', w('after 24 hours')], ['604800', w('after 7 days')], ...(['0', '3600', '86400', '604800'].includes(String(usual)) ? [] : [[String(usual), w('after {0}, as the dialect says', span(usual * 1000))]]), ['never', w('when it is revoked')]].map(([v, t]) => html`<option value=${v}>${t}</option>`)}</select></${Field}>
    ${may && html`<${Field} id="os" label=${w('New secret')} small=${w('empty: one is made')} fault=${faultOf(problem, 'secret')}><input id="os" class="mono" type="text" autocomplete="off" value=${own} onInput=${(e) => setOwn(e.target.value)} /></${Field}>`}</div></div>
    <div class="df"><span>${overlap === '0' ? w('Requests that the receiver gets from now on carry the new signature alone.') : ''}</span><button class="btn" type="button" onClick=${onClose}>${w('Cancel')}</button><button class="btn go" type="submit">${w('Rotate')}</button></div></form></${Dialog}>`;
};

export const Secrets = ({ id, tenant, dialect, may }) => {
  const [shown, setShown] = useState(null), [open, setOpen] = useState(/** @type {number[]} */ ([])), [dialog, setDialog] = useState(''), [error, setError] = useState(null);
  const readable = dialect?.secret?.readable ?? 'always';
  const load = async () => { try { setShown((await call('GET', `/v1/webhooks/${encodeURIComponent(id)}/secret`, { tenant })).data.secrets); setError(null); } catch (e) { setError(e); } };
  useEffect(() => { if (may && readable === 'always') load(); }, [readable, may]);
  const age = (at) => span(serverNow() - new Date(at).getTime());
  return html`<section class="panel" aria-labelledby="secrets"><div class="ph"><h2 id="secrets">${w('Secrets')}</h2>${may && html`<button class="btn sm" type="button" onClick=${() => setDialog('rotate')}>${w('Rotate…')}</button>`}</div><div class="pb">
    ${!may ? html`<p class="dim small">${w('Your role does not show secrets.')}</p>` : readable !== 'always' ? html`<p class="dim small">${readable === 'once' ? w('This dialect shows a secret once, when it is made.') : w('This dialect never shows a secret.')} ${w('If it is lost, rotate it.')}</p>`
      : error ? html`<p class="dim small">${plain(error.message)}</p>` : !shown ? html`<span class="bone b3"></span>` : html`${shown.length > 1 && html`<p class="small dim">${w('Requests carry both signatures until the old secret ends.')}</p>`}
      ${shown.map((s, i) => html`<div><div class="sec-h"><h3>${i ? w('Old') : w('Current')}</h3>${i && s.expires_at ? html`<span class="small warn"><b>${w('ends in {0}', span(new Date(s.expires_at).getTime() - serverNow()))}</b></span>` : html`<span class="small dim">${w('{0} old', age(s.created_at))}</span>`}</div>
        <div class="copyline"><code>${open.includes(i) ? s.secret : (s.secret ?? '').slice(0, 6) + '••••••••••' + (s.secret ?? '').slice(-4)}</code><button class="btn sm" type="button" aria-label=${open.includes(i) ? (i ? w('Hide the old secret') : w('Hide the current secret')) : i ? w('Show the old secret') : w('Show the current secret')} onClick=${() => setOpen(open.includes(i) ? open.filter((x) => x !== i) : [...open, i])}>${open.includes(i) ? w('Hide') : w('Show')}</button><${CopyButton} text=${s.secret ?? ''} /></div>
        ${s.public_key && html`<p class="hint">${w('Public key:')} <code>${s.public_key}</code></p>`}
        ${i > 0 && html`<p class="hint">${w('Revoke it early once the receiver has the new one.')}</p><p class="acts"><button class="btn sm harm" type="button" onClick=${() => setDialog('revoke')}>${w('Revoke old…')}</button></p>`}</div>`)}`}
    ${dialog === 'rotate' && html`<${Rotate} id=${id} tenant=${tenant} dialect=${dialect} onClose=${() => setDialog('')} onDone=${() => readable === 'always' && load()} />`}
    ${dialog === 'revoke' && html`<${Confirm} title=${w('Revoke the old secret')} text=${w('Requests are signed with the new secret alone from now on. A receiver that still has the old one refuses them.')} label=${w('Revoke 1 secret')} harm=${true} onClose=${() => setDialog('')}
      onYes=${async () => { await call('DELETE', `/v1/webhooks/${encodeURIComponent(id)}/secret/previous`, { tenant }); toast(w('The old secret has ended.')); load(); }} />`}</div></section>`;
};

export const Test = ({ id, tenant, dialect, events }) => {
  const types = (dialect?.catalogue?.types ?? []).map((t) => t.type);
  const [type, setType] = useState(''), [sent, setSent] = useState(null), [result, setResult] = useState(null), [problem, setProblem] = useState(null);
  const send = async (e) => {
    e.preventDefault();
    setResult(null);
    setProblem(null);
    try {
      const { data } = await call('POST', `/v1/webhooks/${encodeURIComponent(id)}/test`, { tenant, body: type ? { type } : {} });
      setSent(data.id);
      for (let i = 0; i < 60; i++) {
        const d = (await call('GET', '/v1/deliveries/' + encodeURIComponent(data.id), { tenant })).data;
        if (d.attempts.length) { setResult(d); break; }
        await new Promise((go) => setTimeout(go, i < 5 ? 100 : 500));
      }
    } catch (error) { setProblem(error); }
  };
  const a = result?.attempts[0];
  return html`<section class="panel" aria-labelledby="lt"><div class="ph"><h2 id="lt">${w('Test')}</h2></div><div class="pb"><form onSubmit=${send}><${Field} id="tt" label=${w('Sample event')} small=${w('empty: the first type that it takes')} fault=${faultOf(problem, 'type')}><input id="tt" class="mono" list="types" value=${type} placeholder=${events?.find((t) => !t.includes('*')) ?? 'webhook.test'} onInput=${(e) => setType(e.target.value.trim())} />
    <datalist id="types">${types.map((t) => html`<option value=${t}></option>`)}</datalist></${Field}><p class="acts"><button class="btn sm go" type="submit">${w('Send a test')}</button>${sent && !result && !problem && html`<span class="live" role="status">${w('Under way')}</span>`}</p></form>
    <${Faults} problem=${problem} fields=${['type']} />
    ${a && html`<p role="status"><span class=${'st ' + (a.outcome === 'success' ? 'st-ok' : 'st-x')}><${Icon} n=${a.outcome === 'success' ? 'ok' : 'x'} />${w('{0} in {1}', a.status ?? plain(a.detail ?? a.outcome), Math.round(a.duration_ms) + ' ms')}</span></p><p class="hint"><a class="inline" href=${to('deliveries/' + encodeURIComponent(result.id), { tenant })}>${w('What was sent and answered')}</a></p>`}
    <p class="hint">${w('One attempt, also while it is paused or disabled. Marked as a test; not counted in health.')}</p></div></section>`;
};

