/* All deliveries, with filters that stand in the address. */
import { html, plain, useEffect } from '../base.js';
import { call, useLoad } from '../api.js';
import { Live, urlParts } from '../parts.js';
import { filter } from '../route.js';
import { DeliveryTable, remember, useDeliveries } from '../rows.js';
import { Typed } from '../typed.js';
import { t } from './texts.js';

const statuses = [['', 'any'], ['failed,retrying', 'failed_retrying'], ['delivered', 'st_delivered'], ['retrying', 'st_retrying'], ['failed', 'st_failed'], ['held', 'st_held'], ['pending', 'st_pending'], ['scheduled', 'st_scheduled'], ['cancelled', 'st_cancelled']];

export default function Deliveries({ route, setTitle }) {
  useEffect(() => setTitle(t('deliveries')), []);
  const get = (n) => route.query.get(n) ?? '';
  const list = useDeliveries({ event_type: get('type'), status: get('status'), endpoint: get('endpoint'), include_tests: 'true' }, '');
  const hooks = useLoad('hooks', async (signal) => { const { data } = await call('GET', '/v1/webhooks?limit=200', { signal }); data.data.forEach(remember); return data.data; });
  const any = get('type') || get('status') || get('endpoint'), known = hooks.data?.some((w) => w.id === get('endpoint'));
  return html`<div class="head"><div><h1>${t('deliveries')}</h1><p class="dim">${t('deliveries_lede')}</p></div><div class="acts"><${Live} live=${list.live} /></div></div>
    <form class="filters few sm-c" role="search" aria-label=${t('filter_deliveries')} onSubmit=${(e) => e.preventDefault()}>
      <label class=${get('type') ? 'set' : null}><span class="lab">${t('event_type')}</span><${Typed} type="search" value=${get('type')} onValue=${(v) => filter({ type: v })} /></label>
      <label class=${get('status') ? 'set' : null}><span class="lab">${t('state')}</span><select value=${get('status')} onChange=${(e) => filter({ status: e.target.value })}>${statuses.map(([v, n]) => html`<option value=${v}>${t(n)}</option>`)}</select></label>
      <label class=${get('endpoint') ? 'set' : null}><span class="lab">${t('endpoint')}</span><select value=${get('endpoint')} onChange=${(e) => filter({ endpoint: e.target.value })}><option value="">${t('any')}</option>${get('endpoint') && !known && html`<option value=${get('endpoint')}>${plain(get('endpoint'))}</option>`}${(hooks.data ?? []).map((w) => html`<option value=${w.id}>${plain(w.description) || urlParts(w.url).host + urlParts(w.url).rest}</option>`)}</select></label></form>
    <${DeliveryTable} list=${list} tenant="" caption=${t('deliveries')} empty=${any ? html`${t('nothing_fits')} <button class="linkish" type="button" onClick=${() => filter({ type: '', status: '', endpoint: '' })}>${t('show_all')}</button>` : t('no_delivery')} />`;
}
