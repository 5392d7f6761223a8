/* The attempt viewer: one delivery, what was sent and what was answered at each attempt, and why. */
import { html, ms, num, ordinal, plain, span, useEffect, useState } from '../base.js';
import { call, can, curl, serverNow, useLoad } from '../api.js';
import { MAX_RATE, useDue, useStream } from '../live.js';
import { Body, Confirm, Countdown, Crumbs, Dialog, Failed, Faults, Headers, Icon, Id, Note, Req, Status, Time, Url, copy, outcomeWord, toast, urlParts } from '../parts.js';
import { filter, to } from '../route.js';
import { useEndpoint } from '../rows.js';
import { explainSignature, secretHint } from '../signature.js';

/* ---- words ---- */

const causes = {
  dns_error: ['Their host name could not be found', 'The name of the endpoint does not resolve, so nothing was sent. The owner looks at the DNS record, or at the URL.'],
  denied: ['The address is not allowed', 'The name leads to an address that deliveries may not go to (a private network, mostly). The owner uses a public address; an operator can allow a network (allow_networks).'],
  connect_error: ['No connection could be made', 'Nobody listens at this address, or a firewall refuses. The owner looks whether the server runs, and lets in the source addresses of this installation.'],
  tls_error: ['The TLS connection failed', 'The connection was ended before anything was sent, so the event was not shown to anyone. The owner looks at the certificate and its chain.'],
  client_certificate_error: ['Their server did not accept the client certificate', 'It asked for one, and refused the endpoint’s. The owner looks at who has signed it, and when it ends.'],
  token_error: ['There was no token', 'The server that gives tokens of OAuth gave none, so nothing was sent. The owner looks at its URL, the client’s id and the secret.'],
  timeout: ['Their server took too long', 'No complete answer came in time. The owner answers first and works afterwards, or gets a longer time-out.'],
  connection_reset: ['The connection was cut', 'Their side closed the connection before the answer was complete. The owner looks at the log of the server and of proxies before it.'],
  protocol_error: ['The answer was not HTTP', 'What came back could not be read as an HTTP answer. Perhaps something else listens at this port.'],
  internal_error: ['No request could be written', 'The dialect or the tenant’s attributes are others than when the event was accepted. An operator looks at them.'],
};

/** The sentence on top: what happened, and what next. */
function sentence(d, tenant) {
  const n = d.attempt_count, last = d.last_attempt;
  const took = d.ended_at ? span(Date.parse(d.ended_at) - Date.parse(d.created_at)) : '';
  const cause = last && last.outcome !== 'success' ? (last.status ? html`<b class="bad">Answered ${last.status}</b>` : html`<b class="bad">${causes[last.outcome]?.[0] ?? outcomeWord(last.outcome)}</b>`) : null;
  switch (d.status) {
    case 'delivered': return html`<b>Delivered at the ${ordinal(n).toLowerCase()} attempt</b>, ${took === '0 s' ? ms(Date.parse(d.ended_at) - Date.parse(d.created_at)) : took} after it was accepted.`;
    case 'retrying': return html`${cause}. Next attempt ${d.next_attempt_at && new Date(d.next_attempt_at).getTime() > serverNow() ? html`in <b><${Countdown} at=${d.next_attempt_at} bare=${true} /></b>` : html`is <b>due now</b>`}.`;
    case 'pending': if (d.waits_for) return html`<b>In line</b> behind <a class="inline" href=${to('deliveries/' + encodeURIComponent(d.waits_for), { tenant })}>the first delivery of its key</a>, which has not ended.`; return n ? html`Its next attempt is <b>due</b>.` : html`<b>Accepted.</b> Its first attempt is under way, or waits for its turn.`;
    case 'scheduled': return html`<b>Scheduled</b>: its publisher has put it off. First attempt in <b><${Countdown} at=${d.next_attempt_at} bare=${true} /></b>.`;
    case 'held': return html`<b>Held</b>: the endpoint is paused or disabled${cause ? html`. Last time: ${cause}` : ''}. It goes out when the endpoint is active again.`;
    case 'failed': return html`${cause ?? html`<b class="bad">It failed</b>`}, and ${d.reason === 'expired' ? 'the event has expired: it is not tried again' : d.reason === 'final_status' ? 'this status is final: it is not tried again' : `all ${num(n)} attempts are used up`}.`;
    default: return html`<b>Cancelled</b>${took ? ` ${took} after it was accepted` : ''}: its endpoint was deleted, or somebody stopped it.`;
  }
}

