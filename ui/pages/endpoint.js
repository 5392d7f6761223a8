/* One endpoint: how it does, its deliveries, settings, secrets, a test, and what its receiver needs. */
import { html, num, plain, span, useEffect, useState } from '../base.js';
import { call, can, query, useLoad } from '../api.js';
import { Confirm, Crumbs, EndpointState, Failed, Headers, Id, Live, Note, Req, Time, toast, urlParts } from '../parts.js';
import { filter, go, to } from '../route.js';
import { DeliveryTable, remember, useDeliveries } from '../rows.js';
import { trouble } from './overview.js';
import { Secrets, Test, authText } from '../endpoint-parts.js';
import { VerifyCode } from '../verify.js';
import { Explain } from '../explain.js';
import { HealthChart, ranges } from '../charts.js';

const Settings = ({ w, dialect, id, tenant }) => {
  const own = (v, text, usual) => html`${text}${v === usual ? html` <span class="sub">the dialect’s</span>` : ''}`;
  const planned = dialect?.retry?.delays, total = Array.isArray(planned) ? planned.reduce((n, s) => n + Number(s), 0) : 0;
  return html`<section class="panel" aria-labelledby="settings"><div class="ph"><h2 id="settings">Settings</h2>${can('admin') && html`<a class="btn sm" href=${to(`endpoints/${encodeURIComponent(id)}/edit`, { tenant })}>Edit</a>`}</div><div class="pb"><dl class="facts">
    <dt>Events</dt><dd>${w.events?.length ? w.events.map((t) => html`<span class="chip">${plain(t)}</span> `) : 'all'}</dd>
    ${w.filter && html`<dt>Filter</dt><dd><code>${plain(w.filter)}</code></dd>`}${w.retry && html`<dt>Schedule</dt><dd>${w.retry.delays ? (w.retry.delays.length ? `again after ${w.retry.delays.map((t) => span(t * 1000)).join(', ')}` : 'one attempt') : 'the dialect’s delays'}${w.retry.jitter_percent !== undefined && `; jitter ${w.retry.jitter_percent} %`}${w.retry.final && `; not again after ${plain(w.retry.final.join(', ') || 'nothing')}`}${w.retry.respect_retry_after !== undefined && `; Retry-After is ${w.retry.respect_retry_after ? '' : 'not '}honoured`}</dd>`}${w.channels?.length > 0 && html`<dt>Channels</dt><dd>${w.channels.map((c) => html`<span class="chip">${plain(c)}</span> `)}</dd>`}
    ${w.ordering && html`<dt>Order</dt><dd>${w.ordering.key === null ? 'all in one line' : html`by <code>${plain(w.ordering.key)}</code>`}, ${w.ordering.max_wait ? `a failing one waits ${w.ordering.max_wait}` : 'a failing one waits until it has ended'}${w.ordering.batch ? `, up to ${w.ordering.batch} in one request` : ''}</dd>`}
    <dt>Dialect</dt><dd>${dialect ? html`<a class="inline" href=${to('settings/dialects/' + dialect.name)}>${dialect.name}</a>` : '…'}${w.signature_variant ? `, signature ${w.signature_variant}` : ''}</dd>
    ${Array.isArray(planned) && html`<dt>Schedule</dt><dd>${planned.length + 1} attempts in ${span(total * 1000)}<span class="sub">the dialect’s</span></dd>`}
    <dt>Time-out</dt><dd>${own(w.timeout_seconds, `${w.timeout_seconds} s`, dialect?.timeout?.total)}</dd><dt>In flight</dt><dd>${w.max_in_flight} at most</dd><dt>Rate</dt><dd>${w.rate_limit_per_second ? `${w.rate_limit_per_second} a second at most` : 'no limit'}</dd>
    ${w.authentication && html`<dt>Authentication</dt><dd>${plain(authText(w.authentication))}</dd>`}
  ${w.source_address && html`<dt>Source address</dt><dd>${plain(w.source_address)}</dd>`}
  ${w.tls && html`<dt>TLS of its own</dt><dd>${w.client_certificate && html`<code>${plain(w.client_certificate.subject)}</code>, expires <${Time} at=${w.client_certificate.expires_at} /> `}${w.tls.ca && html`authorities of its own`}</dd>`}
    <dt>Headers</dt><dd>${Object.keys(w.headers ?? {}).length ? html`<${Headers} headers=${Object.fromEntries(Object.keys(w.headers).map((k) => [k, '***']))} />` : 'none'}</dd>
    <dt>Metadata</dt><dd>${Object.entries(w.metadata ?? {}).map(([k, v]) => html`<code>${plain(k)}=${plain(v)}</code> `)}${!Object.keys(w.metadata ?? {}).length && 'none'}</dd>
    ${Object.entries(w.options ?? {}).map(([k, v]) => html`<dt>${plain(k)}</dt><dd>${v ? 'yes' : 'no'}</dd>`)}
    ${w.consent && html`<dt>Consent</dt><dd>${w.consent.state}${w.consent.reason ? html`<span class="sub">${plain(w.consent.reason)}</span>` : ''}</dd>`}
    <dt>Made</dt><dd><${Time} at=${w.created_at} /></dd><dt>Changed</dt><dd><${Time} at=${w.updated_at} /></dd><dt>Id</dt><dd><${Id} id=${id} /></dd></dl></div></section>`;
};

