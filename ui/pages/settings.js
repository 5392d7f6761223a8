/* What belongs to the installation: operators' keys, who is signed in, who did what, dialects, nodes, values in force. */
import { html, num, parseWhen, plain, span, useEffect, useMemo, useState } from '../base.js';
import { call, can, query, session, useLoad } from '../api.js';
import { Body, Bones, Confirm, Failed, Field, Icon, Id, Req, Time, faultOf, toast } from '../parts.js';
import { filter, to } from '../route.js';
import { Typed } from '../typed.js';
import { Expires, NewKey, expiry } from './tenant.js';

const roles = [['read-only', 'looks at everything, but no secrets'], ['support', 'also sends again, tests, recovers'], ['admin', 'everything']];

const KeyForm = ({ onClose, onDone }) => {
  const [role, setRole] = useState('support'), [name, setName] = useState(''), [days, setDays] = useState('365');
  return html`<${NewKey} title="New operator’s key" path="/v1/keys" fields=${['role', 'name', 'expires_at']} onClose=${onClose} onDone=${onDone} body=${() => ({ role, name, ...expiry(days) })}>${(problem) => html`
    <${Field} id="kn" label="Name" small="whose key it is; the audit log says it" fault=${faultOf(problem, 'name')}><input id="kn" required maxlength="128" value=${name} onInput=${(e) => setName(e.target.value)} /></${Field}>
    <fieldset class="field"><legend class="lab">Role</legend>${roles.map(([r, what]) => html`<label class="tick"><input type="radio" name="role" checked=${role === r} onChange=${() => setRole(r)} /><span>${r}<span class="sub">${what}</span></span></label>`)}</fieldset><${Expires} value=${days} onChange=${setDays} problem=${problem} />`}</${NewKey}>`;
};

const Keys = () => {
  const [dialog, setDialog] = useState(''), [ending, setEnding] = useState(null), admin = can('admin');
  const page = useLoad('keys', async (signal) => { const k = await call('GET', '/v1/keys?limit=200', { signal }); return { keys: k.data.data, told: k.told }; });
  if (page.error) return html`<${Failed} error=${page.error} again=${page.reload} />`;
  if (!page.data) return html`<${Bones} rows=${3} />`;
  return html`<div class="sec-h"><h2>Operators’ keys</h2><p>The key of the configuration is not in the list: nobody can end it here.</p>${admin && html`<button class="btn sm go" type="button" onClick=${() => setDialog('new')}>New key…</button>`}</div>
    <div class="tw"><table><caption class="sr">Operators’ keys, newest first</caption><thead><tr><th scope="col">Name</th><th scope="col">Role</th><th scope="col" class="c-s">Id</th><th scope="col" class="num c-s">Made</th><th scope="col" class="num">Ends</th><th scope="col" class="num"><span class="sr">Act</span></th></tr></thead><tbody>${page.data.keys.map((k) => html`<tr><td class="any">${plain(k.name)}</td><td>${k.role}</td><td class="c-s"><${Id} id=${k.id} wide=${true} /></td><td class="num c-s"><${Time} at=${k.created_at} /></td><td class="num">${k.expires_at ? html`<${Time} at=${k.expires_at} />` : 'never'}</td><td class="num">${admin && html`<button class="btn sm harm" type="button" aria-label=${'End the key of ' + plain(k.name)} onClick=${() => setEnding(k)}>End…</button>`}</td></tr>`)}
      ${!page.data.keys.length && html`<tr><td colspan="6" class="dim">None. Everybody who signs in has the operator’s own key; make one for each person instead.</td></tr>`}</tbody></table></div><${Req} told=${page.data.told} />
    ${dialog && html`<${KeyForm} onClose=${() => setDialog('')} onDone=${page.reload} />`}
    ${ending && html`<${Confirm} title="End this key" text=${`${plain(ending.name)} (${ending.role}) cannot do anything any more, and sessions that were opened with it end.`} label="End 1 key" harm=${true} onYes=${async () => { await call('DELETE', '/v1/keys/' + encodeURIComponent(ending.id)); toast('The key has ended.'); page.reload(); }} onClose=${() => setEnding(null)} />`}`;
};

