/* Charts of GET /v1/stats, drawn by hand: success is quiet, failure is loud. Each has its message as a label and its numbers as a
 * table; a click on a bar leads to the deliveries of that time. */
import { html, ms, num, useState, when } from './base.js';
import { call, query, serverNow, useLoad } from './api.js';
import { Failed, Req, outcomeWord } from './parts.js';
import { go, to } from './route.js';

const H = 3600e3;
/** What can be asked for: how long, in which steps, and what a bar is called. */
export const ranges = { '1h': { label: '1 hour', name: 'The last hour', length: H, step: '1m', size: 60e3, unit: 'minute' }, '6h': { label: '6 h', name: 'The last 6 hours', length: 6 * H, step: '1m', size: 60e3, unit: 'minute', group: 5 },
  '24h': { label: '24 h', name: 'The last 24 hours', length: 24 * H, step: '1h', size: H, unit: 'hour' }, '7d': { label: '7 d', name: 'The last 7 days', length: 168 * H, step: '1h', size: H, unit: 'hour', group: 4 }, '30d': { label: '30 d', name: 'The last 30 days', length: 720 * H, step: '1d', size: 24 * H, unit: 'day' } };

/** Bars of the same width from since to now; several steps can make one bar. */
function bars(data, range) {
  const width = range.size * (range.group ?? 1), end = Math.ceil((serverNow() + 1) / range.size) * range.size, n = Math.ceil(range.length / width), out = [];
  for (let i = 0; i < n; i++) out.push({ t: end - (n - i) * width, width, ok: 0, no: 0, failed: {}, p50: null, p95: null });
  for (const d of data) {
    const b = out[Math.floor((new Date(d.t).getTime() - out[0].t) / width)];
    if (!b) continue;
    b.ok += d.succeeded;
    b.no += d.attempts - d.succeeded;
    for (const [k, v] of Object.entries(d.failed)) b.failed[k] = (b.failed[k] ?? 0) + v;
    if (d.p50_ms !== null) { b.p50 = Math.max(b.p50 ?? 0, d.p50_ms); b.p95 = Math.max(b.p95 ?? 0, d.p95_ms); }
  }
  return out;
}

/** A round number at or above n, and what to write for it. */
function ceiling(n) {
  const size = 10 ** Math.floor(Math.log10(Math.max(n, 1)));
  return [1, 2, 4, 5, 10].map((k) => k * size).find((k) => k >= n) ?? 10 * size;
}
const short = (n) => (n >= 1e6 ? `${n / 1e6} M` : n >= 1e4 ? `${n / 1e3} k` : num(n));
const hour = (t) => new Date(t).toTimeString().slice(0, 5);
const label = (t, range) => (range.length > 24 * H ? when(new Date(t)).replace(/ \d\d:\d\d$/, '') : hour(t));

const Axis = ({ list, range, W, h }) => {
  const at = [0, Math.floor(list.length / 2), list.length - 1];
  return html`<path class="base" d=${`M0 ${h}h${W}`} />${at.map((i, k) => html`<text x=${k === 0 ? 0 : k === 2 ? W : (i / list.length) * W} y=${h + 16} text-anchor=${['start', 'middle', 'end'][k]}>${k === 2 ? 'now' : label(list[i].t, range)}</text>`)}`;
};

