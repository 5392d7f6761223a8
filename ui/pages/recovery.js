/* Recovery: sends again what did not arrive. It counts first, and sends when the button with the count is pressed. */
import { html, num, parseWhen, plain, span, useEffect, useState } from '../base.js';
import { call, can, query, serverNow, useLoad } from '../api.js';
import { Bones, Confirm, Failed, Faults, Field, Id, JobState, Note, Req, Time, Url, toast, urlParts } from '../parts.js';
import { filter, go, to } from '../route.js';
import { EndpointCell, remember, useEndpoint } from '../rows.js';

const kinds = [['retrying', 'Retrying', 'now, instead of at their own time'], ['failed', 'Failed for good', ''], ['cancelled', 'Cancelled', ''], ['delivered', 'Delivered', 'they arrive a second time, with the same id'], ['earlier', 'From before the endpoint was made', 'events that it has never got']];

const ended = (list) => list.filter((k) => k !== 'retrying' && k !== 'earlier');
// What was accepted before the endpoint was made; null: nothing of the time asked for was.
const earlierOf = ({ since, until, types, known }, dry) => {
  if (!known?.created_at || since.getTime() >= new Date(known.created_at).getTime()) return null;
  const { status: _, ...body } = bodyOf({ since, until: until && until.getTime() < new Date(known.created_at).getTime() ? until : undefined, status: [], types }, dry);
  return body;
};
const bodyOf = ({ since, until, status, types }, dry) => ({ since: since.toISOString(), ...(until ? { until: until.toISOString() } : {}), status: ended(status), ...(types.length ? { event_types: types } : {}), ...(dry ? { dry_run: true } : {}) });