const Sessions = () => {
  const page = useLoad('sessions', async (signal) => { const s = await call('GET', '/v1/sessions', { signal }); return { rows: s.data.data, told: s.told }; });
  if (page.error) return html`<${Failed} error=${page.error} again=${page.reload} />`;
  if (!page.data) return html`<${Bones} rows=${3} />`;
  const end = (s) => call('DELETE', '/v1/sessions/' + encodeURIComponent(s.id)).then(() => { toast('Signed out.'); page.reload(); }, (e) => toast(e.message));
  return html`<div class="sec-h"><h2>Signed in</h2><p>Browsers with a session. A session ends ${span(session.now.idle_seconds * 1000)} after its last use.</p></div>
    <div class="tw"><table><caption class="sr">Sessions, newest first</caption><thead><tr><th scope="col">Who</th><th scope="col">Role</th><th scope="col" class="c-s">From</th><th scope="col" class="num">Last used</th><th scope="col" class="num c-s">Ends at the latest</th><th scope="col" class="num"><span class="sr">Act</span></th></tr></thead><tbody>${page.data.rows.map((s) => html`<tr><td class="any">${plain(s.name) || 'The operator'}${s.id === session.now.id ? html`<span class="sub">this one</span>` : ''}</td><td>${s.role}</td><td class="mono c-s">${s.from}</td><td class="num"><${Time} at=${s.used_at} /></td><td class="num c-s"><${Time} at=${s.expires_at} /></td><td class="num">${s.id !== session.now.id && html`<button class="btn sm harm" type="button" aria-label=${'Sign out ' + (plain(s.name) || 'the operator')} onClick=${() => end(s)}>Sign out</button>`}</td></tr>`)}</tbody></table></div><${Req} told=${page.data.told} />`;
};

const Dialects = ({ name }) => {
  const page = useLoad('dialects', async (signal) => { const d = await call('GET', '/v1/dialects', { signal }); return { rows: d.data.data, usual: d.data.default, told: d.told }; });
  if (page.error) return html`<${Failed} error=${page.error} again=${page.reload} />`;
  if (!page.data) return html`<${Bones} rows=${5} />`;
  const one = page.data.rows.find((d) => d.name === name);
  if (name) return one ? html`<div class="sec-h"><h2>${one.name}</h2><p>${plain(one.about)}</p><a href=${to('settings/dialects')}>All dialects</a></div><${Body} text=${JSON.stringify(one)} label=${'Every value of the dialect ' + one.name} name=${one.name} />` : html`<p class="dim">No dialect of this name is loaded.</p>`;
  return html`<div class="sec-h"><h2>Dialects</h2><p>The vendors’ forms that are loaded. New tenants get ${page.data.usual}.</p></div><div class="tw"><table><caption class="sr">Dialects</caption><thead><tr><th scope="col">Name</th><th scope="col" class="c-s">About</th><th scope="col">Signature</th><th scope="col" class="num">Attempts</th></tr></thead><tbody>${page.data.rows.map((d) => { const href = to('settings/dialects/' + d.name); return html`<tr data-href=${href}><td><a class="mono" href=${href}>${d.name}</a></td><td class="c-s dim">${plain(d.about)}</td><td class="small mono">${d.signatures?.[0]?.algorithm ?? (d.auth?.header ? 'a secret in a header' : 'none')}</td><td class="num">${Array.isArray(d.retry?.delays) ? num(d.retry.delays.length + 1) : ''}</td></tr>`; })}</tbody></table></div><${Req} told=${page.data.told} />`;
};

const Values = () => {
  const page = useLoad('config', async (signal) => { const c = await call('GET', '/v1/config', { signal }); return { rows: c.data.data, told: c.told }; });
  if (page.error) return html`<${Failed} error=${page.error} again=${page.reload} />`;
  if (!page.data) return html`<${Bones} rows=${8} />`;
  return html`<div class="sec-h"><h2>Values in force</h2><p>Each with where it comes from. Secrets are named, never shown.</p></div><div class="tw"><table><caption class="sr">Settings in force</caption><thead><tr><th scope="col">Key</th><th scope="col">Value</th><th scope="col" class="c-s">From</th></tr></thead><tbody>${page.data.rows.map((r) => html`<tr><th scope="row" class="mono any">${r.key}</th><td class="mono any">${r.value === null ? html`<span class="dimmer">–</span>` : plain(r.value)}</td><td class="c-s dim any">${plain(r.origin)}</td></tr>`)}</tbody></table></div><${Req} told=${page.data.told} />`;
};

const verdicts = { done: ['ok', 'ok', 'Done'], checked: ['wait', 'wait', 'Checked'], refused: ['x', 'x', 'Refused'], failed: ['x', 'x', 'Failed'] };
/** "createWebhook" → "create webhook": the operation's id stands beside it. */
const words = (/** @type {string} */ operation) => operation.replace(/([A-Z])/g, (c) => ' ' + c.toLowerCase());
const who = (/** @type {any} */ r) => plain(r.key_name) || (r.key === 'operator' ? 'the operator' : r.key);