/* ---- the thread, large ---- */

/** Of the endpoint, where it has its own, else of the dialect. */
function delays(d, dialect) {
  const list = d.schedule?.delays ?? dialect?.retry?.delays;
  return Array.isArray(list) && list.every((s) => typeof s === 'number') ? list : null;
}

const BigThread = ({ d, attempts, dialect, tall }) => {
  const planned = delays(d, dialect), total = Math.max(attempts.length + (d.next_attempt_at ? 1 : 0), planned ? planned.length + 1 : 0, 1);
  const width = tall ? 330 : 1000, most = tall ? 4 : 10;
  const from = Math.max(0, Math.min(attempts.length - most + 2, total - most)), shown = Math.min(most, total - from);
  const step = shown > 1 ? (width - 16 - (shown === most ? 14 : 0)) / Math.max(shown - 1, tall ? 3 : 4) : 0;
  const parts = [];
  for (let k = 0; k < shown; k++) {
    const i = from + k, a = attempts[i], x = 8 + k * step, end = k === shown - 1 && shown === most, anchor = k === 0 ? 'start' : end ? 'end' : 'middle', tx = k === 0 ? 1 : end ? x + 8 : x;
    const due = !a && i === attempts.length && (d.status === 'retrying' || d.status === 'pending' || d.status === 'scheduled') && d.next_attempt_at;
    if (k) parts.push(html`<path class=${a ? 'yarn' : 'todo'} d=${`M${x - step + 9} 30h${Math.max(0, step - 18)}`} />`);
    const label = i === 0 ? 'at once' : a ? '+' + span(Date.parse(a.time) - Date.parse(attempts[i - 1].time)) : planned?.[i - 1] ? '+' + span(planned[i - 1] * 1000) : '';
    parts.push(html`<text x=${tx} y="12" text-anchor=${anchor}>${label}</text>`);
    if (a?.outcome === 'success') parts.push(html`<circle class="ko" cx=${x} cy="30" r="8" /><path class="koo" d=${`M${x - 3.5} 30l2.8 2.8 4.6 -5.8`} />`);
    else if (a) parts.push(html`<rect class="kx" x=${x - 7} y="23" width="14" height="14" rx="1.5" /><path class="kxx" d=${`M${x - 3.2} 26.9l6.3 6.3m0 -6.3l-6.3 6.3`} />`);
    else if (due) parts.push(html`<circle class="kn" cx=${x} cy="30" r="6.5" />`);
    else parts.push(html`<circle class="kt" cx=${x} cy="30" r="2.5" />`);
    if (a) parts.push(html`<text class=${a.outcome === 'success' ? 'tgood' : 'tbad'} x=${tx} y="54" text-anchor=${anchor}>${a.status ?? outcomeWord(a.outcome)}</text><text x=${tx} y="68" text-anchor=${anchor}>${new Date(a.time).toTimeString().slice(0, 8)}</text>`);
    else if (due) parts.push(html`<text class="twarn" x=${tx} y="54" text-anchor=${anchor}>due</text><text x=${tx} y="68" text-anchor=${anchor}>${new Date(d.next_attempt_at).toTimeString().slice(0, 8)}</text>`);
  }
  const failed = attempts.filter((a) => a.outcome !== 'success').length;
  return html`<div class=${'threadbox ' + (tall ? 'tall' : 'wide')}><svg class="thread" viewBox=${`0 0 ${width} 74`} role="img" aria-label=${`${attempts.length} attempts, ${failed} failed${d.status === 'delivered' ? ', delivered' : d.next_attempt_at ? ', another one is due' : ''}`}>${parts}</svg></div>`;
};

/* ---- panels ---- */