const New = ({ route, tenant, hooks }) => {
  const get = (n) => route.query.get(n) ?? '', endpoint = get('endpoint'), known = useEndpoint(endpoint || null, tenant);
  const since = get('since'), until = get('until'), status = get('status') ? get('status').split(',') : ['retrying', 'failed'], types = get('types') ? get('types').split(',') : [];
  const sinceAt = since ? parseWhen(since) : null, untilAt = until && until !== 'now' ? parseWhen(until) : undefined;
  const [asks, setAsks] = useState(false);
  const ok = endpoint && sinceAt && untilAt !== null && status.length;
  const count = useLoad(ok ? [tenant, endpoint, since, until, status, types, known?.created_at].join('|') : null, async (signal) => {
    const health = (await call('GET', '/v1/endpoint-health' + query({ tenant, endpoint }), { signal })).data.data[0];
    const before = status.includes('earlier') ? earlierOf({ since: sinceAt, until: untilAt, types, known }, true) : null;
    const earlier = before ? (await call('POST', `/v1/webhooks/${encodeURIComponent(endpoint)}/backfill`, { tenant, body: before, signal })).data : null;
    if (!ended(status).length) return { matched: 0, earlier: earlier?.matched ?? 0, oldest: earlier?.first, by: {}, health, told: null };
    const answer = await call('POST', `/v1/webhooks/${encodeURIComponent(endpoint)}/replay`, { tenant, body: bodyOf({ since: sinceAt, until: untilAt, status, types }, true), signal });
    const first = (await Promise.all(ended(status).map((s) => call('GET', '/v1/deliveries' + query({ endpoint, status: s, since: sinceAt?.toISOString(), until: untilAt?.toISOString(), event_type: types.length === 1 ? types[0] : '', limit: 5 }), { tenant, signal })))).flatMap((a) => a.data.data);
    return { matched: answer.data.matched, earlier: earlier?.matched ?? 0, oldest: earlier?.first, by: answer.data, health, told: answer.told, first: first.slice(0, 10) };
  });
  const c = /** @type {any} */ (count.data), retrying = status.includes('retrying') ? c?.health?.retrying ?? 0 : 0, total = (c?.matched ?? 0) + (c?.earlier ?? 0) + retrying;
  const toggle = (k) => filter({ status: (status.includes(k) ? status.filter((x) => x !== k) : [...status, k]).join(',') });
  const start = async () => {
    let id = null;
    if (retrying) await call('POST', `/v1/webhooks/${encodeURIComponent(endpoint)}/retry`, { tenant, body: {} });
    if (c.matched) id = (await call('POST', `/v1/webhooks/${encodeURIComponent(endpoint)}/replay`, { tenant, body: bodyOf({ since: sinceAt, until: untilAt, status, types }, false) })).data.id;
    if (c.earlier) id = (await call('POST', `/v1/webhooks/${encodeURIComponent(endpoint)}/backfill`, { tenant, body: earlierOf({ since: sinceAt, until: untilAt, types, known }, false) })).data.id;
    toast(`${num(total)} go out, at the endpoint’s own pace.`);
    go(id ? to('recovery/' + encodeURIComponent(id), { tenant }) : to('deliveries', { tenant, endpoint }));
  };
  const still = c?.health && (c.health.state === 'failing' || c.health.state === 'disabled' || c.health.state === 'paused') ? c.health : null;
  return html`<section class="panel" aria-labelledby="h-n"><div class="ph"><h2 id="h-n">New recovery</h2></div><div class="pb">
    ${still && html`<${Note} tone="warn" title=${still.state === 'failing' ? 'It still fails' : `It is ${still.state}`}>${still.state === 'failing' ? 'What you send now will probably fail again, and wait for its schedule. Send a test first.' : 'What you send now is held until it is active again.'} <a class="inline" href=${to('endpoints/' + encodeURIComponent(endpoint), { tenant })}>Look at the endpoint</a></${Note}>`}
    <div class="pick"><${Field} id="re" label="Endpoint"><select id="re" value=${endpoint} onChange=${(e) => filter({ endpoint: e.target.value })}><option value="">Choose one</option>${endpoint && !hooks.some((w) => w.id === endpoint) && html`<option value=${endpoint}>${known ? urlParts(known.url).host : endpoint}</option>`}${hooks.map((w) => html`<option value=${w.id}>${urlParts(w.url).host + urlParts(w.url).rest}${w.description ? ` (${plain(w.description)})` : ''}</option>`)}</select></${Field}>
      <${Field} id="rt" label="Event types" small="exact, with commas; empty: all"><input id="rt" class="mono" type="text" value=${types.join(',')} onChange=${(e) => filter({ types: e.target.value.replaceAll(' ', '') })} /></${Field}>
      <${Field} id="rf" label="From" small="accepted at or after" fault=${since && !sinceAt ? 'This is no time. Say 14:00, yesterday, 2h, or 2026-11-30 14:00.' : ''} hint="14:00, yesterday, 2h, 2026-11-30 14:00"><input id="rf" type="text" placeholder="14:00" value=${since} onChange=${(e) => filter({ since: e.target.value.trim() })} /></${Field}>
      <${Field} id="ru" label="Until" small="empty: now" fault=${untilAt === null ? 'This is no time.' : ''}><input id="ru" type="text" placeholder="now" value=${until} onChange=${(e) => filter({ until: e.target.value.trim() })} /></${Field}></div>
    <fieldset class="field narrow"><legend class="lab">Which</legend>${kinds.map(([k, label, sub]) => html`<label class="tick"><input type="checkbox" checked=${status.includes(k)} onChange=${() => toggle(k)} /><span>${label}${sub && html`<span class="sub">${sub}</span>`}${k === 'retrying' && html`<span class="sub">all of them, whatever the times above</span>`}</span><span class="dim">${c ? (k === 'retrying' ? num(c.health?.retrying ?? 0) : status.includes(k) ? num(k === 'earlier' ? c.earlier : c.by[k] ?? 0) : '') : ''}</span></label>`)}</fieldset></div>
    ${count.error ? html`<div class="pb"><${Faults} problem=${count.error} /></div>` : ok && !c ? html`<div class="verdict" role="status"><span class="dim">Counting…</span></div>` : ok ? html`<div class="verdict" role="status"><b>${num(total)}</b><span>deliver${total === 1 ? 'y' : 'ies'}, oldest first, behind its fresh events. ${c.by.unfinished && !status.includes('retrying') ? `${num(c.by.unfinished)} more have not ended and go on by themselves.` : ''} Tests and what is under way are never taken.</span></div>
      ${c.oldest?.length ? html`<div class="pb"><h3>The oldest from before</h3><table class="plain"><caption class="sr">Oldest events from before the endpoint was made</caption><tbody>${c.oldest.map((e) => html`<tr><td class="type">${e.type}</td><td class="c-s"><${Id} id=${e.id} wide=${true} href=${to('events/' + encodeURIComponent(e.id), { tenant })} /></td><td class="num"><${Time} at=${e.created_at} /></td></tr>`)}</tbody></table></div>` : ''}
      ${c.first?.length ? html`<div class="pb"><h3>The newest of them</h3><table class="plain"><caption class="sr">Newest deliveries that match</caption><tbody>${c.first.map((d) => html`<tr><td class="type">${d.event_type}</td><td class="c-s"><${Id} id=${d.id} wide=${true} href=${to('deliveries/' + encodeURIComponent(d.id), { tenant })} /></td><td class="num"><${Time} at=${d.created_at} /></td></tr>`)}</tbody></table></div>` : ''}`
      : html`<div class="verdict"><span class="dim">Choose an endpoint, a time and a state: it is counted at once, and nothing is sent before you press the button.</span></div>`}
    <div class="pb acts"><button class="btn go" type="button" disabled=${!total || !can('support')} onClick=${() => (total > 100 ? setAsks(true) : start().catch((e) => toast(e.message)))}>${total ? `Send ${num(total)} again` : 'Send again'}</button><span class="dim small">Nothing is sent before you press the button.</span></div></section>
    <${Req} told=${c?.told} />
    ${asks && html`<${Confirm} title=${`Send ${num(total)} again`} text=${`To ${known ? urlParts(known.url).host : 'the endpoint'}, at most ${known?.max_in_flight ?? 16} at a time.`} label=${`Send ${num(total)} again`} onYes=${start} onClose=${() => setAsks(false)} />`}`;
};

