/* Events of a tenant, or of all tenants: what happened, each stored once whatever the number of endpoints. */
import { dayName, html, num, plain, sameDay, parseWhen, useEffect, useMemo, useState } from '../base.js';
import { call, query, serverNow, useLoad } from '../api.js';
import { MAX_RATE, useStream } from '../live.js';
import { Bones, Failed, Id, Live, Req, Sentinel, Skipped, Time } from '../parts.js';
import { filter, to } from '../route.js';
import { Typed } from '../typed.js';

export default function Events({ route, tenant, setTitle }) {
  useEffect(() => setTitle('Events'), []);
  const get = (n) => route.query.get(n) ?? '', type = get('type'), since = get('since'), until = get('until');
  const sinceAt = useMemo(() => (since ? parseWhen(since) : undefined), [since]), untilAt = useMemo(() => (until ? parseWhen(until) : undefined), [until]);
  const filters = { event_type: type, outcome: get('outcome'), since: sinceAt?.toISOString(), until: untilAt?.toISOString(), all_tenants: !tenant }, key = tenant + JSON.stringify(filters);
  const [extra, setExtra] = useState(/** @type {any} */ ({ key, rows: [], next: undefined, busy: false })), [fresh, setFresh] = useState(/** @type {any[]} */ ([])), [skipped, setSkipped] = useState(0);
  const page = useLoad(key, async (signal) => {
    const answer = await call('GET', '/v1/events' + query({ ...filters, limit: 50 }), { tenant, signal });
    setExtra({ key, rows: [], next: undefined, busy: false });
    setFresh([]);
    setSkipped(0);
    return { rows: answer.data.data, next: answer.next, told: answer.told };
  });
  const mine = extra.key === key ? extra : { rows: [], next: undefined, busy: false }, next = mine.next === undefined ? page.data?.next : mine.next;
  const live = useStream(until || get('outcome') ? null : '/v1/events/stream' + query({ max_rate: MAX_RATE, event_type: type, all_tenants: !tenant }), tenant, (m) => {
    if (m.event === 'again') page.reload();
    else if (m.event === 'skipped') setSkipped((n) => n + m.data.count);
    else if (m.data?.id) setFresh((f) => (f.some((e) => e.id === m.data.id) ? f : [m.data, ...f].slice(0, 100)));
  });
  const more = async () => {
    if (!next || mine.busy) return;
    setExtra({ ...mine, key, busy: true });
    const answer = await call('GET', '/v1/events' + query({ ...filters, limit: 50, cursor: next }), { tenant });
    setExtra({ key, rows: [...mine.rows, ...answer.data.data], next: answer.next, busy: false });
  };
  const rows = page.data ? [...fresh.filter((f) => !page.data?.rows.some((r) => r.id === f.id)), ...page.data.rows, ...mine.rows] : null;
  const wrong = sinceAt === null ? since : untilAt === null ? until : '', now = new Date(serverNow()), body = [];
  let day = null;
  for (const e of rows ?? []) {
    const at = new Date(e.created_at), href = to('events/' + encodeURIComponent(e.id), { tenant: e.tenant });
    if ((!day && !sameDay(at, now)) || (day && !sameDay(at, day))) body.push(html`<tr class="day"><th colspan="5" scope="rowgroup">${dayName(at, now)}</th></tr>`);
    day = at;
    body.push(html`<tr key=${e.id} data-href=${href} class=${fresh.includes(e) ? 'new' : null}><td><a class="type" href=${href}>${e.type}</a>${!tenant && html`<span class="sub">${plain(e.tenant)}</span>`}</td><td class="c-s"><${Id} id=${e.id} wide=${true} /></td><td class="c-m dim">${e.resource_type ? `${plain(e.resource_type)} ${plain(e.resource_id)}` : ''}</td><td class="num">${e.delivery_count === undefined ? '' : num(e.delivery_count)}</td><td class="num"><${Time} at=${e.created_at} /></td></tr>`);
  }
  return html`<div class="head"><div><h1>Events</h1><p class="dim">What was published. Each is stored once, and goes to every endpoint that subscribes to its type.</p></div><div class="acts"><${Live} live=${live} text="Live: new rows on top" /></div></div>
    <form class="filters few sm-c" role="search" aria-label="Filter events" onSubmit=${(e) => e.preventDefault()}><label class=${type ? 'set' : null}><span class="lab">Event type</span><${Typed} type="search" placeholder="invoice.*" value=${type} onValue=${(v) => filter({ type: v })} /></label>
      <label class=${get('outcome') ? 'set' : null}><span class="lab">Deliveries</span><select value=${get('outcome')} onChange=${(e) => filter({ outcome: e.target.value })}><option value="">Any</option><option value="success">some arrived</option><option value="failed_status,dns_error,denied,connect_error,tls_error,timeout,connection_reset,protocol_error,internal_error,client_certificate_error,token_error">some failed last time</option></select></label>
      <label class=${since ? 'set' : null}><span class="lab">From</span><${Typed} type="text" placeholder="the beginning" value=${since} onValue=${(v) => filter({ since: v })} /></label><label class=${until ? 'set' : null}><span class="lab">Until</span><${Typed} type="text" placeholder="now" value=${until} onValue=${(v) => filter({ until: v })} /></label></form>
    ${wrong && html`<p class="hint bad" role="alert">“${plain(wrong)}” is no time. Say 14:00, yesterday, 2h, or 2026-11-30 14:00.</p>`}
    ${page.error && !rows ? html`<${Failed} error=${page.error} again=${page.reload} />` : !rows ? html`<${Bones} rows=${6} columns=${['b2', 'b3', 'b1']} />` : html`${skipped > 0 && html`<${Skipped} count=${skipped} again=${page.reload} />`}<div class="tw"><table><caption class="sr">Events, newest first</caption><thead><tr><th scope="col">Type</th><th scope="col" class="c-s">Event</th><th scope="col" class="c-m">About</th><th scope="col" class="num">Endpoints</th><th scope="col" class="num">Accepted</th></tr></thead>
      <tbody>${body}${!rows.length && html`<tr><td colspan="5" class="dim">${type || since || until ? html`No event fits. <button class="linkish" type="button" onClick=${() => filter({ type: '', since: '', until: '', outcome: '' })}>Show all</button>` : html`Nothing was published yet. <code>POST /v1/events</code>, and it stands here at once.`}</td></tr>`}</tbody></table>
      ${next && html`<div class="more"><span>${num(rows.length)} loaded. Rows below load as you scroll.<${Sentinel} key=${rows.length} more=${more} /></span><button class="btn sm" type="button" onClick=${more}>Older</button></div>`}</div>`}
    <${Req} told=${page.data?.told} />`;
}