const Waterfall = ({ a }) => {
  const total = a.duration_ms || 0.001;
  const ends = [['Name', a.dns_ms, 'w1'], ['Connect', a.connect_ms, 'w2'], ['TLS', a.tls_ms, 'w3'], ['Waiting', a.first_byte_ms, 'w4'], ['Answer', a.first_byte_ms === null ? null : total, 'w2']];
  const failedAt = a.outcome === 'success' || a.status ? -1 : ends.findIndex(([, end]) => end === null || end === undefined);
  let from = 0;
  const skipped = a.connection_reused ? 3 : 0;
  const rows = ends.map(([name, end, tone], i) => {
    const start = from, dead = i === failedAt && i >= skipped, stop = dead ? total : end ?? null;
    if (stop !== null) from = Math.max(from, stop);
    return { name, tone: dead ? 'wx' : tone, start, took: stop === null ? null : Math.max(0, stop - start) };
  });
  const longest = rows.reduce((m, r) => ((r.took ?? 0) > (m.took ?? 0) ? r : m), rows[0]);
  return html`<section class="panel" aria-labelledby="h-tm"><div class="ph"><h2 id="h-tm">Where the time went</h2><span class="num"><b>${ms(a.duration_ms)}</b></span></div><div class="pb">
    <div class="wf" role="img" aria-label=${rows.filter((r) => r.took !== null).map((r) => `${r.name} ${ms(r.took)}`).join(', ')}>${rows.map((r) => html`<span>${r.name}</span>
      <svg viewBox="0 0 100 14" preserveAspectRatio="none" aria-hidden="true"><path class="track" d="M0 0h100v14H0z" />${r.took !== null && html`<path class=${r.tone} d=${`M${(r.start / total * 100).toFixed(2)} 1h${Math.max(0.6, r.took / total * 100).toFixed(2)}v12h-${Math.max(0.6, r.took / total * 100).toFixed(2)}z`} />`}</svg><span class="num">${r.took === null ? '–' : ms(r.took)}</span>`)}</div>
    <p class="hint">${failedAt >= 0 ? `It ended in the red part: ${rows[failedAt]?.name.toLowerCase() ?? 'the beginning'}.` : a.connection_reused ? 'A kept connection was used: no look-up, no new connection.' : longest.name === 'Waiting' ? `Most of it was waiting: their server worked for ${ms(longest.took)}.` : `Most of it was: ${longest.name.toLowerCase()}.`}</p></div></section>`;
};

const Sent = ({ a, marks }) => {
  const r = a.request;
  if (!r) return html`<section class="panel" aria-labelledby="h-rq"><div class="ph"><h2 id="h-rq">Sent</h2></div><div class="pb"><p class="dim">What was sent cannot be shown any more: the event’s data has been erased or has passed its retention, or the endpoint is deleted.</p></div></section>`;
  return html`<section class="panel" aria-labelledby="h-rq"><div class="ph"><h2 id="h-rq">Sent</h2><span class="dim small">${r.method}</span></div><div class="pb">
    <p><${Url} url=${r.url} /></p><details open><summary>${num(Object.keys(r.headers).length)} headers</summary><${Headers} headers=${r.headers} mark=${marks} /></details><h3>Body</h3><${Body} text=${r.body} base64=${r.body_base64} label="Body that was sent" name=${'request-' + a.number} /></div></section>`;
};

const Answered = ({ a, success }) => {
  const r = a.response;
  return html`<section class="panel" aria-labelledby="h-an"><div class="ph"><h2 id="h-an">Answered</h2><span class=${'small ' + (a.outcome === 'success' ? 'good' : 'bad')}><b>${a.status ?? 'No answer'}</b>${a.address ? html`<span class="dim"> from ${a.address}</span>` : ''}</span></div><div class="pb">
    ${!r ? html`<p class="dim">${a.outcome === 'internal_error' ? 'No request was made.' : `There is no status, no header and no body: ${outcomeWord(a.outcome)}.`}</p>${a.detail && html`<p><code>${plain(a.detail)}</code></p>`}`
      : r.hidden ? html`<p class="dim">${plain(r.hidden)}</p>`
      : html`<p class="dim small">${a.outcome === 'success' ? `${success} counts as delivered.` : a.detail ? plain(a.detail) : `${a.status} does not count as delivered.`}</p>
        <details open><summary>${num(Object.keys(r.headers ?? {}).length)} headers</summary><${Headers} headers=${r.headers} /></details><h3>Body</h3>
        <${Body} text=${r.body} base64=${r.body_base64} truncated=${r.truncated} label="Body of the answer" name=${'answer-' + a.number} />
        <p class="hint">Shown as text, never run.${r.decoded_from ? ` It came in ${plain(r.decoded_from)} and is shown decoded.` : ''}${r.truncated ? ' Only its beginning is kept.' : ''}</p>`}</div></section>`;
};

