/* The first page: what needs somebody, worst first; then what happens. It begins with the answer to "is all well?". */
import { html, num, plain, span, spelt, useEffect, useState } from '../base.js';
import { call, query, serverNow, useLoad } from '../api.js';
import { Bones, CopyButton, EndpointState, Failed, Live, Note, Req, Time, Url, outcomeWord } from '../parts.js';
import { to } from '../route.js';
import { DeliveryTable, useDeliveries } from '../rows.js';
import { Charts, ranges, useStats } from '../charts.js';

/** Why an endpoint needs somebody: [what, since when]. */
export function trouble(h) {
  const last = h.last_attempt, since = h.failing_since ? span(serverNow() - new Date(h.failing_since).getTime()) : '';
  const what = last?.status ? html`Answers <b>${last.status}</b>` : last ? html`<b>${outcomeWord(last.outcome)}</b>${last.detail ? `: ${plain(last.detail)}` : ''}` : 'No attempt yet';
  if (h.state === 'disabled') {
    return [h.disabled?.reason === 'gone' ? html`Answered <b>410 Gone</b>, which disables at once` : html`${what}, and was disabled (${plain(h.disabled?.reason)})`,
      html`Since <${Time} at=${h.disabled?.at} />. What came since is held; nothing is lost.`];
  }
  if (h.state === 'paused') return ['Paused by somebody', 'New deliveries are held.'];
  const cut = h.disable_at ? html` It is disabled <${Time} at=${h.disable_at} /> if it goes on.` : '', first = h.first_attempts, share = first?.count >= 10 ? html` ${first.failed_percent} % of its first attempts fail.` : '';
  return [what, html`${since ? html`Since <${Time} at=${h.failing_since} />, ${since}. ` : ''}${h.resting_until ? html`It asked for a rest until <${Time} at=${h.resting_until} />` : h.breaker_open ? 'Nobody answers there; it is probed from time to time' : 'Tried again by itself'}.${share}${cut}`];
}

const Need = ({ h, name }) => {
  const [what, since] = trouble(h);
  const id = encodeURIComponent(h.endpoint), tenant = h.tenant;
  return html`<li class="need"><${EndpointState} is=${h.state} pill=${true} /><div><a href=${to('endpoints/' + id, { tenant })}><${Url} url=${h.url} /></a><span class="sub">${plain(name)}${name !== tenant ? ` · ${tenant}` : ''}</span></div>
    <div>${what}<span class="sub">${since}</span></div><div class="num"><b>${num(h.waiting)}${h.more_in_store ? '+' : ''}</b><span class="sub">${h.held ? 'held' : 'waiting'}</span></div>
    <div class="acts">${h.state === 'failing' ? html`<a class="btn sm" href=${to('recovery', { tenant, endpoint: h.endpoint, since: h.failing_since })}>Recover…</a>` : html`<a class="btn sm" href=${to('endpoints/' + id, { tenant })}>Re-enable…</a>`}
      <a class="btn sm" href=${to('deliveries', { tenant, endpoint: h.endpoint, status: h.state === 'failing' ? 'failed,retrying' : null })}>Deliveries</a></div></li>`;
};

const First = ({ tenant }) => {
  const order = `curl -sS ${location.origin}/v1/events -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{"type":"hello.world","data":{"greeting":"It works"}}'`;
  return html`<div class="panel"><div class="pb"><h2 class="sr">First steps</h2><ol class="steps"><li class="done"><h3>The server runs</h3><p>You are looking at it.</p></li>
    <li class="now"><h3>Add an endpoint</h3><p>A URL that gets a signed request when something happens. <a href=${to('endpoints/new', { tenant: tenant || 'default' })}>Add the first one</a></p></li>
    <li><h3>Publish an event</h3><p>In a terminal, with <code>KEY</code> set:</p><div class="copyline"><code>${order}</code><${CopyButton} text=${order} small=${false} /></div></li>
    <li><h3>Watch it arrive</h3><p>This page shows it the moment it comes. Then switch the receiver off and publish again: you see the retry.</p></li></ol></div></div>`;
};

