/* One event: its data, and where it went. */
import { html, num, plain, useEffect, useState } from '../base.js';
import { call, can, useLoad } from '../api.js';
import { Body, Confirm, Crumbs, Failed, Icon, Id, Req, Time, toast } from '../parts.js';
import { go, to } from '../route.js';
import { DeliveryTable, EndpointCell, useDeliveries } from '../rows.js';

const reasons = { matches: 'gets it', filter_error: 'its filter could not be applied', created_later: 'was made later', event_type: 'does not subscribe to this type', disabled: 'was disabled', channels: 'wants other channels', filter: 'its filter does not match' };

/** Why an endpoint got the event or did not: what its filter says of it. */
const Matches = ({ id, tenant }) => {
  const page = useLoad('matches' + id, async (signal) => { const a = await call('GET', `/v1/events/${encodeURIComponent(id)}/matches?limit=50`, { tenant, signal }); return { rows: a.data.data, more: !!a.next, told: a.told }; });
  if (page.error) return html`<p class="dim small">${plain(page.error.message)}</p>`;
  return html`<section class="sec" aria-labelledby="h-m"><div class="sec-h"><h2 id="h-m">Who gets it, and why</h2><p>By the endpoints’ settings of now.</p></div><div class="tw"><table><caption class="sr">Endpoints and whether they match</caption><thead><tr><th scope="col">Gets it</th><th scope="col" class="cut">Endpoint</th><th scope="col">Why</th></tr></thead>
    <tbody>${(page.data?.rows ?? []).map((m) => html`<tr><td><span class=${'st ' + (m.matches ? 'st-ok' : 'st-cancel')}><${Icon} n=${m.matches ? 'ok' : 'cancel'} />${m.matches ? 'Yes' : 'No'}</span></td><td class="cut"><a href=${to('endpoints/' + encodeURIComponent(m.endpoint), { tenant })}><${EndpointCell} id=${m.endpoint} tenant=${tenant} /></a></td>
      <td>${reasons[m.reason] ?? plain(m.reason)}${(m.terms ?? []).map((t) => html`<span class="sub"><code>${plain(t.text)}</code> ${t.holds ? 'holds' : 'does not hold'}${t.values?.length ? `: ${t.values.map((v) => (v.found ? plain(JSON.stringify(v.value)) : `there is no ${plain(v.path)}`)).join(', ')}` : ''}</span>`)}</td></tr>`)}${page.data && !page.data.rows.length && html`<tr><td colspan="3" class="dim">There is no endpoint.</td></tr>`}</tbody></table>${page.data?.more && html`<div class="more">The newest 50 endpoints.</div>`}</div></section>`;
};

export default function EventPage({ route, tenant: chosen, setOwner, setTitle }) {
  const id = route.parts[1], asked = route.query.get('tenant') ?? undefined;
  const [erase, setErase] = useState(false);
  const page = useLoad(id + (asked ?? ''), async (signal) => {
    const answer = await call('GET', '/v1/events/' + encodeURIComponent(id), { tenant: asked, signal });
    return { e: answer.data, tenant: answer.tenant ?? 'default', told: answer.told };
  });
  const tenant = page.data?.tenant ?? chosen, e = page.data?.e;
  const list = useDeliveries({ event: id, include_tests: 'true' }, tenant);
  useEffect(() => { setTitle('Event ' + id.slice(-6)); if (page.data) setOwner(page.data.tenant); }, [page.data]);
  if (page.error && !e) return page.error.status === 404 ? html`<div class="mid"><h1>There is no such event</h1><p class="dim">It may belong to another tenant, or retention has removed it.</p></div>` : html`<${Failed} error=${page.error} again=${page.reload} what="This event" />`;
  if (!e) return null;
  const text = e.data === undefined ? '' : JSON.stringify(e.data);
  return html`<${Crumbs} items=${[{ text: 'Events', href: to('events', { tenant }) }, { text: tenant }, { text: html`<${Id} id=${id} />` }]} />
    <div class="head"><div><p class="type">${e.type}</p><h1 class="lede">Accepted <b><${Time} at=${e.created_at} /></b>; it went to <b>${num(e.delivery_count ?? e.deliveries?.length ?? 0)}</b> endpoint${(e.delivery_count ?? e.deliveries?.length) === 1 ? '' : 's'}.</h1></div>
      <div class="acts">${can('admin') && !e.erased_at && html`<button class="btn harm" type="button" onClick=${() => setErase(true)}>Erase data…</button>`}</div></div>
    <section aria-labelledby="h-d"><div class="sec-h"><h2 id="h-d">Deliveries</h2></div><${DeliveryTable} list=${list} tenant=${tenant} caption="Deliveries of this event" empty="No endpoint subscribed to this type when it was accepted." /></section>
    ${!e.erased_at && !e.test && html`<${Matches} id=${id} tenant=${tenant} />`}
    <div class="cols sec"><section class="panel" aria-labelledby="h-da"><div class="ph"><h2 id="h-da">Data</h2><span class="dim small">as it was published</span></div><div class="pb">${e.erased_at ? html`<p class="dim">What it said was erased on <${Time} at=${e.erased_at} />.</p>` : html`<${Body} text=${text} label="Data of the event" name=${id} />`}</div></section>
    <aside><section class="panel"><div class="ph"><h2>Facts</h2></div><div class="pb"><dl class="facts"><dt>Event</dt><dd><${Id} id=${e.id} /></dd><dt>Happened</dt><dd><${Time} at=${e.time} full=${true} /></dd><dt>Accepted</dt><dd><${Time} at=${e.created_at} full=${true} /></dd>${e.resource_type && html`<dt>About</dt><dd>${plain(e.resource_type)} ${plain(e.resource_id)}</dd>`}<dt>Tenant</dt><dd>${tenant}</dd></dl></div></section></aside></div>
    <${Req} told=${page.data?.told} />
    ${erase && html`<${Confirm} title="Erase what this event says" text="Its data, and what its attempts have sent and were answered, are removed for good, from the database and its log. The record that it was delivered stays. Deliveries that have not ended are cancelled." label="Erase 1 event" harm=${true}
      onYes=${async () => { await call('DELETE', `/v1/events/${encodeURIComponent(id)}?cancel=true`, { tenant }); toast('Erased.'); page.reload(); }} onClose=${() => setErase(false)} />`}`;
}