const Signature = ({ a, dialect }) => {
  const steps = a.request && dialect ? explainSignature(dialect, a.request, a) : null;
  if (!steps) return null;
  return html`<section class="panel sec" aria-labelledby="h-sg"><div class="ph"><h2 id="h-sg">The signature, step by step</h2><span class="dim small">${plain(dialect.name)}</span></div><div class="pb"><ol class="steps">${steps.map((s) => html`<li><h3>${s.title}</h3><p>${s.text}</p>${s.code && html`<pre class="wrap" tabindex="0" role="region" aria-label=${s.title}>${plain(s.code)}</pre>`}</li>`)}</ol><p class="hint">${secretHint}</p></div></section>`;
};

/* ---- the page ---- */

export default function Delivery({ route, tenant: chosen, setOwner, setTitle }) {
  const id = route.parts[1], asked = route.query.get('tenant') ?? undefined;
  const [confirm, setConfirm] = useState(false);
  const page = useLoad(id + (asked ?? ''), async (signal) => {
    const answer = await call('GET', '/v1/deliveries/' + encodeURIComponent(id) + '?limit=1000', { tenant: asked, signal });
    return { d: answer.data, tenant: answer.tenant ?? 'default', told: answer.told };
  });
  const tenant = page.data?.tenant ?? chosen, d = page.data?.d;
  const dialect = useLoad(page.data ? 'dialect' + tenant : null, async (signal) => {
    const { data } = await call('GET', '/v1/tenants/' + encodeURIComponent(tenant), { signal });
    return (await call('GET', '/v1/dialects/' + encodeURIComponent(data.dialect), { signal })).data;
  });
  const endpoint = useEndpoint(d?.endpoint ?? null, tenant);
  useStream(d && d.status !== 'delivered' && d.status !== 'failed' && d.status !== 'cancelled' ? `/v1/attempts/stream?max_rate=${MAX_RATE}&event=${encodeURIComponent(d.event)}` + (d.test ? '&include_tests=true' : '') : null, tenant,
    (m) => { if (m.event === 'again' || m.event === 'skipped' || m.data?.delivery === id) page.reload(); });
  useDue(d, page.reload);
  useEffect(() => { setTitle('Delivery ' + id.slice(-6)); if (page.data) setOwner(page.data.tenant); }, [page.data?.tenant]);
  if (page.error && !d) return page.error.status === 404 ? html`<div class="mid"><h1>There is no such delivery</h1><p class="dim">It may belong to another tenant, or retention has removed it.</p></div>` : html`<${Failed} error=${page.error} again=${page.reload} what="This delivery" />`;
  if (!d) return null;
  const attempts = d.attempts ?? [], wanted = Number(route.query.get('attempt')) || attempts[attempts.length - 1]?.number, a = attempts.find((x) => x.number === wanted) ?? attempts[attempts.length - 1];
  const at = attempts.indexOf(a), other = (i) => attempts[i] && filter({ attempt: String(attempts[i].number) });
  const again = async () => {
    const { data } = await call('POST', `/v1/deliveries/${encodeURIComponent(id)}/retry`, { tenant, body: {} });
    toast(data.under_way ? 'A request of it is under way. Another one goes out when that has ended.' : 'It goes out now.');
    page.reload();
  };
  const host = endpoint ? urlParts(endpoint.url).host : null, success = (dialect.data?.success?.statuses ?? ['2xx']).join(', ');
  const waits = d.status === 'retrying' || d.status === 'pending', cause = a && a.outcome !== 'success' && causes[a.outcome];
  const signed = (dialect.data?.signatures ?? []).map((s) => String(s.header ?? '').toLowerCase());
  return html`<${Crumbs} items=${[{ text: 'Deliveries', href: to('deliveries', { tenant }) }, { text: tenant }, ...(endpoint ? [{ text: host, href: to('endpoints/' + encodeURIComponent(endpoint.id), { tenant }) }] : []), { text: html`<${Id} id=${id} />` }]} />
    ${route.query.get('welcome') && d.status === 'delivered' && html`<${Note} tone="good" title="It works: refused once, tried again, delivered">You opened this from <code>make run</code>. Below is the delivery that it has just retried, with everything that was sent and answered. Next: <a class="inline" href=${to('events', { tenant })}>look at the events</a>, or <a class="inline" href=${to('endpoints/new', { tenant })}>add an endpoint</a>.</${Note}>`}
    <div class="head"><div><p class="acts"><${Status} is=${d.status} pill=${true} /> <span class="type">${d.event_type}</span>${d.test && html`<span class="chip">test</span>`}</p><h1 class="lede">${sentence(d, tenant)}</h1></div>
      <div class="acts"><button class="btn" type="button" data-key="c" onClick=${() => page.data && copy(curl(page.data.told))}>Copy as curl</button>${can('support') && html`<button class=${'btn' + (waits ? ' go' : '')} type="button" data-key="r" onClick=${() => (waits ? again().catch((e) => toast(e.message)) : setConfirm(true))}>${waits ? 'Try now' : 'Send again…'}</button>`}</div></div>
    <${BigThread} d=${d} attempts=${attempts} dialect=${dialect.data} /><${BigThread} d=${d} attempts=${attempts} dialect=${dialect.data} tall=${true} />
    <div class="cols flip"><aside aria-label="Attempts and facts">
      <section class="panel" aria-labelledby="h-at"><div class="ph"><h2 id="h-at">Attempts</h2><span class="small dim"><button class="linkish" type="button" data-key="[" title="Attempt before" aria-label="Attempt before" onClick=${() => other(at - 1)}><kbd>[</kbd></button> <button class="linkish" type="button" data-key="]" title="Next attempt" aria-label="Next attempt" onClick=${() => other(at + 1)}><kbd>]</kbd></button></span></div>
        <div class="atts">${[...attempts].reverse().map((x) => html`<a href=${to('deliveries/' + encodeURIComponent(id), { tenant: asked ?? tenant, attempt: String(x.number) })} aria-current=${x === a ? 'true' : null}><${Icon} n=${x.outcome === 'success' ? 'ok' : 'x'} /><span>${x === a ? html`<b>${ordinal(x.number)}</b>` : ordinal(x.number)}</span><span class=${x.outcome === 'success' ? '' : 'bad'}>${x.status ?? outcomeWord(x.outcome)}</span>
          <span class="sub"><${Time} at=${x.time} /> · ${ms(x.duration_ms)}${x.number > 1 ? ` · ${span(Date.parse(x.time) - Date.parse(attempts[0].time))} after the first` : ''}</span></a>`)}</div>
        ${waits && d.next_attempt_at ? html`<div class="next"><div><span class="dim small">${ordinal(d.attempt_count + 1)} attempt, <${Time} at=${d.next_attempt_at} /></span><br /><${Countdown} at=${d.next_attempt_at} done="due" /></div></div>`
          : html`<div class="next"><span class="dim">${d.status === 'delivered' ? 'No further attempt: it has arrived.' : d.status === 'held' ? 'Held until the endpoint is active.' : d.status === 'pending' ? 'The first attempt is due.' : 'No further attempt by itself.'}</span></div>`}</section>
      ${a && html`<${Waterfall} a=${a} />`}
      <section class="panel" aria-labelledby="h-fa"><div class="ph"><h2 id="h-fa">Facts</h2></div><div class="pb"><dl class="facts"><dt>Delivery</dt><dd><${Id} id=${d.id} /></dd><dt>Event</dt><dd><${Id} id=${d.event} href=${to('events/' + encodeURIComponent(d.event), { tenant })} /></dd>
        <dt>Endpoint</dt><dd>${d.endpoint ? html`<${Id} id=${d.endpoint} href=${to('endpoints/' + encodeURIComponent(d.endpoint), { tenant })} />` : 'deleted'}</dd><dt>Tenant</dt><dd>${tenant}</dd><dt>Accepted</dt><dd><${Time} at=${d.created_at} full=${true} /></dd>${d.ended_at && html`<dt>Ended</dt><dd><${Time} at=${d.ended_at} full=${true} /></dd>`}</dl></div></section></aside>
    <div>${cause && html`<${Note} tone="bad" title=${cause[0]}>${a.detail && html`<code>${plain(a.detail)}</code><br />`}<b>What to do:</b> ${cause[1]}</${Note}>`}
      ${a ? html`<div class="half"><${Sent} a=${a} marks=${signed} /><${Answered} a=${a} success=${success} /></div><${Signature} a=${a} dialect=${dialect.data} />`
        : html`<div class="panel"><div class="pb"><p class="dim">Nothing has been sent yet.</p></div></div>`}</div></div>
    <${Req} told=${page.data?.told} />
    ${confirm && html`<${Confirm} title="Send this delivery again" text=${d.status === 'delivered' ? 'It has arrived once. The receiver gets it a second time, with the same id.' : 'One attempt is made now; then it follows its schedule.'} label="Send 1 again" onYes=${again} onClose=${() => setConfirm(false)} />`}`;
}
