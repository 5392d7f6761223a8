/* One tenant: what it uses of its limits, its keys, its dialect. */
import { bytes, html, num, plain, useEffect, useState } from '../base.js';
import { call, can, useLoad } from '../api.js';
import { Body, Confirm, CopyButton, Crumbs, Dialog, Failed, Faults, Field, Id, Req, Time, faultOf, toast } from '../parts.js';
import { go, to } from '../route.js';
import { Charts, ranges, useStats } from '../charts.js';
import { TenantForm } from './tenants.js';

const limits = { endpoints: 'Endpoints', header_bytes: 'Header bytes of an endpoint', keys: 'Keys', replays: 'Replays at work', stored_bytes: 'Stored', unfinished_deliveries: 'Unfinished deliveries',
  host_requests: 'Requests at once to one host', host_requests_per_second: 'Requests a second to one host', address_requests: 'Requests at once to one address' };
const scopes = [['events:publish', 'publish events'], ['webhooks:read', 'read endpoints, events, deliveries'], ['answers:read', 'also what endpoints answered'], ['webhooks:manage', 'everything of the tenant']];

export const NewKey = ({ title, body, path, children, onClose, onDone, fields }) => {
  const [made, setMade] = useState(null), [problem, setProblem] = useState(null);
  const submit = async (e) => {
    e.preventDefault();
    try { setMade((await call('POST', path, { body: body() })).data); onDone(); } catch (error) { setProblem(error); }
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>${made ? html`<div class="db"><p>This is the key. <b>It is shown once</b>; only its hash is kept.</p><div class="copyline sec"><code>${made.key}</code><${CopyButton} text=${made.key} small=${false} /></div></div><div class="df"><span></span><button class="btn go" type="button" onClick=${onClose}>I have stored it</button></div>`
    : html`<form onSubmit=${submit}><div class="db"><${Faults} problem=${problem} fields=${fields} />${children(problem)}</div><div class="df"><span></span><button class="btn" type="button" onClick=${onClose}>Cancel</button><button class="btn go" type="submit">Make the key</button></div></form>`}</${Dialog}>`;
};

export const Expires = ({ value, onChange, problem }) => html`<${Field} id="ex" label="Ends" fault=${faultOf(problem, 'expires_at')}><select id="ex" value=${value} onChange=${(e) => onChange(e.target.value)}>${[['', 'never'], ['1', 'after a day'], ['7', 'after a week'], ['30', 'after 30 days'], ['365', 'after a year']].map(([v, t]) => html`<option value=${v}>${t}</option>`)}</select></${Field}>`;
export const expiry = (days) => (days ? { expires_at: new Date(Date.now() + Number(days) * 864e5).toISOString() } : {});

const TenantKey = ({ path, onClose, onDone }) => {
  const [chosen, setChosen] = useState(['events:publish']), [text, setText] = useState(''), [days, setDays] = useState('');
  return html`<${NewKey} title="New key of this tenant" path=${path} fields=${['scopes', 'description', 'expires_at']} onClose=${onClose} onDone=${onDone} body=${() => ({ scopes: chosen, description: text || null, ...expiry(days) })}>${(problem) => html`
    <fieldset class="field"><legend class="lab">It may</legend>${scopes.map(([s, what]) => html`<label class="tick"><input type="checkbox" checked=${chosen.includes(s)} onChange=${() => setChosen(chosen.includes(s) ? chosen.filter((x) => x !== s) : [...chosen, s])} /><span>${what}<span class="sub"><code>${s}</code></span></span></label>`)}${faultOf(problem, 'scopes') && html`<p class="hint bad">${faultOf(problem, 'scopes')}</p>`}</fieldset>
    <div class="pick"><${Field} id="kd" label="Description"><input id="kd" value=${text} onInput=${(e) => setText(e.target.value)} /></${Field}><${Expires} value=${days} onChange=${setDays} problem=${problem} /></div>`}</${NewKey}>`;
};

export default function Tenant({ route, setTitle }) {
  const id = route.parts[1], path = '/v1/tenants/' + encodeURIComponent(id), asked = route.query.get('range') ?? '', range = asked in ranges ? asked : '24h', stats = useStats(range, id, '');
  const [dialog, setDialog] = useState(''), [ending, setEnding] = useState(null);
  const page = useLoad(id, async (signal) => {
    const [t, keys, d] = await Promise.all([call('GET', path, { signal }), call('GET', path + '/keys?limit=200', { signal }), call('GET', '/v1/dialects', { signal })]);
    return { t: t.data, keys: keys.data.data, dialects: d.data.data, told: t.told };
  });
  useEffect(() => setTitle(page.data?.t.name || id), [page.data]);
  if (page.error) return page.error.status === 404 ? html`<div class="mid"><h1>There is no such tenant</h1></div>` : html`<${Failed} error=${page.error} again=${page.reload} what="This tenant" />`;
  if (!page.data) return null;
  const { t, keys } = page.data, admin = can('admin');
  const shown = (name, n) => (n === null || n === undefined ? '–' : name.endsWith('bytes') ? bytes(n) : num(n));
  return html`<${Crumbs} items=${[{ text: 'Tenants', href: to('tenants') }, { text: t.id }]} />
    <div class="head"><div><h1>${plain(t.name || t.id)}</h1><p class="dim">Its endpoints get events in the dialect <a class="inline" href=${to('settings/dialects/' + t.dialect)}>${t.dialect}</a>.</p></div><div class="acts"><a class="btn" href=${to('endpoints', { tenant: t.id })}>Endpoints</a><a class="btn" href=${to('deliveries', { tenant: t.id })}>Deliveries</a>${admin && html`<button class="btn" type="button" onClick=${() => setDialog('edit')}>Edit…</button>`}</div></div>
    <div class="half"><section class="panel" aria-labelledby="h-u"><div class="ph"><h2 id="h-u">Quotas</h2><span class="dim small">used, of what is allowed</span></div><div class="pb"><table class="plain"><caption class="sr">What the tenant uses</caption><tbody>${Object.entries(t.usage ?? {}).map(([name, u]) => { const part = u.allowed ? (u.used ?? 0) / u.allowed : 0; return html`<tr><td class="any">${limits[name] ?? name}</td><td class="num">${shown(name, u.used)}</td><td class="num dim">${u.allowed ? `of ${shown(name, u.allowed)}` : 'no limit'}</td><td class=${part >= 0.8 ? 'num warn' : 'num dim'}>${u.allowed ? `${Math.round(part * 100)} %` : ''}</td></tr>`; })}</tbody></table></div></section>
    <section class="panel" aria-labelledby="h-k"><div class="ph"><h2 id="h-k">Keys</h2>${admin && html`<button class="btn sm" type="button" onClick=${() => setDialog('key')}>New key…</button>`}</div><div class="pb"><table class="plain"><caption class="sr">Keys of the tenant</caption><tbody>${keys.map((k) => html`<tr><td><${Id} id=${k.id} wide=${true} /><span class="sub any">${plain(k.description)}</span></td><td class="small">${k.scopes.join(', ')}<span class="sub">${k.expires_at ? html`ends <${Time} at=${k.expires_at} />` : 'no end'}</span></td><td class="num">${admin && html`<button class="btn sm harm" type="button" aria-label=${'End key ' + k.id} onClick=${() => setEnding(k)}>End…</button>`}</td></tr>`)}${!keys.length && html`<tr><td class="dim">None. The operator’s key acts for the tenant.</td></tr>`}</tbody></table></div></section></div>
    <nav class="seg sec" aria-label="Time range">${Object.entries(ranges).map(([r, x]) => html`<a href=${to('tenants/' + encodeURIComponent(t.id), { range: r === '24h' ? null : r })} aria-current=${r === range ? 'true' : null}>${x.label}</a>`)}</nav><${Charts} range=${range} tenant=${t.id} page=${stats} />
    ${Object.keys(t.attributes ?? {}).length > 0 && html`<section class="panel sec" aria-labelledby="h-a"><div class="ph"><h2 id="h-a">Attributes</h2></div><div class="pb"><${Body} text=${JSON.stringify(t.attributes)} label="Values of the attributes" name="attributes" /></div></section>`}
    ${admin && html`<section class="panel sec" aria-labelledby="h-x"><div class="ph"><h2 id="h-x">Delete this tenant</h2></div><div class="pb"><p>Its endpoints and keys are deleted, and what waits is cancelled. Its events stay until retention.</p><p class="acts"><button class="btn harm" type="button" onClick=${() => setDialog('delete')}>Delete…</button></p></div></section>`}
    <${Req} told=${page.data.told} />
    ${dialog === 'edit' && html`<${TenantForm} tenant=${t} dialects=${page.data.dialects} onClose=${() => setDialog('')} onDone=${() => { setDialog(''); page.reload(); toast('Saved.'); }} />`}
    ${dialog === 'key' && html`<${TenantKey} path=${path + '/keys'} onClose=${() => setDialog('')} onDone=${page.reload} />`}
    ${dialog === 'delete' && html`<${Confirm} title="Delete this tenant" text=${`${plain(t.name || t.id)} with ${num(t.usage?.endpoints?.used ?? 0)} endpoints and ${num(keys.length)} keys. There is no way back.`} label="Delete 1 tenant" harm=${true} onYes=${async () => { await call('DELETE', path); toast('Deleted.'); go(to('tenants', { tenant: null })); }} onClose=${() => setDialog('')} />`}
    ${ending && html`<${Confirm} title="End this key" text=${`Requests with ${ending.id}${ending.description ? ` (${plain(ending.description)})` : ''} are refused from now on.`} label="End 1 key" harm=${true} onYes=${async () => { await call('DELETE', `${path}/keys/${encodeURIComponent(ending.id)}`); toast('The key has ended.'); page.reload(); }} onClose=${() => setEnding(null)} />`}`;
}
