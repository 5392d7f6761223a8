/* One delivery: what was sent and what was answered at each attempt, and sending it again. */
import { html, ms, num, ordinal, plain, useEffect, useState } from '../base.js';
import { call, can, useLoad } from '../api.js';
import { MAX_RATE, useDue, useStream } from '../live.js';
import { Body, Confirm, Countdown, Crumbs, Failed, Headers, Icon, Id, Note, Status, Thread, Time, Url, outcomeWord, toast, urlParts } from '../parts.js';
import { filter, to } from '../route.js';
import { useEndpoint } from '../rows.js';
import { t } from './texts.js';

const causes = ['dns_error', 'denied', 'connect_error', 'tls_error', 'timeout', 'connection_reset', 'protocol_error', 'failed_status', 'client_certificate_error', 'token_error'];

function sentence(d) {
  const last = d.last_attempt, cause = last && last.outcome !== 'success' ? html`<b class="bad">${last.status ? t('answered', { status: last.status }) : outcomeWord(last.outcome)}</b>. ` : '';
  switch (d.status) {
    case 'delivered': return html`<b>${t('s_delivered', { n: num(d.attempt_count) })}</b>`;
    case 'retrying': return html`${cause}${d.next_attempt_at ? t('s_next', { at: html`<b><${Countdown} at=${d.next_attempt_at} bare=${true} /></b>` }) : ''}`;
    case 'pending': return t('s_pending');
    case 'scheduled': return t('s_scheduled', { at: html`<b><${Countdown} at=${d.next_attempt_at} bare=${true} /></b>` });
    case 'held': return t('s_held');
    case 'failed': return html`${cause}${t(d.reason === 'expired' ? 's_expired' : d.reason === 'final_status' ? 's_final' : 's_used_up', { n: num(d.attempt_count) })}`;
    default: return t('s_cancelled');
  }
}

const Sent = ({ a }) => html`<section class="panel" aria-labelledby="h-rq"><div class="ph"><h2 id="h-rq">${t('sent')}</h2></div><div class="pb">${!a.request ? html`<p class="dim">${t('not_kept')}</p>` : html`<p><${Url} url=${a.request.url} /></p><details open><summary>${t('headers')}</summary><${Headers} headers=${a.request.headers} /></details><h3>${t('body')}</h3><${Body} text=${a.request.body} base64=${a.request.body_base64} label=${t('body_sent')} name=${'request-' + a.number} />`}</div></section>`;

const Answered = ({ a }) => {
  const r = a.response;
  return html`<section class="panel" aria-labelledby="h-an"><div class="ph"><h2 id="h-an">${t('answer')}</h2><span class=${'small ' + (a.outcome === 'success' ? 'good' : 'bad')}><b>${a.status ?? outcomeWord(a.outcome)}</b> <span class="dim">${t('in_time', { time: ms(a.duration_ms) })}</span></span></div><div class="pb">
    ${!r ? html`<p class="dim">${t('no_answer')}</p>${a.detail && html`<p><code>${plain(a.detail)}</code></p>`}` : r.hidden ? html`<p class="dim">${plain(r.hidden)}</p>`
      : html`<details open><summary>${t('headers')}</summary><${Headers} headers=${r.headers} /></details><h3>${t('body')}</h3><${Body} text=${r.body} base64=${r.body_base64} truncated=${r.truncated} label=${t('body_answer')} name=${'answer-' + a.number} />`}</div></section>`;
};

