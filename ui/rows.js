/* Lists of deliveries: read page by page as one scrolls, and kept up to date by the stream of attempts.
 *
 * At most MOST rows stand in the page; those that leave at the top are offered again. New rows come in on top only while the
 * reader is at the top; else they wait behind a button, so that no row jumps under the pointer. */
import { dayName, html, ms, num, plain, sameDay, timeOfId, useCallback, useEffect, useRef, useState, w } from './base.js';
import { call, query, serverNow, useLoad } from './api.js';
import { MAX_RATE, useStream } from './live.js';
import { Answer, Bones, Countdown, Failed, Id, Sentinel, Skipped, Status, Thread, Time, Url } from './parts.js';
import { to } from './route.js';

const MOST = 200, PAGE = 50;

/* ---- endpoints by id, for their addresses ---- */

/** @type {Map<string, any>} */
const endpoints = new Map();

/** What is known of an endpoint; asks for it once. null: nothing (yet).
 * @param {string|null} id @param {string} tenant */
export function useEndpoint(id, tenant) {
  const [, set] = useState(0);
  useEffect(() => {
    if (!id || endpoints.has(id)) return;
    endpoints.set(id, null);
    call('GET', `/v1/webhooks/${encodeURIComponent(id)}`, { tenant }).then(({ data }) => { endpoints.set(id, data); set((n) => n + 1); for (const f of waiting) f(); }, () => {});
  }, [id]);
  useEffect(() => { const f = () => set((n) => n + 1); waiting.add(f); return () => { waiting.delete(f); }; }, []);
  return id ? endpoints.get(id) ?? null : null;
}
const waiting = new Set();
export const remember = (/** @type {any} */ webhook) => { endpoints.set(webhook.id, webhook); };

export const EndpointCell = ({ id, tenant }) => {
  const known = useEndpoint(id, tenant);
  return known ? html`<${Url} url=${known.url} />` : id ? html`<${Id} id=${id} wide=${true} />` : html`<span class="dimmer">${w('deleted')}</span>`;
};

/* ---- one row ---- */

const Next = ({ d }) => (d.status === 'retrying' || d.status === 'scheduled') && d.next_attempt_at ? html`<span class="sub tight">${w('next in')} <${Countdown} at=${d.next_attempt_at} bare=${true} /></span>`
  : d.status === 'failed' && d.reason ? html`<span class="sub">${d.reason === 'exhausted' ? w('used up its schedule') : w('refused for good')}</span>` : null;

const Row = ({ d, tenant: chosen, isNew, withEndpoint }) => {
  const tenant = d.tenant ?? chosen, href = to('deliveries/' + encodeURIComponent(d.id), { tenant });
  return html`<tr data-href=${href} class=${isNew ? 'new' : null}><td><${Status} is=${d.status} /></td>
    <td><a class="type" href=${href}>${d.event_type}</a>${d.test && html`<span class="sub">${w('test')}</span>`}${d.tenant && html`<span class="sub">${plain(d.tenant)}</span>`}<${Next} d=${d} /><span class="sub only-s"><${Answer} attempt=${d.last_attempt} /></span></td>
    <td class="c-l"><${Id} id=${d.id} wide=${true} /></td>
    ${withEndpoint && html`<td class="c-s cut"><${EndpointCell} id=${d.endpoint} tenant=${tenant} /></td>`}
    <td class="c-m"><${Thread} d=${d} /></td><td class="c-s"><${Answer} attempt=${d.last_attempt} /></td>
    <td class="num c-m dim">${d.last_attempt ? ms(d.last_attempt.duration_ms) : '–'}</td><td class="num"><${Time} at=${d.created_at} /></td></tr>`;
};

/* ---- a list ---- */

const outcomeFits = (wanted, got) => !wanted || wanted.split(',').includes(got);
const codeFits = (wanted, got) => !wanted || (got && wanted.split(',').some((w) => (/^\dxx$/i.test(w) ? w[0] === String(got)[0] : w === String(got))));

