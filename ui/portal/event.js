/* One event: what it says, and where it went. */
import { html, useEffect } from '../base.js';
import { call, useLoad } from '../api.js';
import { Body, Crumbs, Failed, Id, Time } from '../parts.js';
import { to } from '../route.js';
import { DeliveryTable, useDeliveries } from '../rows.js';
import { t } from './texts.js';

export default function EventPage({ route, setTitle }) {
  const id = route.parts[1];
  useEffect(() => setTitle(t('event')), []);
  const page = useLoad('event' + id, async (signal) => (await call('GET', '/v1/events/' + encodeURIComponent(id), { signal })).data);
  const list = useDeliveries({ event: id, include_tests: 'true' }, ''), e = page.data;
  if (page.error && !e) return page.error.status === 404 ? html`<div class="mid"><h1>${t('no_such_event')}</h1></div>` : html`<${Failed} error=${page.error} again=${page.reload} what=${t('event')} />`;
  if (!e) return null;
  return html`<${Crumbs} items=${[{ text: t('events'), href: to('events') }, { text: html`<${Id} id=${id} />` }]} />
    <div class="head"><div><h1 class="type">${e.type}</h1><p class="dim"><${Time} at=${e.created_at} full=${true} /></p></div></div>
    <section aria-labelledby="hd"><div class="sec-h"><h2 id="hd">${t('deliveries')}</h2></div><${DeliveryTable} list=${list} tenant="" caption=${t('deliveries')} empty=${t('went_nowhere')} /></section>
    <section class="panel sec" aria-labelledby="ha"><div class="ph"><h2 id="ha">${t('data')}</h2></div><div class="pb">${e.erased_at ? html`<p class="dim">${t('erased')}</p>` : html`<${Body} text=${e.data === undefined ? '' : JSON.stringify(e.data)} label=${t('event')} name=${id} />`}</div></section>`;
}
