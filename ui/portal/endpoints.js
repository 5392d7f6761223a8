/* The portal's first page: endpoints, what needs their owner, and the latest deliveries. */
import { html, num, plain, useEffect } from '../base.js';
import { call, can, query, useLoad } from '../api.js';
import { Bones, EndpointState, Failed, Icon, Live, Note, Spark, Time, Url, useSparks } from '../parts.js';
import { to } from '../route.js';
import { DeliveryTable, remember, useDeliveries } from '../rows.js';
import { chosen, trouble, waiting } from './health.js';
import { t } from './texts.js';

export default function Endpoints({ setTitle }) {
  useEffect(() => setTitle(t('endpoints')), []);
  const page = useLoad('endpoints', async (signal) => {
    const [health, hooks] = await Promise.all([call('GET', '/v1/endpoint-health' + query({ limit: 200 }), { signal }), call('GET', '/v1/webhooks?limit=200', { signal })]);
    hooks.data.data.forEach(remember);
    return { rows: health.data.data, hooks: new Map(hooks.data.data.map((w) => [w.id, w])), more: !!health.next };
  });
  const list = useDeliveries({}, '', 10);
  const rows = page.data?.rows, name = (id) => page.data?.hooks.get(id);
  const sparks = useSparks(rows ? rows.map((h) => h.endpoint) : null, '');
  const bad = (rows ?? []).filter((h) => h.state === 'failing' || h.state === 'disabled').slice(0, 3);
  return html`<div class="head"><div><h1>${t('title')}</h1><p class="dim">${t('lede')}</p></div>${can('admin') && html`<div class="acts"><a class="btn go" href=${to('endpoints/new')}><${Icon} n="plus" />${t('add')}</a></div>`}</div>
    ${bad.map((h) => { const [what, since] = trouble(h) ?? []; return html`<${Note} tone=${h.state === 'failing' ? 'warn' : 'bad'} icon=${h.state === 'failing' ? 'alarm' : 'off'} title=${html`<${Url} url=${h.url} />`}>${what}. ${since} ${waiting(h)}
      <div class="acts"><a class="btn sm" href=${to('endpoints/' + encodeURIComponent(h.endpoint))}>${t('look')}</a></div></${Note}>`; })}
    ${page.error && !rows ? html`<${Failed} error=${page.error} again=${page.reload} />` : !rows ? html`<${Bones} rows=${3} columns=${['b2', 'b4', 'b1']} />` : html`<div class="tw"><table><caption class="sr">${t('endpoints')}</caption>
      <thead><tr><th scope="col">${t('state')}</th><th scope="col" class="cut">${t('endpoint')}</th><th scope="col" class="c-m">${t('two_hours')}</th><th scope="col" class="num c-s">${t('waiting')}</th><th scope="col" class="num c-s">${t('last_success')}</th></tr></thead>
      <tbody>${rows.map((h) => { const href = to('endpoints/' + encodeURIComponent(h.endpoint)), w = name(h.endpoint); return html`<tr key=${h.endpoint} data-href=${href}><td><${EndpointState} is=${h.state} /></td>
        <td class="cut"><a href=${href}><${Url} url=${h.url} /></a><span class="sub any">${w?.description ? `${plain(w.description)} · ` : ''}${chosen(w)}</span></td>
        <td class="c-m"><${Spark} of=${sparks.get(h.endpoint)} /></td><td class="num c-s">${num(h.waiting)}${h.more_in_store ? '+' : ''}</td><td class="num c-s dim"><${Time} at=${h.last_success_at} /></td></tr>`; })}
      ${!rows.length && html`<tr><td colspan="5" class="dim">${t('none_yet')} ${can('admin') && html`<a class="inline" href=${to('endpoints/new')}>${t('add_first')}</a>`}</td></tr>`}</tbody></table>${page.data?.more && html`<div class="more">${t('newest_200')}</div>`}</div>`}
    <section class="sec" aria-labelledby="pd"><div class="sec-h"><h2 id="pd">${t('latest')}</h2><${Live} live=${list.live} /><a href=${to('deliveries')}>${t('all')}</a></div>
      <${DeliveryTable} list=${list} tenant="" caption=${t('latest')} most=${10} empty=${t('no_delivery')} /></section>`;
}