/** A delivery out of a message of the stream. */
const fromAttempt = (a) => ({ id: a.delivery, event: a.event, tenant: a.tenant, event_type: a.event_type, endpoint: a.endpoint, status: a.delivery_status, attempt_count: a.number, test: a.test,
  created_at: (timeOfId(a.event) ?? timeOfId(a.delivery) ?? new Date(a.time)).toISOString(), next_attempt_at: a.next_attempt_at,
  last_attempt: { number: a.number, time: a.time, outcome: a.outcome, status: a.status, duration_ms: a.duration_ms } });

/** Rows of GET /v1/deliveries with these filters, and what the stream adds. `since` and `until` stand in the query as times; with
 * `all_tenants` each row has its tenant.
 * @param {Record<string, string>} filters @param {string} tenant @param {number} limit 0: page after page */
export function useDeliveries(filters, tenant, limit = 0) {
  const key = tenant + JSON.stringify(filters);
  const [extra, setExtra] = useState(/** @type {{key: string, rows: any[], next: string|null|undefined, busy: boolean, error: any}} */ ({ key, rows: [], next: undefined, busy: false, error: null }));
  const [fresh, setFresh] = useState(/** @type {any[]} */ ([])), [skipped, setSkipped] = useState(0);
  const first = useLoad(key, async (signal) => {
    const answer = await call('GET', '/v1/deliveries' + query({ ...filters, limit: limit || PAGE }), { tenant, signal });
    setExtra({ key, rows: [], next: undefined, busy: false, error: null });
    setFresh([]);
    setSkipped(0);
    return { rows: answer.data.data, next: limit ? null : answer.next, told: answer.told };
  });
  const mine = extra.key === key ? extra : { rows: [], next: undefined, busy: false, error: null };
  const next = mine.next === undefined ? first.data?.next ?? null : mine.next;
  const more = useCallback(async () => {
    if (!next || mine.busy || first.busy) return;
    setExtra((x) => ({ ...x, key, busy: true, error: null }));
    try {
      const answer = await call('GET', '/v1/deliveries' + query({ ...filters, limit: PAGE, cursor: next }), { tenant });
      setExtra((x) => (x.key === key ? { key, rows: [...x.rows, ...answer.data.data], next: answer.next, busy: false, error: null } : x));
    } catch (error) { setExtra((x) => ({ ...x, busy: false, error })); }
  }, [next, mine.busy, first.busy, key]);
  const stream = filters.until ? null : '/v1/attempts/stream' + query({ max_rate: MAX_RATE, endpoint: filters.endpoint, event: filters.event, event_type: filters.event_type, include_tests: filters.include_tests, all_tenants: filters.all_tenants });
  const live = useStream(stream, tenant, (m) => {
    if (m.event === 'again') { first.reload(); return; }
    if (m.event === 'skipped') { setSkipped((n) => n + m.data.count); return; }
    const a = m.data;
    if (!a?.delivery) return;
    const fits = (!filters.status || filters.status.split(',').includes(a.delivery_status)) && outcomeFits(filters.outcome, a.outcome) && codeFits(filters.status_code, a.status);
    const put = (row) => (row.id === a.delivery && row.attempt_count <= a.number ? { ...row, ...fromAttempt(a), created_at: row.created_at } : row);
    first.set((d) => ({ ...d, rows: d.rows.map(put) }));
    setExtra((x) => (x.rows.some((r) => r.id === a.delivery) ? { ...x, rows: x.rows.map(put) } : x));
    setFresh((rows) => (rows.some((r) => r.id === a.delivery) ? rows.map(put)
      : fits && a.number === 1 && !first.data?.rows.some((r) => r.id === a.delivery) ? [fromAttempt(a), ...rows].slice(0, MOST) : rows));
  });
  const listed = first.data ? [...first.data.rows, ...mine.rows] : null;
  const show = useCallback(() => setFresh((rows) => { first.set((d) => ({ ...d, rows: [...rows, ...d.rows] })); return []; }), []);
  return { rows: listed, fresh, skipped, show, next, more, busy: first.busy || mine.busy, error: first.error, moreError: mine.error, reload: first.reload, told: first.data?.told ?? null, live };
}