export default function Delivery({ route, setTitle }) {
  const id = route.parts[1];
  const [confirm, setConfirm] = useState(false);
  const page = useLoad(id, async (signal) => (await call('GET', '/v1/deliveries/' + encodeURIComponent(id) + '?limit=1000', { signal })).data);
  const d = page.data, endpoint = useEndpoint(d?.endpoint ?? null, ''), over = d && ['delivered', 'failed', 'cancelled'].includes(d.status);
  useStream(d && !over ? `/v1/attempts/stream?max_rate=${MAX_RATE}&event=${encodeURIComponent(d.event)}` + (d.test ? '&include_tests=true' : '') : null, undefined, (m) => { if (m.event === 'again' || m.event === 'skipped' || m.data?.delivery === id) page.reload(); });
  useDue(d, page.reload);
  useEffect(() => setTitle(t('delivery')), []);
  if (page.error && !d) return page.error.status === 404 ? html`<div class="mid"><h1>${t('no_such_delivery')}</h1></div>` : html`<${Failed} error=${page.error} again=${page.reload} what=${t('delivery')} />`;
  if (!d) return null;
  const attempts = d.attempts ?? [], wanted = Number(route.query.get('attempt')), a = attempts.find((x) => x.number === wanted) ?? attempts[attempts.length - 1], waits = d.status === 'retrying' || d.status === 'pending';
  const again = async () => { const { data } = await call('POST', `/v1/deliveries/${encodeURIComponent(id)}/retry`, { body: {} }); toast(t(data.under_way ? 'under_way' : 'goes_out')); page.reload(); };
  return html`<${Crumbs} items=${[{ text: t('deliveries'), href: to('deliveries') }, ...(endpoint ? [{ text: urlParts(endpoint.url).host, href: to('endpoints/' + encodeURIComponent(endpoint.id)) }] : []), { text: html`<${Id} id=${id} />` }]} />
    <div class="head"><div><p class="acts"><${Status} is=${d.status} pill=${true} /> <span class="type">${d.event_type}</span> <${Thread} d=${d} /></p><h1 class="lede">${sentence(d)}</h1></div>
      ${can('admin') && html`<div class="acts"><button class=${'btn' + (waits ? ' go' : '')} type="button" onClick=${() => (waits ? again().catch((e) => toast(e.message)) : setConfirm(true))}>${t(waits ? 'try_now' : 'send_again')}</button></div>`}</div>
    <div class="cols flip"><aside aria-label=${t('attempts')}><section class="panel" aria-labelledby="h-at"><div class="ph"><h2 id="h-at">${t('attempts')}</h2></div>
      <div class="atts">${[...attempts].reverse().map((x) => html`<a href=${to('deliveries/' + encodeURIComponent(id), { attempt: String(x.number) })} aria-current=${x === a ? 'true' : null} onClick=${(e) => { e.preventDefault(); filter({ attempt: String(x.number) }); }}><${Icon} n=${x.outcome === 'success' ? 'ok' : 'x'} /><span>${x === a ? html`<b>${ordinal(x.number)}</b>` : ordinal(x.number)}</span><span class=${x.outcome === 'success' ? '' : 'bad'}>${x.status ?? outcomeWord(x.outcome)}</span><span class="sub"><${Time} at=${x.time} /> · ${ms(x.duration_ms)}</span></a>`)}</div>
      ${waits && d.next_attempt_at && html`<div class="next"><div><span class="dim small">${t('next_attempt')}, <${Time} at=${d.next_attempt_at} /></span></div></div>`}</section>
      <section class="panel" aria-labelledby="h-fa"><div class="ph"><h2 id="h-fa">${t('facts')}</h2></div><div class="pb"><dl class="facts"><dt>${t('event')}</dt><dd><${Id} id=${d.event} href=${to('events/' + encodeURIComponent(d.event))} /></dd><dt>${t('time')}</dt><dd><${Time} at=${d.created_at} full=${true} /></dd></dl></div></section></aside>
    <div>${a && a.outcome !== 'success' && causes.includes(a.outcome) && html`<${Note} tone="bad" icon="alarm" title=${a.status ? t('answered', { status: a.status }) : outcomeWord(a.outcome)}>${a.detail && html`<code>${plain(a.detail)}</code><br />`}${t('why_' + a.outcome)}</${Note}>`}
      ${a ? html`<div class="half"><${Sent} a=${a} /><${Answered} a=${a} /></div>` : html`<div class="panel"><div class="pb"><p class="dim">${t('nothing_sent')}</p></div></div>`}</div></div>
    ${confirm && html`<${Confirm} title=${t('again_title')} text=${t(d.status === 'delivered' ? 'again_twice' : 'again_text')} label=${t('again_yes')} onYes=${again} onClose=${() => setConfirm(false)} />`}`;
}
