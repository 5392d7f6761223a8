/* One endpoint, for its owner: how it does, settings, secrets, a test, sending again, and the code for its receiver. */
import { html, num, plain, useEffect, useState, w as word } from '../base.js';
import { call, can, query, session, useLoad } from '../api.js';
import { Confirm, Crumbs, EndpointState, Failed, Headers, Id, Live, Note, Time, toast, urlParts } from '../parts.js';
import { filter, go, to } from '../route.js';
import { DeliveryTable, remember, useDeliveries } from '../rows.js';
import { Secrets, Test, authText } from '../endpoint-parts.js';
import { VerifyCode } from '../verify.js';
import { Explain } from '../explain.js';
import { trouble, waiting } from './health.js';
import { Replay } from './replay.js';
import { t } from './texts.js';

const path = (id) => '/v1/webhooks/' + encodeURIComponent(id);

const Settings = ({ w, id }) => html`<section class="panel" aria-labelledby="settings"><div class="ph"><h2 id="settings">${t('settings')}</h2>${can('admin') && html`<a class="btn sm" href=${to(`endpoints/${encodeURIComponent(id)}/edit`)}>${t('edit')}</a>`}</div><div class="pb"><dl class="facts">
  <dt>${t('events')}</dt><dd>${w.events?.length ? w.events.map((e) => html`<span class="chip">${plain(e)}</span> `) : t('all_events')}</dd>
  ${w.filter && html`<dt>${t('filter')}</dt><dd><code>${plain(w.filter)}</code></dd>`}
  <dt>${t('timeout')}</dt><dd>${w.timeout_seconds} s</dd><dt>${t('rate')}</dt><dd>${w.rate_limit_per_second ? t('a_second', { n: num(w.rate_limit_per_second) }) : t('no_limit')}</dd>
  ${w.authentication && html`<dt>${word('Authentication')}</dt><dd>${plain(authText(w.authentication))}</dd>`}
  ${w.source_address && html`<dt>${word('Source address')}</dt><dd>${plain(w.source_address)}</dd>`}
  ${w.tls && html`<dt>${word('TLS of its own')}</dt><dd>${w.client_certificate && html`<code>${plain(w.client_certificate.subject)}</code>, ${word('expires')} <${Time} at=${w.client_certificate.expires_at} /> `}${w.tls.ca && html`${word('authorities of its own')}`}</dd>`}
  <dt>${t('headers')}</dt><dd>${Object.keys(w.headers ?? {}).length ? html`<${Headers} headers=${Object.fromEntries(Object.keys(w.headers).map((k) => [k, '***']))} />` : t('none')}</dd>
  <dt>${t('made')}</dt><dd><${Time} at=${w.created_at} /></dd><dt>${t('changed')}</dt><dd><${Time} at=${w.updated_at} /></dd><dt>${t('id')}</dt><dd><${Id} id=${id} /></dd></dl></div></section>`;

