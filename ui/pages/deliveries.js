/* All deliveries of a tenant, or of all tenants: live, with filters that stand in the address. */
import { html, parseWhen, plain, useEffect, useMemo } from '../base.js';
import { call, useLoad } from '../api.js';
import { Icon, Live, Req, outcomeList, urlParts } from '../parts.js';
import { filter, to } from '../route.js';
import { DeliveryTable, remember, useDeliveries } from '../rows.js';
import { Typed } from '../typed.js';

const statuses = [['', 'Any'], ['failed,retrying', 'Failed, retrying'], ['scheduled', 'Scheduled'], ['pending', 'Pending'], ['retrying', 'Retrying'], ['held', 'Held'], ['delivered', 'Delivered'], ['failed', 'Failed'], ['cancelled', 'Cancelled']];
const codes = [['2xx', '2xx'], ['3xx', '3xx'], ['4xx', '4xx'], ['429', '429'], ['5xx', '5xx']];

export default function Deliveries({ route, tenant, setTitle }) {
  useEffect(() => setTitle('Deliveries'), []);
  const q = route.query, get = (n) => q.get(n) ?? '';
  const since = get('since'), until = get('until'), outcome = get('outcome');
  const sinceAt = useMemo(() => (since ? parseWhen(since) : undefined), [since]), untilAt = useMemo(() => (until ? parseWhen(until) : undefined), [until]);
  const isCode = /^\d/.test(outcome);
  const list = useDeliveries({ event_type: get('type'), status: get('status'), endpoint: get('endpoint'), event: get('event'), outcome: isCode ? '' : outcome, status_code: isCode ? outcome : '',
    since: sinceAt?.toISOString() ?? '', until: untilAt?.toISOString() ?? '', include_tests: get('tests') ? 'true' : '', all_tenants: tenant ? '' : 'true' }, tenant);
  const hooks = useLoad('hooks' + tenant, async (signal) => {
    const { data } = await call('GET', '/v1/webhooks?limit=200' + (tenant ? '' : '&all_tenants=true'), { tenant, signal });
    data.data.forEach(remember);
    return data.data;
  });
  const wrong = sinceAt === null ? since : untilAt === null ? until : '';
  const any = ['type', 'status', 'endpoint', 'event', 'outcome', 'since', 'until', 'tests'].some((n) => q.get(n));
  const set = (n) => (get(n) ? 'set' : null);
  const endpoint = get('endpoint'), known = hooks.data?.find((w) => w.id === endpoint);
  return html`<div class="head"><div><h1>Deliveries</h1><p class="dim">One event on its way to one endpoint. Newest first.</p></div>
    <div class="acts"><${Live} live=${list.live} text="Live: new rows on top" />${endpoint && html`<a class="btn" href=${to('recovery', { tenant: tenant || known?.tenant, endpoint, since: since || null })}>Send these again…</a>`}</div></div>
  <form class="filters sm-c" role="search" aria-label="Filter deliveries" onSubmit=${(e) => e.preventDefault()}>
    <label class=${set('type')}><span class="lab">Event type</span><${Typed} type="search" placeholder="invoice.*" value=${get('type')} onValue=${(v) => filter({ type: v })} /></label>
    <label class=${set('status')}><span class="lab">Status</span><select value=${get('status')} onChange=${(e) => filter({ status: e.target.value })}>${statuses.map(([v, t]) => html`<option value=${v}>${t}</option>`)}</select></label>
    <label class=${set('outcome')}><span class="lab">Outcome</span><select value=${outcome} onChange=${(e) => filter({ outcome: e.target.value })}><option value="">Any</option>${outcomeList.map(([v, t]) => html`<option value=${v}>${t}</option>`)}
      ${codes.map(([v, t]) => html`<option value=${v}>answered ${t}</option>`)}${isCode && !codes.some(([v]) => v === outcome) && html`<option value=${outcome}>answered ${outcome}</option>`}</select></label>
    <label class=${set('endpoint')}><span class="lab">Endpoint</span><select value=${endpoint} onChange=${(e) => filter({ endpoint: e.target.value })}><option value="">Any</option>${endpoint && !known && html`<option value=${endpoint}>${endpoint}</option>`}
      ${(hooks.data ?? []).map((w) => html`<option value=${w.id}>${plain(w.description) || urlParts(w.url).host + urlParts(w.url).rest}${w.tenant ? ` · ${w.tenant}` : ''}</option>`)}</select></label>
    <label class=${set('since')}><span class="lab">From</span><${Typed} type="text" placeholder="the beginning" aria-describedby="fh" value=${since} onValue=${(v) => filter({ since: v })} /></label>
    <label class=${set('until')}><span class="lab">Until</span><${Typed} type="text" placeholder="now" aria-describedby="fh" value=${until} onValue=${(v) => filter({ until: v })} /></label>
    ${any ? html`<button class="btn sm bare" type="button" onClick=${() => filter({ type: '', status: '', endpoint: '', event: '', outcome: '', since: '', until: '', tests: '' })}>Clear</button>` : html`<span></span>`}</form>
  <p class=${wrong ? 'hint bad' : 'hint'} id="fh" role=${wrong ? 'alert' : null}>${wrong ? html`<${Icon} n="alarm" /> “${plain(wrong)}” is no time. Say 14:00, yesterday, 2h, or 2026-11-30 14:00.` : 'Times as you say them: 14:00, yesterday, 2h, 2026-11-30 14:00. The address of this page keeps every filter.'}
    ${' '}<label class="tick il"><input type="checkbox" checked=${!!get('tests')} onChange=${(e) => filter({ tests: e.target.checked ? '1' : '' })} /><span>Tests too</span></label></p>
  ${get('event') && html`<p class="hint">Of the event <code>${plain(get('event'))}</code> only.</p>`}
  <${DeliveryTable} list=${list} tenant=${tenant} caption="Deliveries, newest first" empty=${any ? html`No delivery fits these filters. <button class="linkish" type="button" onClick=${() => filter({ status: '', outcome: '', type: '', since: '', until: '', event: '' })}>Show all</button>`
    : html`None yet. Each event makes one for every endpoint that subscribes to its type. <a class="inline" href=${to('endpoints/new', { tenant: tenant || 'default' })}>Add an endpoint</a>, then publish.`} />
  <${Req} told=${list.told} />`;
}
