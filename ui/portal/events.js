/* What happened: events, newest first. */
import { html, num, useEffect, useState } from '../base.js';
import { call, query, useLoad } from '../api.js';
import { Bones, Failed, Id, Time } from '../parts.js';
import { filter, to } from '../route.js';
import { Typed } from '../typed.js';
import { t } from './texts.js';

export default function Events({ route, setTitle }) {
  useEffect(() => setTitle(t('events')), []);
  const type = route.query.get('type') ?? '';
  const [extra, setExtra] = useState(/** @type {any} */ ({ type, rows: [], next: undefined }));
  const ask = (cursor, signal) => call('GET', '/v1/events' + query({ event_type: type, limit: 50, cursor }), { signal });
  const page = useLoad('events' + type, async (signal) => { const a = await ask('', signal); setExtra({ type, rows: [], next: undefined }); return { rows: a.data.data, next: a.next }; });
  const mine = extra.type === type ? extra : { rows: [], next: undefined }, next = mine.next === undefined ? page.data?.next : mine.next, rows = page.data ? [...page.data.rows, ...mine.rows] : null;
  const more = async () => { const a = await ask(next); setExtra({ type, rows: [...mine.rows, ...a.data.data], next: a.next }); };
  return html`<div class="head"><div><h1>${t('events')}</h1><p class="dim">${t('events_lede')}</p></div></div>
    <form class="filters few sm-c" role="search" aria-label=${t('filter_events')} onSubmit=${(e) => e.preventDefault()}><label class=${type ? 'set' : null}><span class="lab">${t('event_type')}</span><${Typed} type="search" value=${type} onValue=${(v) => filter({ type: v })} /></label></form>
    ${page.error && !rows ? html`<${Failed} error=${page.error} again=${page.reload} />` : !rows ? html`<${Bones} rows=${5} columns=${['b2', 'b3', 'b1']} />` : html`<div class="tw"><table><caption class="sr">${t('events')}</caption><thead><tr><th scope="col">${t('event_type')}</th><th scope="col" class="c-s">${t('id')}</th><th scope="col" class="num">${t('endpoints')}</th><th scope="col" class="num">${t('time')}</th></tr></thead>
      <tbody>${rows.map((e) => { const href = to('events/' + encodeURIComponent(e.id)); return html`<tr key=${e.id} data-href=${href}><td><a class="type" href=${href}>${e.type}</a></td><td class="c-s"><${Id} id=${e.id} wide=${true} /></td><td class="num">${e.delivery_count === undefined ? '' : num(e.delivery_count)}</td><td class="num"><${Time} at=${e.created_at} /></td></tr>`; })}
      ${!rows.length && html`<tr><td colspan="4" class="dim">${t(type ? 'nothing_fits' : 'no_event')}</td></tr>`}</tbody></table>${next && html`<div class="more"><span>${t('n_loaded', { n: num(rows.length) })}</span><button class="btn sm" type="button" onClick=${more}>${t('older')}</button></div>`}</div>`}`;
}
