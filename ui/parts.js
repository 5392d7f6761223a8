/* The parts that all pages are made of: status, ids, times, threads, lists and their states, code, dialogs, toasts. */
import { bytes, clock, html, ms, num, plain, render, span, useEffect, useLayoutEffect, useRef, useState, utc, w, when } from './base.js';
import { call, curl, serverNow } from './api.js';

export const Icon = ({ n }) => html`<i class=${'i i-' + n} aria-hidden="true"></i>`;

/* ---- status: shape, word, colour ---- */

const deliveryStates = { delivered: ['ok', 'ok', 'Delivered'], retrying: ['again', 'again', 'Retrying'], failed: ['x', 'x', 'Failed'],
  pending: ['wait', 'wait', 'Pending'], scheduled: ['wait', 'wait', 'Scheduled'], held: ['hold', 'hold', 'Held'], cancelled: ['cancel', 'cancel', 'Cancelled'] };
const endpointStates = { active: ['ok', 'ok', 'Active'], failing: ['alarm hot', 'alarm', 'Failing'], paused: ['hold', 'hold', 'Paused'], disabled: ['off', 'off', 'Disabled'] };
const jobStates = { collecting: ['wait', 'wait', 'Collecting'], running: ['again', 'again', 'Running'], done: ['ok', 'ok', 'Done'], cancelled: ['cancel', 'cancel', 'Stopped'], failed: ['x', 'x', 'Failed'] };

const status = (table) => ({ is, pill, more = '' }) => {
  const [tone, icon, word] = table[is] ?? ['wait', 'wait', plain(is)];
  return html`<span class=${`st st-${tone}${pill ? ' pill' : ''}`}><${Icon} n=${icon} />${w(word)}${more}</span>`;
};
export const Status = status(deliveryStates);
export const EndpointState = status(endpointStates);
export const JobState = status(jobStates);

const outcomes = { success: 'success', failed_status: 'refused', dns_error: 'name not found', denied: 'address not allowed', connect_error: 'no connection', tls_error: 'TLS error',
  timeout: 'timeout', connection_reset: 'connection cut', protocol_error: 'no HTTP', cancelled: 'cancelled', internal_error: 'could not be written',
  client_certificate_error: 'client certificate refused', token_error: 'no token' };
export const outcomeWord = (/** @type {string} */ o) => (outcomes[o] ? w(outcomes[o]) : plain(o));
export const outcomeList = Object.entries(outcomes);

/** What the last attempt came to: the HTTP status, else what went wrong. */
export const Answer = ({ attempt }) => !attempt ? html`<span class="dimmer">–</span>`
  : html`<span class=${attempt.outcome === 'success' ? 'code-ok' : 'code-x'}>${attempt.status ?? outcomeWord(attempt.outcome)}</span>`;

/* ---- small things ---- */

/** An id: cut in the middle, because its end tells it from others. */
export const Id = ({ id, href, wide = false }) => {
  const text = plain(id), end = text.length > 12 ? text.slice(-6) : '';
  const inner = html`<span>${end ? text.slice(0, -6) : text}</span><span>${end}</span>`;
  return href ? html`<a class=${'id' + (wide ? ' w' : '')} href=${href} title=${text}>${inner}</a>` : html`<span class=${'id' + (wide ? ' w' : '')} title=${text}>${inner}</span>`;
};