/* ---- the page ---- */

export default function Endpoint({ route, tenant: chosen, setOwner, setTitle }) {
  const id = route.parts[1], asked = route.query.get('tenant') ?? undefined, tab = route.query.get('view') ?? '', within = route.query.get('range') ?? '', range = within in ranges ? within : '24h';
  const [dialog, setDialog] = useState('');
  const page = useLoad(id + (asked ?? ''), async (signal) => {
    const answer = await call('GET', '/v1/webhooks/' + encodeURIComponent(id), { tenant: asked, signal }), tenant = answer.tenant ?? 'default';
    const [health, owner] = await Promise.all([call('GET', '/v1/endpoint-health' + query({ tenant, endpoint: id }), { signal }), call('GET', '/v1/tenants/' + encodeURIComponent(tenant), { signal })]);
    const dialect = (await call('GET', '/v1/dialects/' + encodeURIComponent(owner.data.dialect), { signal })).data;
    remember(answer.data);
    return { w: answer.data, h: health.data.data[0], tenant, dialect, told: answer.told };
  });
  const tenant = page.data?.tenant ?? chosen;
  const list = useDeliveries({ endpoint: id }, tenant, tab === '' ? 10 : 1);
  useEffect(() => { if (page.data) { setOwner(page.data.tenant); setTitle(urlParts(page.data.w.url).host); } }, [page.data]);
  if (page.error && !page.data) return page.error.status === 404 ? html`<div class="mid"><h1>There is no such endpoint</h1><p class="dim">It was deleted, or belongs to another tenant. Its deliveries stay until retention: <a class="inline" href=${to('deliveries', { endpoint: id })}>look at them</a>.</p></div>` : html`<${Failed} error=${page.error} again=${page.reload} what="This endpoint" />`;
  if (!page.data) return null;
  const { w, h, dialect } = page.data, state = h?.state ?? (w.disabled ? 'disabled' : w.active ? 'active' : 'paused'), admin = can('admin');
  const { scheme, host, rest } = urlParts(w.url);
  const set = async (/** @type {boolean} */ active) => { await call('PATCH', '/v1/webhooks/' + encodeURIComponent(id), { tenant, body: { active } }); page.reload(); };
  const pause = (active) => set(active).then(() => toast(active ? 'Active again. What was held goes out, oldest first.' : 'Paused. New deliveries are held.', { label: 'Undo', act: () => { set(!active).catch((e) => toast(e.message)); } }), (e) => toast(e.message));
  const bad = (state === 'failing' || state === 'disabled') && h && trouble(h);
  const retryAll = async () => {
    const { data } = await call('POST', `/v1/webhooks/${encodeURIComponent(id)}/retry`, { tenant, body: {} });
    toast(`${num(data.retrying)} made due now. They go out at the endpoint’s own pace.`);
    page.reload();
  };
  return html`<${Crumbs} items=${[{ text: 'Endpoints', href: to('endpoints', { tenant: null }) }, { text: tenant }, { text: html`<${Id} id=${id} />` }]} />
    <div class="head"><div><p class="acts"><${EndpointState} is=${state} pill=${true} /> <span class="dim">${plain(w.description)}</span></p><h1 class="url">${scheme}<b>${host}</b>${rest}</h1></div>
      <div class="acts">${admin && (state === 'paused' ? html`<button class="btn" type="button" onClick=${() => pause(true)}>Resume</button>` : state === 'disabled' ? html`<button class="btn go" type="button" onClick=${() => setDialog('enable')}>Re-enable…</button>` : html`<button class="btn" type="button" onClick=${() => pause(false)}>Pause</button>`)}
        ${can('support') && html`<a class="btn" href=${to('recovery', { tenant, endpoint: id, since: h?.failing_since ?? null })}>Recover…</a>`}</div></div>
    ${bad && html`<${Note} tone=${state === 'failing' ? 'warn' : 'bad'} icon=${state === 'failing' ? 'alarm' : 'off'} title=${bad[0]}>${bad[1]} ${h.waiting ? html`<b>${num(h.waiting)}${h.more_in_store ? '+' : ''}</b> ${h.held ? 'are held' : 'wait'}.` : ''}
      ${state === 'failing' && h.retrying > 0 && can('support') && html`<div class="acts"><button class="btn sm" type="button" onClick=${() => setDialog('retry')}>Try what waits now…</button></div>`}</${Note}>`}
    <nav class="tabs" aria-label="Of this endpoint">${[['', 'Health'], ['verify', 'Verify'], ['danger', 'Delete']].filter(([v]) => v !== 'danger' || admin).map(([v, t]) => html`<a href=${to('endpoints/' + encodeURIComponent(id), { tenant: asked ?? tenant, view: v })} aria-current=${tab === v ? 'page' : null}>${t}</a>`)}</nav>
    <div class="cols sec"><div>${tab === 'verify' ? html`<${VerifyCode} dialect=${dialect} url=${w.url} variant=${w.signature_variant} language=${route.query.get('lang') ?? ''} onLanguage=${(l) => filter({ lang: l })} /><${Explain} id=${id} tenant=${tenant} />`
      : tab === 'danger' ? html`<section class="panel"><div class="ph"><h2>Delete this endpoint</h2></div><div class="pb"><p>What waits for it is cancelled${h?.waiting ? html`: <b>${num(h.waiting)}</b> deliveries` : ''}. Its log stays until retention. There is no way back.</p><p class="acts"><button class="btn harm" type="button" onClick=${() => setDialog('delete')}>Delete…</button></p></div></section>`
      : html`<${HealthChart} range=${range} tenant=${tenant} endpoint=${id} link=${(r) => to('endpoints/' + encodeURIComponent(id), { tenant: asked ?? tenant, range: r === '24h' ? null : r })} />
        <section class="sec" aria-labelledby="deliveries"><div class="sec-h"><h2 id="deliveries">Deliveries</h2><${Live} live=${list.live} /><a href=${to('deliveries', { tenant, endpoint: id })}>All of this endpoint</a></div>
        <${DeliveryTable} list=${list} tenant=${tenant} withEndpoint=${false} caption="Newest deliveries of this endpoint" most=${10} empty="None yet. Publish an event of a type that it subscribes to, or send a test." /></section>`}</div>
    <aside aria-label="Settings and secrets"><${Settings} w=${w} dialect=${dialect} id=${id} tenant=${tenant} /><${Secrets} id=${id} tenant=${tenant} dialect=${dialect} may=${admin} />${can('support') && html`<${Test} id=${id} tenant=${tenant} dialect=${dialect} events=${w.events} />`}</aside></div>
    <${Req} told=${page.data.told} />
    ${dialog === 'retry' && html`<${Confirm} title="Try what waits now" text=${`${num(h.retrying)} deliveries are made due, each with its schedule from the beginning. They go out as the endpoint’s limits allow.`} label=${`Try ${num(h.retrying)} now`} onYes=${retryAll} onClose=${() => setDialog('')} />`}
    ${dialog === 'enable' && html`<${Confirm} title="Re-enable this endpoint" text=${h?.held ? `${num(h.held)} held deliveries go out at once, oldest first, as its limits allow. Send a test first if you are not sure that it works again.` : 'Deliveries go out again.'} label=${h?.held ? `Re-enable and send ${num(h.held)}` : 'Re-enable'} onYes=${() => set(true)} onClose=${() => setDialog('')} />`}
    ${dialog === 'delete' && html`<${Confirm} title="Delete this endpoint" text=${`${host}${rest}: ${h?.waiting ? num(h.waiting) + ' waiting deliveries are cancelled. ' : ''}There is no way back.`} label="Delete 1 endpoint" harm=${true} onYes=${async () => { await call('DELETE', '/v1/webhooks/' + encodeURIComponent(id), { tenant }); toast('Deleted.'); go(to('endpoints', { tenant: null })); }} onClose=${() => setDialog('')} />`}`;
}