const Audit = ({ route }) => {
  const names = ['operation', 'result', 'key', 'session', 'tenant', 'object'], get = (n) => route.query.get(n) ?? '', since = get('since');
  const sinceAt = useMemo(() => (since ? parseWhen(since) : undefined), [since]), filters = { ...Object.fromEntries(names.map((n) => [n, get(n)])), since: sinceAt?.toISOString() ?? '' }, key = JSON.stringify(filters);
  const [extra, setExtra] = useState(/** @type {any} */ ({ key, rows: [], next: undefined }));
  const page = useLoad('audit' + key, async (signal) => { const a = await call('GET', '/v1/audit' + query({ ...filters, limit: 50 }), { signal }); setExtra({ key, rows: [], next: undefined }); return { rows: a.data.data, next: a.next, told: a.told }; });
  const mine = extra.key === key ? extra : { rows: [], next: undefined }, next = mine.next === undefined ? page.data?.next : mine.next, rows = page.data ? [...page.data.rows, ...mine.rows] : null, any = names.some(get) || since;
  const more = async () => { const a = await call('GET', '/v1/audit' + query({ ...filters, limit: 50, cursor: next })); setExtra({ key, rows: [...mine.rows, ...a.data.data], next: a.next }); };
  return html`<div class="sec-h"><h2>Who did what</h2><p>Changes, what was refused, and reading of secrets. The newest 5,000 of operators, and as many of tenants; the log has all.</p></div>
    <form class="filters few sm-c" role="search" aria-label="Filter the audit log" onSubmit=${(e) => e.preventDefault()}>
      <label class=${get('operation') ? 'set' : null}><span class="lab">Operation</span><${Typed} type="search" placeholder="createWebhook" value=${get('operation')} onValue=${(v) => filter({ operation: v })} /></label>
      <label class=${get('result') ? 'set' : null}><span class="lab">Result</span><select value=${get('result')} onChange=${(e) => filter({ result: e.target.value })}><option value="">Any</option>${Object.entries(verdicts).map(([v, [, , t]]) => html`<option value=${v}>${t}</option>`)}</select></label>
      <label class=${get('object') ? 'set' : null}><span class="lab">About the id</span><${Typed} type="search" value=${get('object')} onValue=${(v) => filter({ object: v })} /></label>
      <label class=${since ? 'set' : null}><span class="lab">From</span><${Typed} type="text" placeholder="the beginning" value=${since} onValue=${(v) => filter({ since: v })} /></label>
      ${any ? html`<button class="btn sm bare" type="button" onClick=${() => filter({ ...Object.fromEntries(names.map((n) => [n, ''])), since: '' })}>Clear</button>` : html`<span></span>`}</form>
    ${sinceAt === null && html`<p class="hint bad" role="alert">“${plain(since)}” is no time. Say 14:00, yesterday, 2h, or 2026-11-30 14:00.</p>`}
    ${page.error && !rows ? html`<${Failed} error=${page.error} again=${page.reload} />` : !rows ? html`<${Bones} rows=${6} />` : html`<div class="tw"><table><caption class="sr">Audit log, newest first</caption><thead><tr><th scope="col">Result</th><th scope="col">What</th><th scope="col">Who</th><th scope="col" class="c-s">Tenant</th><th scope="col" class="c-m">About</th><th scope="col" class="c-l">From</th><th scope="col" class="num">When</th></tr></thead>
      <tbody>${rows.map((r) => { const [tone, icon, text] = verdicts[r.result] ?? ['wait', 'wait', plain(r.result)]; return html`<tr key=${r.id}><td><span class=${'st st-' + tone}><${Icon} n=${icon} />${text}</span>${r.result !== 'done' && html`<span class="sub">${r.status}</span>`}</td>
        <td class="any">${words(r.operation)}<span class="sub"><button class="linkish mono" type="button" aria-label=${'Only ' + r.operation} onClick=${() => filter({ operation: r.operation })}>${r.operation}</button>${r.repeated ? ' · repeated' : ''}</span></td>
        <td class="any"><button class="linkish any" type="button" aria-label=${'Only what ' + who(r) + ' did'} onClick=${() => filter({ key: r.key })}>${who(r)}</button>${r.session && html`<span class="sub">${r.session.startsWith('ptl_') ? 'by the portal' : 'in the dashboard'}</span>`}</td>
        <td class="c-s any">${r.tenant ? html`<a class="inline" href=${to('tenants/' + encodeURIComponent(r.tenant))}>${plain(r.tenant)}</a>` : html`<span class="dimmer">–</span>`}</td><td class="c-m">${r.object ? html`<${Id} id=${r.object} wide=${true} />` : html`<span class="dimmer">–</span>`}</td><td class="mono c-l">${plain(r.client)}</td><td class="num"><${Time} at=${r.time} /></td></tr>`; })}
      ${!rows.length && html`<tr><td colspan="7" class="dim">${any ? 'Nothing fits.' : 'Nothing was changed yet.'}</td></tr>`}</tbody></table>${next && html`<div class="more"><span>${num(rows.length)} loaded</span><button class="btn sm" type="button" onClick=${more}>Older</button></div>`}</div>`}
    <${Req} told=${page.data?.told} />`;
};