export default function Overview({ route, tenant, tenants, setTitle, setAttention }) {
  useEffect(() => setTitle('Overview'), []);
  const asked = route.query.get('range') ?? '', range = asked in ranges ? asked : '1h';
  const name = (id) => tenants.find((t) => t.id === id)?.name || id;
  const page = useLoad('overview' + tenant, async (signal) => {
    const ask = (state) => call('GET', '/v1/endpoint-health' + query({ tenant, state, limit: 100 }), { signal });
    const [failing, disabled, some, ready] = await Promise.all([ask('failing'), ask('disabled'), call('GET', '/v1/endpoint-health' + query({ tenant, limit: 1 }), { signal }),
      call('GET', '/readyz', { signal }).then(() => null, (problem) => problem)]);
    const needs = [...failing.data.data, ...disabled.data.data].sort((a, b) => b.waiting - a.waiting || String(a.failing_since).localeCompare(String(b.failing_since)));
    return { needs, more: !!(failing.next || disabled.next), any: some.data.data.length > 0, ready, told: failing.told };
  });
  const stats = useStats(range, tenant, ''); // asked for with the rest, not after it
  const list = useDeliveries(tenant ? {} : { all_tenants: 'true' }, tenant, 8);
  const data = page.data;
  useEffect(() => { if (data && !tenant) setAttention(data.needs.length); }, [data]);
  useEffect(() => { const t = setInterval(() => { if (!document.hidden) page.reload(); }, 30000); return () => clearInterval(t); }, []);
  const waiting = data ? data.needs.reduce((n, h) => n + h.waiting, 0) : 0, n = data?.needs.length ?? 0;
  return html`<div class="head"><div><h1 class="sr">Overview</h1><p class="lede">${!data ? html`<span class="dimmer">…</span>`
    : !data.any ? html`<b>Ready.</b> There is no endpoint yet${tenant ? ' in this tenant' : ''}.`
    : n ? html`<b class="bad">${data.more ? num(n) + ' or more' : spelt(n)} endpoint${n === 1 ? ' needs' : 's need'} you.</b> ${waiting ? html`<b>${num(waiting)}</b> deliver${waiting === 1 ? 'y waits' : 'ies wait'} for ${n === 1 ? 'it' : 'them'}. ` : ''}All others get their events.`
    : html`<b>All is well.</b> No endpoint fails.`}</p></div>
    <div class="acts"><nav class="seg" aria-label="Time range">${Object.entries(ranges).map(([r, x]) => html`<a href=${to('', { range: r === '1h' ? null : r })} aria-current=${r === range ? 'true' : null}>${x.label}</a>`)}</nav></div></div>
  ${data?.ready && html`<${Note} tone="bad" title="No new events are accepted">${plain(data.ready.message)} Nothing that was accepted is lost.</${Note}>`}
  ${page.error && !data ? html`<${Failed} error=${page.error} again=${page.reload} what="What needs attention" />` : ''}
  ${data && !data.any ? html`<div class="mid"><${First} tenant=${tenant} /></div>` : ''}
  ${data && n > 0 && html`<section aria-labelledby="h-n"><div class="sec-h"><h2 id="h-n">Needs attention</h2><p>Worst first: by what waits and for how long.</p><a href=${to('endpoints')}>All endpoints</a></div>
    <ul class="needs">${data.needs.slice(0, 12).map((h) => html`<${Need} key=${h.endpoint} h=${h} name=${name(h.tenant)} />`)}</ul>
    ${(n > 12 || data.more) && html`<p class="hint"><a class="inline" href=${to('endpoints', { state: 'failing' })}>Show all that fail</a></p>`}<${Req} told=${data.told} /></section>`}
  ${!data && !page.error && html`<${Bones} rows=${3} columns=${['b2', 'b4', 'b3', 'b1']} />`}
  ${data?.any && html`<${Charts} range=${range} tenant=${tenant} page=${stats} />`}
  <section class="sec" aria-labelledby="h-l"><div class="sec-h"><h2 id="h-l">As it happens</h2><p>${tenant ? plain(name(tenant)) : 'All tenants'}</p><${Live} live=${list.live} /><a href=${to('deliveries', { tenant })}>All deliveries</a></div>
    <${DeliveryTable} list=${list} tenant=${tenant} caption="Newest deliveries" most=${8} empty="None yet." /></section>`;
}