const Job = ({ id, tenant: asked, setOwner }) => {
  const [stop, setStop] = useState(false);
  const page = useLoad(id + asked, async (signal) => {
    const answer = await call('GET', '/v1/replays/' + encodeURIComponent(id), { tenant: asked || undefined, signal });
    return { r: answer.data, tenant: answer.tenant ?? 'default', told: answer.told };
  });
  const r = page.data?.r, tenant = page.data?.tenant ?? asked, at = r && (r.state === 'running' || r.state === 'collecting');
  useEffect(() => { if (page.data) setOwner(page.data.tenant); }, [page.data]);
  useEffect(() => { if (!at) return undefined; const t = setTimeout(() => { if (!document.hidden) page.reload(); }, 1000); return () => clearTimeout(t); }, [page.data, page.error]);
  const known = useEndpoint(r?.endpoint ?? null, tenant);
  if (page.error && !r) return html`<${Failed} error=${page.error} again=${page.reload} what="This recovery" />`;
  if (!r) return null;
  const left = Math.max(0, r.matched - r.queued), ran = new Date(r.updated_at).getTime() - new Date(r.created_at).getTime();
  return html`<section class="panel" aria-labelledby="h-j"><div class="ph"><h2 id="h-j">Recovering ${known ? urlParts(known.url).host : ''}</h2><${JobState} is=${r.state} pill=${true} /></div><div class="pb"><p class="lede"><b>${num(r.queued)}</b> of ${num(r.matched)} are out.${r.state === 'done' ? ' Done.' : r.state === 'cancelled' ? ' Stopped.' : ''}</p>
    <div class="sec-h sec"><label for="pg">${Math.floor(r.progress * 100)} %</label>${r.queued && at && ran > 1000 ? html`<span class="dim small">about ${span(left / (r.queued / ran))} to go</span>` : ''}</div><progress id="pg" max="1" value=${r.progress}></progress>
    <dl class="facts sec"><dt>Endpoint</dt><dd>${r.endpoint ? html`<a href=${to('endpoints/' + encodeURIComponent(r.endpoint), { tenant })}><${EndpointCell} id=${r.endpoint} tenant=${tenant} /></a>` : 'deleted'}</dd><dt>Accepted</dt><dd><${Time} at=${r.since} /> to <${Time} at=${r.until} /></dd><dt>Which</dt><dd>${r.kind === 'backfill' ? 'events from before the endpoint was made' : r.status?.join(', ') || 'all that have ended'}${r.event_types?.length ? `; ${r.event_types.join(', ')}` : ''}</dd><dt>Started</dt><dd><${Time} at=${r.created_at} /></dd><dt>Job</dt><dd><${Id} id=${r.id} /></dd></dl>
    <p class="acts">${at && can('support') && html`<button class="btn harm" type="button" onClick=${() => setStop(true)}>Stop…</button>`}<a class="btn" href=${to('deliveries', { tenant, endpoint: r.endpoint ?? '', since: r.since })}>Its deliveries</a><a class="btn" href=${to('recovery', { tenant })}>All recoveries</a></p><p class="hint">Leave this page; the job goes on, also after a restart of the server.</p></div></section><${Req} told=${page.data?.told} />
    ${stop && html`<${Confirm} title="Stop this recovery" text=${`${num(left)} are not sent. What is queued already still goes out.`} label=${`Leave ${num(left)} out`} harm=${true} onYes=${async () => { await call('DELETE', '/v1/replays/' + encodeURIComponent(id), { tenant }); toast('Stopped.'); page.reload(); }} onClose=${() => setStop(false)} />`}`;
};

