/* Sending again what an endpoint did not get: it is counted first, and goes out when the button with the count is pressed. */
import { html, num, useEffect, useState } from '../base.js';
import { call, serverNow } from '../api.js';
import { Dialog, Faults, Field } from '../parts.js';
import { t } from './texts.js';

const spans = [['3600', 'last_hour'], ['86400', 'last_day'], ['604800', 'last_week'], ['2592000', 'last_month']];

export const Replay = ({ id, made, h, onClose }) => {
  const [span, setSpan] = useState('86400'), [delivered, setDelivered] = useState(false), [earlier, setEarlier] = useState(false), [before, setBefore] = useState(0), [counted, setCounted] = useState(null), [problem, setProblem] = useState(null), [job, setJob] = useState(null), [busy, setBusy] = useState(false);
  const path = '/v1/webhooks/' + encodeURIComponent(id), body = (dry) => ({ since: new Date(serverNow() - Number(span) * 1000).toISOString(), status: delivered ? ['failed', 'cancelled', 'delivered'] : ['failed', 'cancelled'], ...(dry ? { dry_run: true } : {}) });
  // events from before the endpoint was made, as far as the time asked for reaches back
  const beforeBody = (dry) => (earlier && new Date(body(dry).since).getTime() < new Date(made).getTime() ? { since: body(dry).since, ...(dry ? { dry_run: true } : {}) } : null);
  useEffect(() => {
    let wanted = true;
    setCounted(null);
    setBefore(0);
    if (beforeBody(true)) call('POST', path + '/backfill', { body: beforeBody(true) }).then((a) => { if (wanted) setBefore(a.data.matched); }, (e) => { if (wanted) setProblem(e); });
    call('POST', path + '/replay', { body: body(true) }).then((a) => { if (wanted) setCounted(a.data.matched); }, (e) => { if (wanted) setProblem(e); });
    return () => { wanted = false; };
  }, [span, delivered, earlier]);
  useEffect(() => {
    if (!job || job.state === 'done' || job.state === 'cancelled') return undefined;
    const timer = setTimeout(() => call('GET', '/v1/replays/' + encodeURIComponent(job.id)).then((a) => setJob(a.data), setProblem), 500);
    return () => clearTimeout(timer);
  }, [job]);
  const retrying = h?.retrying ?? 0, total = (counted ?? 0) + before + retrying;
  const start = async (e) => {
    e.preventDefault();
    setBusy(true);
    try {
      if (retrying) await call('POST', path + '/retry', { body: {} });
      if (before) await call('POST', path + '/backfill', { body: beforeBody(false) });
      if (counted) setJob((await call('GET', '/v1/replays/' + encodeURIComponent((await call('POST', path + '/replay', { body: body(false) })).data.id))).data);
      else setJob({ state: 'done', queued: 0, matched: 0 });
    } catch (error) { setProblem(error); setBusy(false); }
  };
  return html`<${Dialog} title=${t('send_again_title')} onClose=${onClose}><form onSubmit=${start}><div class="db"><${Faults} problem=${problem} />
    ${job ? html`<p role="status">${job.state === 'done' ? t('all_out', { n: num(job.queued + before + retrying) }) : t('going_out', { n: num(job.queued), of: num(job.matched) })}</p>`
      : html`<${Field} id="sp" label=${t('from_when')}><select id="sp" data-first value=${span} onChange=${(e) => setSpan(e.target.value)}>${spans.map(([v, n]) => html`<option value=${v}>${t(n)}</option>`)}</select></${Field}>
        <label class="tick"><input type="checkbox" checked=${delivered} onChange=${(e) => setDelivered(e.target.checked)} /><span>${t('also_delivered')}<span class="sub">${t('same_id')}</span></span></label>
        <label class="tick"><input type="checkbox" checked=${earlier} onChange=${(e) => setEarlier(e.target.checked)} /><span>${t('also_earlier')}</span></label>
        <p role="status">${counted === null ? '…' : t('count_failed', { n: num(counted) })} ${before ? t('count_earlier', { n: num(before) }) : ''} ${retrying ? t('count_retrying', { n: num(retrying) }) : ''}</p>`}</div>
    <div class="df"><span></span><button class="btn" type="button" onClick=${onClose}>${job ? t('close') : t('cancel')}</button>${!job && html`<button class="btn go" type="submit" disabled=${busy || counted === null || !total}>${t('send_n', { n: num(total) })}</button>`}</div></form></${Dialog}>`;
};