/** A URL with its host in bold. */
export function urlParts(/** @type {string} */ url) {
  const found = /^(https?:\/\/)([^/?#]*)(.*)$/s.exec(url ?? '');
  return found ? { scheme: found[1], host: plain(found[2]), rest: plain(found[3]) } : { scheme: '', host: '', rest: plain(url) };
}
export const Url = ({ url, before = null }) => {
  const { scheme, host, rest } = urlParts(url);
  return html`<span class="url" title=${plain(url)}>${before}${scheme === 'https://' ? html`<span class="sch">https://</span>` : scheme}<b>${host}</b>${rest}</span>`;
};

export const Time = ({ at, full = false }) => {
  if (!at) return html`<span class="dimmer">–</span>`;
  const d = new Date(at);
  return html`<time datetime=${d.toISOString()} title=${utc(d)}>${full ? `${when(d)}${'.' + String(d.getMilliseconds()).padStart(3, '0')}` : when(d)}</time>`;
};

/** Counts down to a moment by the server's clock; not read out each second. */
export const Countdown = ({ at, done = w('now'), bare = false }) => {
  const [, tick] = useState(0);
  useEffect(() => { const t = setInterval(() => tick((n) => n + 1), 1000); return () => clearInterval(t); }, []);
  const left = new Date(at).getTime() - serverNow();
  return html`<span class=${bare ? '' : 'clock'} aria-live="off">${left > 0 ? span(left) : done}</span>`;
};

export const Live = ({ live, text = w('Live') }) => live.on ? html`<span class="live" role="status">${text}</span>`
  : live.at ? html`<span class="live off" role="status">${w('Not live: as of {0}', clock(live.at))}</span>` : null;

/** More came than a page shows as it happens. */
export const Skipped = ({ count, again }) => html`<p class="hint">${w('{0} more came than can be shown as it happens.', num(count))} <button class="linkish" type="button" onClick=${again}>${w('Load it again')}</button></p>`;

/* ---- the thread: one delivery, a knot for each attempt ---- */

/** Kinds of knots in order: x refused, o arrived, n due, h held. */
export function knots(/** @type {any} */ d) {
  const n = d.attempt_count, last = d.last_attempt, list = [];
  for (let i = 0; i < n; i++) list.push(i === n - 1 && last?.outcome === 'success' ? 'o' : 'x');
  if (d.status === 'retrying' || d.status === 'pending') list.push('n');
  if (d.status === 'held') list.push('h');
  return list;
}

export const Thread = ({ d }) => {
  const all = knots(d), more = all.length > 6 ? all.length - 5 : 0;
  const shown = more ? [all[0], ...all.slice(-4)] : all;
  const parts = [];
  let x = 7;
  shown.forEach((k, i) => {
    if (i > 0 && more && i === 1) { parts.push(html`<text x=${x + 3} y="12">+${more}</text>`); x += 22; }
    else if (i > 0) parts.push(html`<path class=${k === 'n' || k === 'h' ? 'todo' : 'yarn'} d=${`M${x - 13} 9h7`} />`);
    if (k === 'x') parts.push(html`<rect class="kx" x=${x - 4.5} y="4.5" width="9" height="9" rx="1.5" /><path class="kxx" d=${`M${x - 2} 7l4 4m0 -4l-4 4`} />`);
    if (k === 'o') parts.push(html`<circle class="ko" cx=${x} cy="9" r="5" /><path class="koo" d=${`M${x - 2.2} 9l1.8 1.8 2.9 -3.6`} />`);
    if (k === 'n') parts.push(html`<circle class="kn" cx=${x} cy="9" r="4" />`);
    if (k === 'h') parts.push(html`<path class="kh" d=${`M${x - 3.5} 4.5h3.1v9h-3.1zM${x + 1.2} 4.5h3.1v9h-3.1z`} />`);
    x += 19;
  });
  const failed = all.filter((k) => k === 'x').length;
  const end = all[all.length - 1];
  const label = [failed ? w('{0} failed', failed) : '', end === 'o' ? w('arrived') : end === 'n' ? w('another one is due') : end === 'h' ? w('held') : ''].filter(Boolean).join(', ') || w('no attempt');
  const width = Math.max(15, x - 11);
  return html`<svg class="thread" width=${width} height="18" viewBox=${`0 0 ${width} 18`} role="img" aria-label=${label}>${parts}</svg>`;
};

/* ---- sparks: two hours of an endpoint ---- */

/** Loads the sparks of the endpoints of a list, one request for those that came last. Id → { succeeded, failed }.
 * @param {string[]|null} ids @param {string} tenant @returns {Map<string, {succeeded: number[], failed: number[]}>} */
export function useSparks(ids, tenant) {
  const known = useRef(/** @type {Map<string, any>} */ (new Map())), [, seen] = useState(0);
  const missing = (ids ?? []).filter((id) => !known.current.has(id)).slice(0, 100);
  useEffect(() => {
    if (!missing.length) return undefined;
    const stop = new AbortController();
    call('GET', '/v1/stats/sparks?endpoints=' + missing.map(encodeURIComponent).join(','), { tenant, signal: stop.signal }).then(({ data }) => {
      for (const id of missing) known.current.set(id, null);
      for (const s of data.data) known.current.set(s.endpoint, s);
      seen((n) => n + 1);
    }, () => {}); // a list without them is a list
    return () => stop.abort();
  }, [missing.join()]);
  return known.current;
}

/** Bars of succeeded and failed attempts, the failed ones on top. */
export const Spark = ({ of }) => {
  if (!of) return html`<span class="spark"></span>`;
  const all = of.succeeded.map((/** @type {number} */ n, /** @type {number} */ i) => n + of.failed[i]), most = Math.max(...all, 1), sum = (/** @type {number[]} */ v) => v.reduce((a, b) => a + b, 0), no = sum(of.failed);
  const high = (/** @type {number} */ n) => (n ? Math.max(2, Math.round((n / most) * 20)) : 0);
  return html`<svg class="spark" width="96" height="22" viewBox="0 0 96 22" role="img" aria-label=${w('{0} of {1} attempts failed in two hours', num(no), num(sum(all)))}>${all.map((/** @type {number} */ n, /** @type {number} */ i) => {
    const bad = high(of.failed[i]), good = Math.max(0, high(n) - bad);
    return n ? html`${good > 0 && html`<rect class="ok" x=${i * 4} y=${21 - good} width="3" height=${good} />`}${bad > 0 && html`<rect class="no" x=${i * 4} y=${21 - good - bad} width="3" height=${bad} />`}` : html`<rect class="gap" x=${i * 4} y="20" width="3" height="1" />`;
  })}</svg>`;
};

/* ---- what a page asked for ---- */

/** The request that filled a list, as one can send it oneself. */
export const Req = ({ told }) => told ? html`<div class="req"><span class="q" title=${told.path}><b>${told.method}</b> ${told.path}</span>
  <span class="t">${told.status} in ${ms(told.ms)}</span><button class="btn sm bare" type="button" data-key="c" onClick=${() => copy(curl(told))}>Copy as curl</button></div>` : null;

export async function copy(/** @type {string} */ text, what = w('Copied')) {
  try { await navigator.clipboard.writeText(text); toast(what); } catch {
    const area = document.createElement('textarea');
    area.value = text;
    document.body.append(area);
    area.select();
    const ok = document.execCommand('copy');
    area.remove();
    toast(ok ? what : w('The browser does not let this page copy. Select the text and copy it yourself.'));
  }
}
export const CopyButton = ({ text, label = w('Copy'), small = true }) =>
  html`<button class=${'btn' + (small ? ' sm' : '')} type="button" onClick=${() => copy(text)}><${Icon} n="copy" />${label}</button>`;

/* ---- toasts ---- */

let toastTimer = 0;
export function toast(/** @type {string} */ text, /** @type {{label: string, act: () => void}|null} */ undo = null) {
  const root = /** @type {HTMLElement} */ (document.getElementById('toast'));
  clearTimeout(toastTimer);
  const close = () => render(null, root);
  render(html`<div class="toast"><span>${text}</span>${undo && html`<button type="button" onClick=${() => { close(); undo.act(); }}>${undo.label}</button>`}</div>`, root);
  toastTimer = setTimeout(close, undo ? 10000 : 4000);
}

/* ---- lists: loading, empty, error, part ---- */

/** Says what went wrong, in its own frame, and offers the next step. */
export const Failed = ({ error, again, what = w('This list') }) => html`<div class="panel" role="alert"><div class="pb">
  <p><b>${w('{0} could not be loaded.', what)}</b> ${w('The rest of the page is right.')}</p>
  <p class="dim">${plain(error.message)}${error.requestId ? html` ${w('Request')} <code>${error.requestId}</code>.` : ''}</p>
  ${again && html`<p class="acts"><button class="btn sm" type="button" onClick=${again}>${w('Load it again')}</button></p>`}</div></div>`;

/** Bones of the final size, after 200 ms. */
export const Bones = ({ rows = 4, columns = ['b2', 'b3', 'b1'] }) => {
  const [seen, see] = useState(false);
  useEffect(() => { const t = setTimeout(() => see(true), 200); return () => clearTimeout(t); }, []);
  return html`<div class="tw" aria-busy="true"><span class="sr">${w('Loading')}</span><table><tbody>${Array.from({ length: rows }, () =>
    html`<tr>${columns.map((b) => html`<td>${seen ? html`<span class=${'bone ' + b}></span>` : html`<span class="bone b0"></span>`}</td>`)}</tr>`)}</tbody></table></div>`;
};

export const Note = ({ tone = 'info', icon, title, children }) =>
  html`<div class=${'note note-' + tone} role=${tone === 'bad' ? 'alert' : null}><${Icon} n=${icon ?? { bad: 'x', warn: 'alarm', good: 'ok', info: 'wait' }[tone]} /><div>${title && html`<h2>${title}</h2>`}${children}</div></div>`;

/** What an answer of the API says against a form: each fault at its field, the rest on top. */
export const Faults = ({ problem, fields = [] }) => {
  if (!problem) return null;
  const rest = problem.errors.filter((e) => !fields.some((f) => (e.pointer ?? '').startsWith('/' + f)));
  return html`<${Note} tone="bad" title=${problem.errors.length && !rest.length ? w('Something is not right yet') : plain(problem.message)}>
    ${rest.length ? html`<ul>${rest.map((e) => html`<li><code>${plain(e.pointer)}</code> ${plain(e.detail)}</li>`)}</ul>` : problem.errors.length ? w('See the fields below.') : ''}</${Note}>`;
};
export const faultOf = (problem, field) => problem?.errors.filter((e) => e.pointer === '/' + field || (e.pointer ?? '').startsWith(`/${field}/`)).map((e) => plain(e.detail)).join('; ') || '';

export const Field = ({ label, small, hint, fault, children, id }) => html`<div class="field"><label class="lab" for=${id}>${label} ${small && html`<small>${small}</small>`}</label>${children}
  ${hint && html`<p class="hint" id=${id + '-h'}>${hint}</p>`}${fault && html`<p class="hint bad" id=${id + '-f'} role="alert">${fault}</p>`}</div>`;

/* ---- dialogs ---- */

/** A modal dialog; Esc and "Close" call onClose, and focus goes back to where it was. */
export const Dialog = ({ title, onClose, children, foot }) => {
  const ref = useRef(/** @type {HTMLDialogElement|null} */ (null));
  useLayoutEffect(() => {
    const before = document.activeElement, d = ref.current;
    if (d && !d.open) d.showModal();
    const first = d?.querySelector('[data-first]') ?? d?.querySelector('.db input, .db select, .db textarea') ?? d?.querySelector('.df button');
    if (first instanceof HTMLElement) first.focus();
    return () => { d?.close(); if (before instanceof HTMLElement && before.isConnected) before.focus(); };
  }, []);
  return html`<dialog ref=${ref} aria-labelledby="dlg" onCancel=${(e) => { e.preventDefault(); onClose(); }}>
    <div class="dh"><h2 id="dlg">${title}</h2><button class="btn sm" type="button" onClick=${onClose}>${w('Close')}</button></div>
    ${children}${foot && html`<div class="df">${foot}</div>`}</dialog>`;
};

/** Asks before something that cannot be taken back. */
export const Confirm = ({ title, text, label, harm = false, onYes, onClose }) => {
  const [busy, setBusy] = useState(false), [problem, setProblem] = useState(null);
  const yes = async () => {
    setBusy(true);
    try { await onYes(); onClose(); } catch (error) { setProblem(error); setBusy(false); }
  };
  return html`<${Dialog} title=${title} onClose=${onClose} foot=${html`<span></span><button class="btn" type="button" data-first onClick=${onClose}>${w('Cancel')}</button>
    <button class=${'btn ' + (harm ? 'harm' : 'go')} type="button" disabled=${busy} onClick=${yes}>${label}</button>`}>
    <div class="db"><${Faults} problem=${problem} /><p>${text}</p></div></${Dialog}>`;
};

/* ---- code ---- */

/** A tree of a JSON text that keeps each literal as it was written (numbers of any size, escapes); null: it is none.
 * @returns {any} */
export function jsonTree(/** @type {string} */ text) {
  const token = /\s*(?:([{}[\],:])|("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))\s*/y;
  let at = 0;
  const next = /** @type {() => any} */ (() => {
    token.lastIndex = at;
    const m = token.exec(text);
    if (!m) throw new SyntaxError('JSON');
    at = token.lastIndex;
    return m[1] ?? { raw: m[2] ?? m[3], kind: m[2] ? 's' : 'n' };
  });
  const value = (/** @type {any} */ t, /** @type {number} */ depth) => {
    if (depth > 200) throw new SyntaxError('depth');
    if (typeof t === 'object') return t;
    if (t !== '{' && t !== '[') throw new SyntaxError('JSON');
    const items = [], end = t === '{' ? '}' : ']';
    for (let k = next(); k !== end; k = next()) {
      if (items.length) { if (k !== ',') throw new SyntaxError(','); k = next(); }
      if (t === '{') { if (next() !== ':') throw new SyntaxError(':'); items.push({ key: k.raw, value: value(next(), depth + 1) }); } else items.push({ value: value(k, depth + 1) });
    }
    return { open: t, close: end, items };
  };
  try {
    const tree = value(next(), 0);
    return at === text.length ? tree : null;
  } catch { return null; }
}

const Marked = ({ text, find, kind }) => {
  const shown = plain(text);
  if (!find || !shown.toLowerCase().includes(find)) return html`<span class=${kind}>${shown}</span>`;
  const parts = [];
  let from = 0;
  for (let i = shown.toLowerCase().indexOf(find); i >= 0; i = shown.toLowerCase().indexOf(find, from)) {
    parts.push(shown.slice(from, i), html`<mark>${shown.slice(i, i + find.length)}</mark>`);
    from = i + find.length;
  }
  return html`<span class=${kind}>${parts}${shown.slice(from)}</span>`;
};

const Tree = ({ node, depth, find, fold, comma }) => {
  const [open, setOpen] = useState(!fold || depth < 2);
  if (!node.items) return html`<${Marked} text=${node.raw} find=${find} kind=${node.kind} />${comma}`;
  if (!node.items.length) return html`${node.open}${node.close}${comma}`;
  const pad = '  '.repeat(depth + 1);
  const shown = open || find;
  return html`${depth > 0 && fold ? html`<button type="button" class="fold" aria-expanded=${String(!!shown)} onClick=${() => setOpen(!open)}>${shown ? '▾' : '▸'}</button>` : ''}${node.open}${shown
    ? html`${node.items.map((it, i) => html`${'\n' + pad}${it.key && html`<${Marked} text=${it.key} find=${find} kind="k" />: `}<${Tree} node=${it.value} depth=${depth + 1} find=${find} fold=${fold} comma=${i < node.items.length - 1 ? ',' : ''} />`)}${'\n' + '  '.repeat(depth)}`
    : html`<span class="c"> ${count1(node.items.length, node.open === '{')} </span>`}${node.close}${comma}`;
};
const count1 = (n, members) => (members ? w(n === 1 ? '{0} member' : '{0} members', num(n)) : w(n === 1 ? '{0} item' : '{0} items', num(n)));

const CUT = 262144;

/** A body: JSON in lines, folded below depth 2 when it is long; anything else as text. Never as markup. */
export const Body = ({ text, base64, label, truncated = false, name = 'body' }) => {
  const [find, setFind] = useState('');
  const [raw, setRaw] = useState(false);
  if (base64 !== undefined) return html`<p class="hint">${w('Not text; in Base64:')}</p><pre class="wrap" role="region" tabindex="0" aria-label=${label}>${base64}</pre>`;
  if (text === undefined || text === null || text === '') return html`<p class="dim">${w('Empty.')}</p>`;
  const cut = text.length > CUT ? text.slice(0, CUT) : text;
  const tree = cut === text ? jsonTree(text) : null;
  const long = text.length > 1500 || text.split('\n').length > 40;
  const download = () => {
    const a = document.createElement('a');
    a.href = URL.createObjectURL(new Blob([text], { type: 'application/octet-stream' }));
    a.download = name + (tree ? '.json' : '.txt');
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 1000);
  };
  const wanted = find.trim().toLowerCase();
  return html`<div class="code"><div class="code-h"><span class="dim small">${bytes(new TextEncoder().encode(text).length)}${truncated ? w(', cut: only the beginning is kept') : ''}</span>
    ${long && html`<input class="find" type="search" placeholder=${w('Find in it')} aria-label=${w('Find in: {0}', label)} value=${find} onInput=${(e) => setFind(e.target.value)} />`}
    ${tree && html`<button class="btn sm bare" type="button" aria-pressed=${String(raw)} onClick=${() => setRaw(!raw)}>${raw ? w('In lines') : w('As sent')}</button>`}
    <button class="btn sm bare" type="button" onClick=${() => copy(text)}><${Icon} n="copy" />${w('Copy')}</button>
    ${long && html`<button class="btn sm bare" type="button" onClick=${download}>${w('Download')}</button>`}</div>
    <pre class=${tree && !raw ? '' : 'wrap'} role="region" tabindex="0" aria-label=${label}>${tree && !raw ? html`<${Tree} node=${tree} depth=${0} find=${wanted} fold=${long} comma="" />` : html`<${Marked} text=${cut} find=${wanted} kind="" />`}</pre>
    ${cut !== text && html`<p class="hint">${w('Shown up to 256 KiB of {0}.', bytes(text.length))} <button class="btn sm" type="button" onClick=${download}>${w('Download all of it')}</button></p>`}</div>`;
};

export const Headers = ({ headers, mark = [] }) => html`<dl class="hdrs">${Object.entries(headers ?? {}).map(([k, v]) =>
  html`<dt>${plain(k.toLowerCase())}</dt><dd>${mark.includes(k.toLowerCase()) ? html`<mark>${plain(v)}</mark>` : plain(v)}</dd>`)}</dl>`;

export const Crumbs = ({ items }) => html`<nav aria-label=${w('Where you are')}><ol class="crumbs">${items.map((it) => html`<li>${it.href ? html`<a href=${it.href}>${it.text}</a>` : it.text}</li>`)}</ol></nav>`;

/** Calls `more` when its place comes into view. */
export const Sentinel = ({ more }) => {
  const ref = useRef(/** @type {HTMLElement|null} */ (null)), act = useRef(more);
  act.current = more;
  useEffect(() => {
    const seen = new IntersectionObserver((entries) => { if (entries.some((e) => e.isIntersecting)) act.current(); }, { rootMargin: '600px' });
    if (ref.current) seen.observe(ref.current);
    return () => seen.disconnect();
  }, []);
  return html`<span ref=${ref}></span>`;
};
