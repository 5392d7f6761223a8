/* All endpoints: how they do, searched and filtered by what stands in the address. */
import { html, num, plain, useEffect, useState } from '../base.js';
import { call, can, query, useLoad } from '../api.js';
import { Bones, EndpointState, Failed, Icon, Req, Spark, Time, Url, useSparks } from '../parts.js';
import { filter, to } from '../route.js';
import { trouble } from './overview.js';
import { Typed } from '../typed.js';

const states = [['', 'Any'], ['failing', 'Failing'], ['disabled', 'Disabled'], ['paused', 'Paused'], ['active', 'Active']];

export default function Endpoints({ route, tenant, tenants, setTitle }) {
  useEffect(() => setTitle('Endpoints'), []);
  const q = route.query.get('q') ?? '', state = route.query.get('state') ?? '', key = [tenant, q, state].join('|');
  const [extra, setExtra] = useState(/** @type {{key: string, rows: any[], next: any}} */ ({ key, rows: [], next: undefined }));
  const page = useLoad(key, async (signal) => {
    const answer = await call('GET', '/v1/endpoint-health' + query({ tenant, q, state, limit: 50 }), { signal });
    setExtra({ key, rows: [], next: undefined });
    return { rows: answer.data.data, next: answer.next, told: answer.told };
  });
  const mine = extra.key === key ? extra : { rows: [], next: undefined };
  const next = mine.next === undefined ? page.data?.next : mine.next, rows = page.data ? [...page.data.rows, ...mine.rows] : null;
  const sparks = useSparks(rows && rows.map((h) => h.endpoint), tenant);
  const more = async () => {
    const answer = await call('GET', '/v1/endpoint-health' + query({ tenant, q, state, limit: 50, cursor: next }));
    setExtra((x) => ({ key, rows: [...(x.key === key ? x.rows : []), ...answer.data.data], next: answer.next }));
  };
  const name = (id) => tenants.find((t) => t.id === id)?.name || id;
  const any = q || state;
  return html`<div class="head"><div><h1>Endpoints</h1><p class="dim">URLs that get a signed request when something happens. Newest first.</p></div>
    <div class="acts">${can('admin') && html`<a class="btn go" href=${to('endpoints/new', { tenant: tenant || 'default' })}><${Icon} n="plus" />New endpoint</a>`}</div></div>
  <form class="filters few sm-c" role="search" aria-label="Filter endpoints" onSubmit=${(e) => e.preventDefault()}>
    <label class=${q ? 'set' : null}><span class="lab">Part of the address, or an id</span><${Typed} type="search" value=${q} onValue=${(v) => filter({ q: v })} /></label>
    <label class=${state ? 'set' : null}><span class="lab">State</span><select value=${state} onChange=${(e) => filter({ state: e.target.value })}>${states.map(([v, t]) => html`<option value=${v}>${t}</option>`)}</select></label>
    ${any ? html`<button class="btn sm bare" type="button" onClick=${() => filter({ q: '', state: '' })}>Clear</button>` : html`<span></span>`}</form>
  ${page.error && !rows ? html`<${Failed} error=${page.error} again=${page.reload} />` : !rows ? html`<${Bones} rows=${6} columns=${['b2', 'b4', 'b2', 'b1']} />` : html`<div class="tw"><table><caption class="sr">Endpoints</caption>
    <thead><tr><th scope="col">State</th><th scope="col" class="cut">Endpoint</th><th scope="col" class="c-m">Last two hours</th><th scope="col" class="c-l">What happens</th><th scope="col" class="num">Waiting</th><th scope="col" class="num c-s">Last success</th></tr></thead>
    <tbody>${rows.map((h) => { const href = to('endpoints/' + encodeURIComponent(h.endpoint), { tenant: h.tenant }), bad = h.state !== 'active' && trouble(h); return html`<tr key=${h.endpoint} data-href=${href}><td><${EndpointState} is=${h.state} /></td>
      <td class="cut"><a href=${href}><${Url} url=${h.url} /></a><span class="sub">${plain(name(h.tenant))}</span></td>
      <td class="c-m"><${Spark} of=${sparks.get(h.endpoint)} /></td><td class="c-l">${bad ? html`${bad[0]}<span class="sub">${bad[1]}</span>` : html`<span class="dim">${h.last_attempt ? 'Gets its events' : 'Nothing was sent yet'}</span>`}</td>
      <td class="num">${num(h.waiting)}${h.more_in_store ? '+' : ''}</td><td class="num c-s dim"><${Time} at=${h.last_success_at} /></td></tr>`; })}
      ${!rows.length && html`<tr><td colspan="6" class="dim">${any ? html`No endpoint fits${next ? ' among those looked at so far' : ''}. <button class="linkish" type="button" onClick=${() => filter({ q: '', state: '' })}>Show all</button>` : html`None yet. ${can('admin') && html`<a class="inline" href=${to('endpoints/new', { tenant: tenant || 'default' })}>Add the first one</a>`}`}</td></tr>`}</tbody></table>
    ${next && html`<div class="more"><span>${num(rows.length)} loaded</span><button class="btn sm" type="button" onClick=${more}>${rows.length ? 'More' : 'Look further'}</button></div>`}</div>`}
  <${Req} told=${page.data?.told} />`;
}
