/* Charts of GET /v1/stats, drawn by uPlot: success is quiet, failure is loud. Each has its message as a label and its numbers as a
 * table; a click, or a drag over a time, leads to the deliveries of that time. */
import { html, ms, num, useEffect, useMemo, useRef, useState, when } from './base.js';
import { call, query, serverNow, useLoad } from './api.js';
import { Failed, Req, outcomeWord } from './parts.js';
import { go, to } from './route.js';

const H = 3600e3;
/** What can be asked for: how long, in which steps, and what a bar is called. */
export const ranges = { '1h': { label: '1 hour', name: 'The last hour', length: H, step: '1m', size: 60e3, unit: 'minute' }, '6h': { label: '6 h', name: 'The last 6 hours', length: 6 * H, step: '1m', size: 60e3, unit: 'minute', group: 5 },
  '24h': { label: '24 h', name: 'The last 24 hours', length: 24 * H, step: '1h', size: H, unit: 'hour' }, '7d': { label: '7 d', name: 'The last 7 days', length: 168 * H, step: '1h', size: H, unit: 'hour', group: 4 }, '30d': { label: '30 d', name: 'The last 30 days', length: 720 * H, step: '1d', size: 24 * H, unit: 'day' } };

/** Bars of the same width from since to now; several steps can make one bar. */
function bars(data, range, backlog = []) {
  const width = range.size * (range.group ?? 1), end = Math.ceil((serverNow() + 1) / range.size) * range.size, n = Math.ceil(range.length / width), out = /** @type {any[]} */ ([]);
  for (let i = 0; i < n; i++) out.push({ t: end - (n - i) * width, width, ok: 0, no: 0, failed: {}, p50: null, p95: null, p99: null, waits: null, waited: null });
  for (const d of backlog) {
    const b = out[Math.floor((new Date(d.t).getTime() - out[0].t) / width)];
    if (b) { b.waits = d.last; b.waited = Math.max(b.waited ?? 0, d.most); }
  }
  for (const d of data) {
    const b = out[Math.floor((new Date(d.t).getTime() - out[0].t) / width)];
    if (!b) continue;
    b.ok += d.succeeded;
    b.no += d.attempts - d.succeeded;
    for (const [k, v] of Object.entries(d.failed)) b.failed[k] = (b.failed[k] ?? 0) + v;
    if (d.p50_ms !== null) { b.p50 = Math.max(b.p50 ?? 0, d.p50_ms); b.p95 = Math.max(b.p95 ?? 0, d.p95_ms); b.p99 = Math.max(b.p99 ?? 0, d.p99_ms); }
  }
  return out;
}

const hour = (t) => new Date(t).toTimeString().slice(0, 5);
const label = (t, range) => (range.length > 24 * H ? when(new Date(t)).replace(/ \d\d:\d\d$/, '') : hour(t));
const short = (n) => (n >= 1e6 ? `${n / 1e6} M` : n >= 1e4 ? `${n / 1e3} k` : num(n));

/* ---- uPlot, when the first chart is about to be drawn ---- */

/** @type {Promise<any>|null} */
let library = null;
function load() {
  library ??= (async () => {
    const sheet = document.createElement('link');
    sheet.rel = 'stylesheet';
    sheet.href = new URL('./vendor/uplot.css', import.meta.url).href;
    const styled = new Promise((done) => { sheet.onload = sheet.onerror = done; });
    document.head.append(sheet);
    const [module] = await Promise.all([import('./vendor/uplot.js'), styled]);
    return module.default;
  })();
  library.catch(() => { library = null; });
  return library;
}