export default function Endpoint({ route, setTitle }) {
  const id = route.parts[1], tab = route.query.get('view') ?? '';
  const [dialog, setDialog] = useState('');
  const page = useLoad(id, async (signal) => {
    const [hook, health, dialect] = await Promise.all([call('GET', path(id), { signal }), call('GET', '/v1/endpoint-health' + query({ endpoint: id }), { signal }), call('GET', '/v1/dialects/' + encodeURIComponent(session.now.dialect), { signal })]);
    remember(hook.data);
    return { w: hook.data, h: health.data.data[0], dialect: dialect.data };
  });
  const list = useDeliveries({ endpoint: id, include_tests: 'true' }, '', 10);
  useEffect(() => { if (page.data) setTitle(urlParts(page.data.w.url).host); }, [page.data]);
  if (page.error && !page.data) return page.error.status === 404 ? html`<div class="mid"><h1>${t('no_endpoint')}</h1><p class="acts sec"><a class="btn" href=${to('')}>${t('endpoints')}</a></p></div>` : html`<${Failed} error=${page.error} again=${page.reload} what=${t('endpoint')} />`;
  if (!page.data) return null;
  const { w, h, dialect } = page.data, state = h?.state ?? (w.disabled ? 'disabled' : w.active ? 'active' : 'paused'), may = can('admin'), { scheme, host, rest } = urlParts(w.url), bad = h && trouble(h);
  const set = async (/** @type {boolean} */ active) => { await call('PATCH', path(id), { body: { active } }); page.reload(); };
  const pause = (/** @type {boolean} */ active) => set(active).then(() => toast(t(active ? 'resumed' : 'paused'), { label: t('undo'), act: () => { set(!active).catch((e) => toast(e.message)); } }), (e) => toast(e.message));
  const here = (/** @type {string} */ v) => to('endpoints/' + encodeURIComponent(id), { view: v });
  return html`<${Crumbs} items=${[{ text: t('endpoints'), href: to('') }, { text: html`<${Id} id=${id} />` }]} />
    <div class="head"><div><p class="acts"><${EndpointState} is=${state} pill=${true} /> <span class="dim">${plain(w.description)}</span></p><h1 class="url">${scheme}<b>${host}</b>${rest}</h1></div>
      ${may && html`<div class="acts">${state === 'paused' ? html`<button class="btn" type="button" onClick=${() => pause(true)}>${t('resume')}</button>` : state === 'disabled' ? html`<button class="btn go" type="button" onClick=${() => setDialog('enable')}>${t('enable')}</button>` : html`<button class="btn" type="button" onClick=${() => pause(false)}>${t('pause')}</button>`}
        <button class="btn" type="button" onClick=${() => setDialog('replay')}>${t('send_again')}</button></div>`}</div>
    ${bad && html`<${Note} tone=${state === 'failing' ? 'warn' : 'bad'} icon=${state === 'failing' ? 'alarm' : 'off'} title=${bad[0]}>${bad[1]} ${waiting(h)}</${Note}>`}
    <nav class="tabs" aria-label=${t('of_endpoint')}>${[['', 'deliveries'], ['verify', 'verify'], ...(may ? [['delete', 'delete']] : [])].map(([v, n]) => html`<a href=${here(v)} aria-current=${tab === v ? 'page' : null}>${t(n)}</a>`)}</nav>
    <div class="cols sec"><div>${tab === 'verify' ? html`<${VerifyCode} dialect=${dialect} url=${w.url} variant=${w.signature_variant} language=${route.query.get('lang') ?? ''} onLanguage=${(l) => filter({ lang: l })} /><${Explain} id=${id} tenant=${undefined} />`
      : tab === 'delete' && may ? html`<section class="panel" aria-labelledby="de"><div class="ph"><h2 id="de">${t('delete_this')}</h2></div><div class="pb"><p>${t('delete_what')} ${h ? waiting(h) : ''}</p><p class="acts"><button class="btn harm" type="button" onClick=${() => setDialog('delete')}>${t('delete_ask')}</button></p></div></section>`
      : html`<section aria-labelledby="dl"><div class="sec-h"><h2 id="dl">${t('latest')}</h2><${Live} live=${list.live} /><a href=${to('deliveries', { endpoint: id })}>${t('all')}</a></div><${DeliveryTable} list=${list} tenant="" withEndpoint=${false} caption=${t('latest')} most=${10} empty=${t('no_delivery')} /></section>`}</div>
    <aside aria-label=${t('settings_and_secrets')}><${Settings} w=${w} id=${id} />${session.now.secrets && html`<${Secrets} id=${id} tenant="" dialect=${dialect} may=${true} />`}${may && html`<${Test} id=${id} tenant="" dialect=${dialect} events=${w.events} />`}</aside></div>
    ${dialog === 'replay' && html`<${Replay} id=${id} made=${w.created_at} h=${h} onClose=${() => setDialog('')} />`}
    ${dialog === 'enable' && html`<${Confirm} title=${t('enable_title')} text=${h?.held ? t('enable_text', { n: num(h.held) }) : t('enable_none')} label=${t('enable_yes')} onYes=${() => set(true)} onClose=${() => setDialog('')} />`}
    ${dialog === 'delete' && html`<${Confirm} title=${t('delete_this')} text=${`${host}${rest}. ${t('delete_what')}`} label=${t('delete_yes')} harm=${true} onYes=${async () => { await call('DELETE', path(id)); toast(t('deleted')); go(to('')); }} onClose=${() => setDialog('')} />`}`;
}