const nodeStates = { working: ['ok', 'ok', 'Working'], waiting: ['hold', 'hold', 'Waiting'], gone: ['off', 'off', 'Gone'] };
/** Members that a later version adds are shown as they are. */
const known = ['id', 'address', 'state', 'this', 'slots', 'lease_ms', 'version'];

const Nodes = () => {
  const page = useLoad('nodes', async (signal) => { const a = await call('GET', '/v1/nodes', { signal }); return { rows: a.data.data, told: a.told }; });
  if (page.error) return html`<${Failed} error=${page.error} again=${page.reload} />`;
  if (!page.data) return html`<${Bones} rows=${2} />`;
  return html`<div class="sec-h"><h2>Nodes</h2><p>${page.data.rows.length > 1 ? 'The processes that share the store. One that waits takes over when the lease of one that works ends.' : 'The store is of this process alone.'}</p><button class="btn sm" type="button" onClick=${page.reload}>Look again</button></div>
    <div class="tw"><table><caption class="sr">Nodes</caption><thead><tr><th scope="col">State</th><th scope="col">Node</th><th scope="col" class="num">Slots</th><th scope="col" class="num c-s">Lease</th><th scope="col" class="num c-s">Version</th></tr></thead><tbody>${page.data.rows.map((n) => { const [tone, icon, text] = nodeStates[n.state] ?? ['wait', 'wait', plain(n.state)], more = Object.entries(n).filter(([k, v]) => !known.includes(k) && v !== null && typeof v !== 'object'); return html`<tr>
      <td><span class=${'st st-' + tone}><${Icon} n=${icon} />${text}</span></td><td class="any"><span class="mono">${plain(n.address) || n.id}</span>${n.this ? html`<span class="sub">this one</span>` : ''}${more.map(([k, v]) => html`<span class="sub">${plain(k)}: ${plain(v)}</span>`)}</td><td class="num">${Array.isArray(n.slots) ? plain(n.slots.join(', ')) : num(n.slots ?? 0)}</td><td class="num c-s">${n.lease_ms === null || n.lease_ms === undefined ? html`<span class="dimmer">–</span>` : n.lease_ms > 0 ? `${span(n.lease_ms)} left` : `over for ${span(-n.lease_ms)}`}</td><td class="num c-s">${plain(n.version)}</td></tr>`; })}</tbody></table></div><${Req} told=${page.data.told} />`;
};

export default function Settings({ route, setTitle }) {
  useEffect(() => setTitle('Settings'), []);
  const section = route.parts[1] ?? 'keys', name = route.parts[2];
  const tabs = [['keys', 'Keys'], ...(can('admin') ? [['sessions', 'Signed in']] : []), ...(can('admin') ? [['audit', 'Audit log']] : []), ['dialects', 'Dialects'], ['nodes', 'Nodes'], ...(can('admin') ? [['values', 'Values in force']] : [])];
  return html`<div class="head"><div><h1>Settings</h1></div></div><nav class="tabs" aria-label="Settings">${tabs.map(([path, label]) => html`<a href=${to('settings/' + path)} aria-current=${section === path ? 'page' : null}>${label}</a>`)}</nav>
    <div class="sec">${section === 'sessions' ? html`<${Sessions} />` : section === 'dialects' ? html`<${Dialects} name=${name} />` : section === 'audit' ? html`<${Audit} route=${route} />` : section === 'nodes' ? html`<${Nodes} />` : section === 'values' ? html`<${Values} />` : html`<${Keys} />`}</div>`;
}