const colour = (/** @type {string} */ name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
const dark = matchMedia('(prefers-color-scheme: dark)');

/** One chart. `lines`: [{ key or value(bar), name, tone, unit?, bar?, dash? }] over the bars of `given`; a line of bars stands before the ones
 * above it. Dragging over a time, or clicking on one, leads to its deliveries. While somebody drags, the chart stays as it is: what came
 * meanwhile would take the selection away, so it is drawn when the button of the mouse is up.
 * @param {{given: any[], range: any, lines: any[], text: string, where: (b: any) => void, high?: number, unit?: (n: number) => string, full?: number}} p */
const Plot = ({ given, range, lines, text, where, high = 150, unit = short, full }) => {
  const box = useRef(/** @type {HTMLElement|null} */ (null)), plot = useRef(/** @type {any} */ (null)), leadsTo = useRef(where);
  const [at, setAt] = useState(/** @type {number|null} */ (null)), [theme, setTheme] = useState(dark.matches), [failed, setFailed] = useState(false);
  const drags = useRef(false), shown = useRef(given), [, look] = useState(0);
  if (!drags.current) shown.current = given;
  const list = shown.current;
  leadsTo.current = where;
  useEffect(() => {
    const over = (/** @type {MouseEvent} */ e) => { if (drags.current && (e.type === 'mouseup' || !e.buttons)) setTimeout(() => { drags.current = false; look((n) => n + 1); }); }; // after the chart's own end of the drag
    addEventListener('mouseup', over);
    addEventListener('mousemove', over);
    return () => { removeEventListener('mouseup', over); removeEventListener('mousemove', over); };
  }, []);
  useEffect(() => { const f = () => setTheme(dark.matches); dark.addEventListener('change', f); return () => dark.removeEventListener('change', f); }, []);
  const data = useMemo(() => [list.map((b) => (b.t + b.width / 2) / 1000), ...lines.map((l) => list.map(l.value))], [list]);
  useEffect(() => {
    let gone = false, watch = /** @type {ResizeObserver|null} */ (null);
    load().then((uPlot) => {
      if (gone || !box.current) return;
      const index = (/** @type {any} */ u, /** @type {number} */ x) => Math.max(0, Math.min(list.length - 1, Math.floor((u.posToVal(x, 'x') * 1000 - list[0].t) / list[0].width)));
      const axis = { stroke: colour('ink-2'), font: '11px ' + getComputedStyle(document.body).fontFamily, ticks: { show: false }, grid: { stroke: colour('chart-grid'), width: 1 } };
      const made = new uPlot({
        width: Math.max(120, box.current.clientWidth), height: high, legend: { show: false }, padding: [8, 8, 0, 16],
        cursor: { y: false, points: { size: 6 }, drag: { x: true, y: false, setScale: false, dist: 6 } }, select: { show: true },
        scales: { x: { time: true, range: [list[0].t / 1000, (list[list.length - 1].t + list[0].width) / 1000] }, y: { range: (/** @type {any} */ u, /** @type {number} */ min, /** @type {number} */ max) => [0, full ?? Math.max(1, (max ?? 1) * 1.05)] } },
        axes: [{ ...axis, size: 26, space: 56, grid: { show: false }, values: (/** @type {any} */ u, /** @type {number[]} */ ticks) => ticks.map((s) => label(s * 1000, range)) },
          { ...axis, side: 1, size: 52, space: 40, values: (/** @type {any} */ u, /** @type {number[]} */ ticks) => ticks.map(unit) }],
        series: [{}, ...lines.map((l) => ({ label: l.name, stroke: colour(l.tone), fill: l.bar ? colour(l.tone) : undefined, width: l.bar ? 0 : 1.75, dash: l.dash, points: { show: !l.bar && list.filter((b) => l.value(b) !== null).length < 3, size: 5, fill: colour(l.tone) },
          paths: l.bar ? uPlot.paths.bars({ size: [0.84, 60], align: 0 }) : undefined, spanGaps: false }))],
        hooks: {
          setCursor: [(/** @type {any} */ u) => setAt(u.cursor.left >= 0 ? u.cursor.idx ?? null : null)],
          setSelect: [(/** @type {any} */ u) => { const { left, width } = u.select; if (gone || width < 6) return; const a = list[index(u, left)], b = list[index(u, left + width)]; leadsTo.current({ t: a.t, width: b.t + b.width - a.t }); }],
          ready: [(/** @type {any} */ u) => { let x = 0; u.over.addEventListener('mousedown', (/** @type {MouseEvent} */ e) => { x = e.clientX; drags.current = e.button === 0; }); u.over.addEventListener('click', (/** @type {MouseEvent} */ e) => { if (Math.abs(e.clientX - x) < 6) leadsTo.current(list[index(u, e.offsetX)]); }); }],
        },
      }, data, box.current);
      plot.current = made;
      watch = new ResizeObserver(() => { if (box.current && Math.abs(box.current.clientWidth - made.width) > 1) made.setSize({ width: Math.max(120, box.current.clientWidth), height: high }); });
      watch.observe(box.current);
    }, () => { if (!gone) setFailed(true); });
    return () => { gone = true; watch?.disconnect(); plot.current?.destroy(); plot.current = null; };
  }, [data, theme]);
  const b = at === null ? null : list[at];
  return html`<div class="plot" role="img" aria-label=${text} ref=${box}></div><p class="plot-at" aria-hidden="true">${failed ? 'The chart could not be loaded; the table has its numbers.' : b ? html`${when(new Date(b.t))}: ${lines.map((l, i) => html`${i ? ', ' : ''}${l.name} ${l.value(b) === null ? '–' : (l.unit ?? unit)(l.said ? l.said(b) : l.value(b))}`)}` : ''}</p>`;
};

const all = (b) => b.ok + b.no;
const attempts = [{ name: 'succeeded', tone: 'chart-ok', bar: true, value: all, said: (b) => b.ok }, { name: 'failed', tone: 'bad', bar: true, value: (b) => b.no }];
const share = (n) => `${Math.round(n * 10) / 10} %`;
const within = (n) => (n ? ms(n) : '0');
const failing = [{ name: 'failed', tone: 'bad', value: (b) => (all(b) ? (b.no / all(b)) * 100 : null) }];
const times = [{ name: 'half within', tone: 'chart-line', value: (b) => b.p50 }, { name: '95 % within', tone: 'hold', dash: [5, 3], value: (b) => b.p95 }, { name: '99 % within', tone: 'warn', dash: [2, 3], value: (b) => b.p99 }];

const backlog = [{ name: 'most in this time', tone: 'warn', dash: [2, 3], value: (b) => b.waited }, { name: 'at its end', tone: 'chart-line', value: (b) => b.waits }];

const Table = ({ list, range }) => html`<div class="tw"><table><caption class="sr">Attempts by ${range.unit}</caption><thead><tr><th scope="col">From</th><th scope="col" class="num">Succeeded</th><th scope="col" class="num">Failed</th><th scope="col" class="c-s">Why</th><th scope="col" class="num">Half within</th><th scope="col" class="num c-s">95 % within</th><th scope="col" class="num c-m">99 %</th>${list.some((b) => b.waits !== null) && html`<th scope="col" class="num">Waiting</th>`}</tr></thead>
  <tbody>${list.filter((b) => b.ok + b.no || b.waits !== null).reverse().map((b) => html`<tr><td>${when(new Date(b.t))}</td><td class="num">${num(b.ok)}</td><td class="num">${num(b.no)}</td><td class="c-s dim">${Object.entries(b.failed).map(([k, v]) => `${outcomeWord(k)} ${num(v)}`).join(', ')}</td><td class="num">${ms(b.p50)}</td><td class="num c-s">${ms(b.p95)}</td><td class="num c-m">${ms(b.p99)}</td>${list.some((x) => x.waits !== null) && html`<td class="num">${b.waits === null ? '–' : num(b.waits)}</td>`}</tr>`)}${!list.some((b) => b.ok + b.no || b.waits !== null) && html`<tr><td colspan="7" class="dim">No attempt in this time.</td></tr>`}</tbody></table></div>`;

/** Numbers of a range, and meanwhile what draws them. */
export const useStats = (name, tenant, endpoint) => {
  useEffect(() => { load().catch(() => {}); }, []);
  const range = ranges[name];
  const page = useLoad(['stats', name, tenant, endpoint].join('|'), async (signal) => {
    const since = new Date(Math.ceil((serverNow() + 1) / range.size) * range.size - range.length).toISOString();
    const { data, told } = await call('GET', '/v1/stats' + query({ since, step: range.step, tenant, endpoint }), { signal });
    const list = bars(data.data, range, data.backlog), partial = new Date(data.complete_from) > new Date(data.since) ? data.complete_from : null;
    return { list, partial, told, ok: list.reduce((n, b) => n + b.ok, 0), no: list.reduce((n, b) => n + b.no, 0) };
  });
  useEffect(() => { const t = setInterval(() => { if (!document.hidden) page.reload(); }, 60e3); return () => clearInterval(t); }, []);
  return page;
};

const leads = (tenant, endpoint) => (b) => go(to('deliveries', { tenant: tenant || null, endpoint, since: new Date(b.t).toISOString(), until: new Date(b.t + b.width).toISOString() }));
const Partial = ({ at }) => at ? html`<p class="hint">Counted from ${when(new Date(at))} on: the server is still summing up what was before.</p>` : null;
const percent = (part, all) => `${((part / all) * 100).toFixed(part && part !== all ? 1 : 0)} %`;

const Key = ({ of }) => html`<span class="k">${of.map((l) => html`<span><i class=${'sw sw-' + l.tone}></i>${l.name}</span>`)}</span>`;
const Waiting = ({ list, range, where, now = list.filter((b) => b.waits !== null).at(-1) }) => html`<figure><figcaption>Waiting <b>${now ? num(now.waits) : ''}</b><${Key} of=${backlog} /></figcaption><${Plot} given=${list} range=${range} lines=${backlog} where=${where} text=${now ? `Deliveries that wait: ${num(now.waits)} at the end, ${num(Math.max(...list.map((b) => b.waited ?? 0)))} at the most.` : 'Deliveries that wait: not counted yet.'} /></figure>`;
const Three = ({ d, list, range, unit, where, last, waiting = false }) => html`<div class=${waiting ? 'charts four' : 'charts'}><figure><figcaption>Attempts in each ${unit}<${Key} of=${attempts} /></figcaption><${Plot} given=${list} range=${range} lines=${attempts} where=${where} text=${`Attempts in each ${unit}: ${num(d?.ok ?? 0)} succeeded and ${num(d?.no ?? 0)} failed. The same as a table by the button above.`} /></figure>
    <figure><figcaption>Share that failed <b>${d && d.ok + d.no ? percent(d.no, d.ok + d.no) : ''}</b></figcaption><${Plot} given=${list} range=${range} lines=${failing} where=${where} unit=${share} full=${100} text=${d && d.ok + d.no ? `${percent(d.no, d.ok + d.no)} of the attempts failed.` : 'Share of attempts that failed: none yet.'} /></figure>
    <figure><figcaption>Time of an attempt <b>${last ? ms(last.p50) : ''}</b><${Key} of=${times} /></figcaption><${Plot} given=${list} range=${range} lines=${times} where=${where} unit=${within} text=${last ? `Milliseconds of an attempt: half within ${ms(last.p50)}, 95 percent within ${ms(last.p95)}, 99 percent within ${ms(last.p99)} at the end.` : 'Milliseconds of an attempt: none yet.'} /></figure>
    ${waiting && html`<${Waiting} list=${list} range=${range} where=${where} />`}</div>`;

/** The charts of the installation or of a tenant. `page`: useStats of it. */
export const Charts = ({ range: name, tenant, page }) => {
  const range = ranges[name], [table, setTable] = useState(false);
  const list = useMemo(() => page.data?.list ?? bars([], range), [page.data, name]);
  if (page.error && !page.data) return html`<div class="sec"><${Failed} error=${page.error} again=${page.reload} what="The charts" /></div>`;
  const d = page.data, n = d ? d.ok + d.no : 0, unit = range.group ? `${range.group} ${range.unit}s` : range.unit, last = list.filter((b) => b.p50 !== null).at(-1);
  return html`<section class="sec" aria-labelledby="h-c"><div class="sec-h"><h2 id="h-c">${range.name}</h2><p>${n ? html`${num(n)} attempts, ${percent(d?.no ?? 0, n)} failed` : d ? 'No attempt' : ''}</p><button class="linkish" type="button" aria-expanded=${String(table)} onClick=${() => setTable(!table)}>${table ? 'As charts' : 'As a table'}</button></div>
    ${table ? html`<${Table} list=${list} range=${range} />` : html`<${Three} d=${d} list=${list} range=${range} unit=${unit} where=${leads(tenant, null)} last=${last} waiting=${true} />`}
    <${Partial} at=${d?.partial} /><${Req} told=${d?.told} /></section>`;
};

/** An endpoint's charts, with their message as a sentence. */
export const HealthChart = ({ range: name, tenant, endpoint, link }) => {
  const page = useStats(name, tenant, endpoint), range = ranges[name], [table, setTable] = useState(false);
  const list = useMemo(() => page.data?.list ?? bars([], range), [page.data, name]);
  const d = page.data, n = d ? d.ok + d.no : 0, unit = range.group ? `${range.group} ${range.unit}s` : range.unit, last = list.filter((b) => b.p50 !== null).at(-1);
  return html`<section class="panel" aria-labelledby="h-h"><div class="ph"><h2 id="h-h">Health</h2><nav class="seg" aria-label="Time range">${Object.entries(ranges).map(([r, x]) => html`<a href=${link(r)} aria-current=${r === name ? 'true' : null}>${x.label}</a>`)}</nav></div><div class="pb">
    ${page.error && !d ? html`<p class="dim">${page.error.message}</p>` : html`<p>${!d ? '…' : !n ? 'No attempt in this time.' : html`<b>${percent(d.ok, n)}</b> of ${num(n)} attempts succeeded${last ? html`; half within <b>${ms(last.p50)}</b>, 95 % within ${ms(last.p95)}, 99 % within ${ms(last.p99)} at the end` : ''}.`} <button class="linkish small" type="button" aria-expanded=${String(table)} onClick=${() => setTable(!table)}>${table ? 'As charts' : 'As a table'}</button></p>
    ${table ? html`<${Table} list=${list} range=${range} />` : html`<${Three} d=${d} list=${list} range=${range} unit=${unit} where=${leads(tenant, endpoint)} last=${last} />`}<${Partial} at=${d?.partial} />`}</div></section>`;
};