const Jobs = ({ tenant }) => {
  const page = useLoad('jobs' + tenant, async (signal) => { const a = await call('GET', '/v1/replays?limit=50', { tenant, signal }); return { rows: a.data.data, told: a.told }; });
  if (page.error) return html`<${Failed} error=${page.error} again=${page.reload} />`;
  if (!page.data) return html`<${Bones} rows=${2} />`;
  return html`<section class="sec" aria-labelledby="h-js"><div class="sec-h"><h2 id="h-js">Recoveries</h2></div><div class="tw"><table><caption class="sr">Recovery jobs, newest first</caption><thead><tr><th scope="col">State</th><th scope="col" class="cut">Endpoint</th><th scope="col" class="c-s">What</th><th scope="col" class="num">Sent</th><th scope="col" class="num">Started</th></tr></thead>
    <tbody>${page.data.rows.map((r) => { const href = to('recovery/' + encodeURIComponent(r.id), { tenant }); return html`<tr data-href=${href}><td><${JobState} is=${r.state} /></td><td class="cut"><a href=${href}><${EndpointCell} id=${r.endpoint} tenant=${tenant} /></a></td><td class="c-s dim">${r.kind === 'backfill' ? 'from before' : r.status?.join(', ') || 'all'}, since <${Time} at=${r.since} /></td><td class="num">${num(r.queued)} of ${num(r.matched)}</td><td class="num"><${Time} at=${r.created_at} /></td></tr>`; })}
    ${!page.data.rows.length && html`<tr><td colspan="5" class="dim">None yet. What was sent again as a batch stands here.</td></tr>`}</tbody></table></div><${Req} told=${page.data.told} /></section>`;
};

export default function Recovery({ route, tenant, setOwner, setTitle }) {
  useEffect(() => setTitle('Recovery'), []);
  const id = route.parts[1];
  const hooks = useLoad(id ? null : 'hooks' + tenant, async (signal) => {
    const { data } = await call('GET', '/v1/webhooks?limit=200', { tenant, signal });
    data.data.forEach(remember);
    return data.data;
  });
  return html`<div class="head"><div><h1>Recovery</h1><p class="dim">Send again what did not arrive. Jobs go on by themselves, also after a restart.</p></div></div>
    ${id ? html`<${Job} id=${id} tenant=${route.query.get('tenant') ?? ''} setOwner=${setOwner} />` : html`<${New} route=${route} tenant=${tenant} hooks=${hooks.data ?? []} /><${Jobs} tenant=${tenant} />`}`;
}