const Bars = ({ list, range, where, W = 560, text }) => {
  const h = 120, top = ceiling(Math.max(1, ...list.map((b) => b.ok + b.no))), w = W / list.length, y = (n) => (n / top) * h;
  return html`<svg class="chart wide" viewBox=${`0 0 ${W + 42} ${h + 32}`} role="img" aria-label=${text}><g transform="translate(0 12)">${[1, 0.5].map((k) => html`<path class="grid" d=${`M0 ${h - k * h}h${W}`} /><text x=${W + 6} y=${h - k * h + 4}>${short(top * k)}</text>`)}
    ${list.map((b, i) => { const ok = y(b.ok), no = y(b.no), x = i * w; return html`<g class="bar" onClick=${() => where(b)}><title>${`${when(new Date(b.t))}: ${num(b.ok)} succeeded, ${num(b.no)} failed`}</title><path class="hit" d=${`M${x} 0h${w}v${h}h-${w}z`} />
      ${ok > 0 && html`<path class="ok" d=${`M${x + w * 0.08} ${h - no - ok - (no ? 1 : 0)}h${w * 0.84}v${ok}h-${w * 0.84}z`} />`}${no > 0 && html`<path class="no" d=${`M${x + w * 0.08} ${h - Math.max(1, no)}h${w * 0.84}v${Math.max(1, no)}h-${w * 0.84}z`} />`}</g>`; })}<${Axis} list=${list} range=${range} W=${W} h=${h} /></g></svg>`;
};

const Lines = ({ list, range, text }) => {
  const W = 290, h = 120, top = ceiling(Math.max(1, ...list.map((b) => b.p95 ?? 0))), w = W / list.length;
  const path = (key) => { let d = '', on = false; list.forEach((b, i) => { if (b[key] === null) { on = false; return; } d += `${on ? 'L' : 'M'}${((i + 0.5) * w).toFixed(1)} ${(h - (b[key] / top) * h).toFixed(1)}`; if (!on) d += 'h.1'; on = true; }); return d; };
  return html`<svg class="chart" viewBox=${`0 0 ${W + 36} ${h + 32}`} role="img" aria-label=${text}><g transform="translate(0 12)">${[1, 0.5].map((k) => html`<path class="grid" d=${`M0 ${h - k * h}h${W}`} /><text x=${W + 6} y=${h - k * h + 4}>${short(top * k)}</text>`)}
    <path class="line" d=${path('p50')} /><path class="line2" d=${path('p95')} /><${Axis} list=${list} range=${range} W=${W} h=${h} /></g></svg>`;
};

const Table = ({ list, range }) => html`<div class="tw"><table><caption class="sr">Attempts by ${range.unit}</caption><thead><tr><th scope="col">From</th><th scope="col" class="num">Succeeded</th><th scope="col" class="num">Failed</th><th scope="col" class="c-s">Why</th><th scope="col" class="num">Half within</th><th scope="col" class="num c-s">95 % within</th></tr></thead>
  <tbody>${list.filter((b) => b.ok + b.no).reverse().map((b) => html`<tr><td>${when(new Date(b.t))}</td><td class="num">${num(b.ok)}</td><td class="num">${num(b.no)}</td><td class="c-s dim">${Object.entries(b.failed).map(([k, v]) => `${outcomeWord(k)} ${num(v)}`).join(', ')}</td><td class="num">${ms(b.p50)}</td><td class="num c-s">${ms(b.p95)}</td></tr>`)}${!list.some((b) => b.ok + b.no) && html`<tr><td colspan="6" class="dim">No attempt in this time.</td></tr>`}</tbody></table></div>`;

const useStats = (name, tenant, endpoint) => {
  const range = ranges[name];
  return useLoad(['stats', name, tenant, endpoint].join('|'), async (signal) => {
    const since = new Date(Math.ceil((serverNow() + 1) / range.size) * range.size - range.length).toISOString();
    const { data, told } = await call('GET', '/v1/stats' + query({ since, step: range.step, tenant, endpoint }), { signal });
    const list = bars(data.data, range), partial = new Date(data.complete_from) > new Date(data.since) ? data.complete_from : null;
    return { list, partial, told, ok: list.reduce((n, b) => n + b.ok, 0), no: list.reduce((n, b) => n + b.no, 0) };
  });
};

const leads = (tenant, endpoint) => (b) => go(to('deliveries', { tenant: tenant || 'default', endpoint, since: new Date(b.t).toISOString(), until: new Date(b.t + b.width).toISOString() }));
const Partial = ({ at }) => at ? html`<p class="hint">Counted from ${when(new Date(at))} on: the log has more attempts than one answer looks at.</p>` : null;
const percent = (part, all) => `${((part / all) * 100).toFixed(part && part !== all ? 1 : 0)} %`;