export const DeliveryTable = ({ list, tenant, withEndpoint = true, caption, empty, most = MOST }) => {
  const [skip, setSkip] = useState(0);
  const [atTop, setAtTop] = useState(true);
  useEffect(() => {
    const look = () => setAtTop(scrollY < 240);
    look();
    addEventListener('scroll', look, { passive: true });
    return () => removeEventListener('scroll', look);
  }, []);
  const seen = useRef(new Set());
  const fresh = list.fresh.length;
  useEffect(() => { if (fresh && atTop && !skip) { for (const r of list.fresh) seen.current.add(r.id); list.show(); } }, [fresh, atTop, skip]);
  if (list.error && !list.rows) return html`<${Failed} error=${list.error} again=${list.reload} />`;
  if (!list.rows) return html`<${Bones} rows=${6} columns=${['b2', 'b2', 'b3', 'b1']} />`;
  const all = list.rows, from = Math.min(skip, Math.max(0, all.length - most)), shown = all.slice(from, from + most);
  const further = () => { if (from + most < all.length) setSkip(from + PAGE); else if (list.next) { list.more(); if (all.length >= most) setSkip(all.length - most + PAGE); } };
  const columns = withEndpoint ? 8 : 7, body = [];
  let day = null;
  const now = new Date(serverNow());
  for (const d of shown) {
    const at = new Date(d.created_at);
    if ((!day && !sameDay(at, now)) || (day && !sameDay(at, day))) body.push(html`<tr class="day" key=${'day' + at.getTime()}><th colspan=${columns} scope="rowgroup">${dayName(at, now)}</th></tr>`);
    day = at;
    body.push(html`<${Row} key=${d.id} d=${d} tenant=${tenant} isNew=${seen.current.has(d.id)} withEndpoint=${withEndpoint} />`);
  }
  return html`${fresh > 0 && !(atTop && !skip) && html`<p class="acts newer"><button class="btn sm" type="button" onClick=${() => { setSkip(0); list.show(); scrollTo(0, 0); }}>${w('{0} new', num(fresh))}</button></p>`}
    ${list.skipped > 0 && html`<${Skipped} count=${list.skipped} again=${() => { setSkip(0); list.reload(); }} />`}
    <div class="tw"><table><caption class="sr">${caption}</caption><thead><tr><th scope="col">${w('Status')}</th><th scope="col">${w('Event type')}</th><th scope="col" class="c-l">${w('Delivery')}</th>${withEndpoint && html`<th scope="col" class="c-s cut">${w('Endpoint')}</th>`}
    <th scope="col" class="c-m">${w('Attempts')}</th><th scope="col" class="c-s">${w('Last answer')}</th><th scope="col" class="num c-m">${w('Took')}</th><th scope="col" class="num">${w('Accepted')}</th></tr></thead>
    <tbody>${from > 0 && html`<tr><td colspan=${columns}><button class="btn sm" type="button" onClick=${() => setSkip(Math.max(0, from - most / 2))}>${w('{0} newer rows above', num(from))}</button></td></tr>`}
    ${body}${!shown.length && html`<tr><td colspan=${columns} class="dim">${empty}</td></tr>`}</tbody></table>
    ${(list.next || from + most < all.length || list.moreError) && html`<div class="more"><span>${w('{0} loaded. Rows below load as you scroll.', num(all.length))}<${Sentinel} more=${further} key=${all.length + '/' + from} /></span>
      ${list.moreError ? html`<span class="bad">${list.moreError.message}</span>` : ''}<button class="btn sm" type="button" disabled=${list.busy} onClick=${further}>${w('Older')}</button></div>`}</div>`;
};