/** The overview's charts. */
export const Charts = ({ range: name, tenant }) => {
  const page = useStats(name, tenant, ''), range = ranges[name], [table, setTable] = useState(false);
  if (page.error) return html`<div class="sec"><${Failed} error=${page.error} again=${page.reload} what="The charts" /></div>`;
  const d = page.data, list = d?.list ?? bars([], range), all = d ? d.ok + d.no : 0, unit = range.group ? `${range.group} ${range.unit}s` : range.unit;
  const last = list.filter((b) => b.p50 !== null).at(-1);
  return html`<section class="sec" aria-labelledby="h-c"><div class="sec-h"><h2 id="h-c">${range.name}</h2><p>${all ? html`${num(all)} attempts, ${percent(d.no, all)} failed` : d ? 'No attempt' : ''}</p><button class="linkish" type="button" aria-expanded=${String(table)} onClick=${() => setTable(!table)}>${table ? 'As charts' : 'As a table'}</button></div>
    ${table ? html`<${Table} list=${list} range=${range} />` : html`<div class="charts two"><figure><figcaption>Attempts in each ${unit}<span class="k"><span><i class="sw sw-ok"></i>succeeded</span><span><i class="sw sw-no"></i>failed</span></span></figcaption><${Bars} list=${list} range=${range} where=${leads(tenant, null)} text=${`Attempts in each ${unit}: ${num(d?.ok ?? 0)} succeeded and ${num(d?.no ?? 0)} failed. The same as a table by the button above.`} /></figure>
    <figure><figcaption>Time of an attempt, ms <b>${last ? ms(last.p50) : ''}</b><span class="k"><span><i class="sw sw-l"></i>half within</span><span><i class="sw sw-l2"></i>95 %</span></span></figcaption><${Lines} list=${list} range=${range} text=${last ? `Milliseconds of an attempt: half within ${ms(last.p50)}, 95 percent within ${ms(last.p95)} at the end.` : 'Milliseconds of an attempt: none yet.'} /></figure></div>`}
    <${Partial} at=${d?.partial} /><${Req} told=${d?.told} /></section>`;
};

/** An endpoint's chart, with its message as a sentence. */
export const HealthChart = ({ range: name, tenant, endpoint, link }) => {
  const page = useStats(name, tenant, endpoint), range = ranges[name], [table, setTable] = useState(false);
  const d = page.data, all = d ? d.ok + d.no : 0, last = d?.list.filter((b) => b.p50 !== null).at(-1);
  return html`<section class="panel" aria-labelledby="h-h"><div class="ph"><h2 id="h-h">Health</h2><nav class="seg" aria-label="Time range">${Object.entries(ranges).map(([r, x]) => html`<a href=${link(r)} aria-current=${r === name ? 'true' : null}>${x.label}</a>`)}</nav></div><div class="pb">
    ${page.error ? html`<p class="dim">${page.error.message}</p>` : html`<p>${!d ? '…' : !all ? 'No attempt in this time.' : html`<b>${percent(d.ok, all)}</b> of ${num(all)} attempts succeeded${last ? html`; half within <b>${ms(last.p50)}</b>, 95 % within ${ms(last.p95)} at the end` : ''}.`} <button class="linkish small" type="button" aria-expanded=${String(table)} onClick=${() => setTable(!table)}>${table ? 'As a chart' : 'As a table'}</button></p>
    ${table ? html`<${Table} list=${d?.list ?? []} range=${range} />` : html`<${Bars} W=${860} list=${d?.list ?? bars([], range)} range=${range} where=${leads(tenant, endpoint)} text=${d ? `${num(d.ok)} attempts succeeded, ${num(d.no)} failed.` : 'Loading'} />`}<${Partial} at=${d?.partial} />`}</div></section>`;
};
