/* The frame around all pages: who is signed in, sections, tenant, search, keyboard. Each page is a module of its own that is
 * loaded when it is first opened. */
import { html, plain, render, useCallback, useEffect, useRef, useState, zone } from './base.js';
import { Problem, call, can, session } from './api.js';
import { Dialog, Icon, toast } from './parts.js';
import { filter, go, here, to, useRoute } from './route.js';
import { SignIn, signInByLink } from './pages/signin.js';

/** Path → [section, module, whether the page is about one tenant (else: all tenants may be chosen)]
 * @type {[RegExp, string, string, boolean][]} */
const pages = [
  [/^$/, 'overview', 'overview', false],
  [/^endpoints$/, 'endpoints', 'endpoints', false],
  [/^endpoints\/new$/, 'endpoints', 'endpoint-edit', true],
  [/^endpoints\/[^/]+\/edit$/, 'endpoints', 'endpoint-edit', true],
  [/^endpoints\/[^/]+$/, 'endpoints', 'endpoint', true],
  [/^events$/, 'events', 'events', false],
  [/^events\/[^/]+$/, 'events', 'event', true],
  [/^deliveries$/, 'deliveries', 'deliveries', false],
  [/^deliveries\/[^/]+$/, 'deliveries', 'delivery', true],
  [/^recovery$/, 'recovery', 'recovery', true],
  [/^recovery\/[^/]+$/, 'recovery', 'recovery', true],
  [/^tenants$/, 'tenants', 'tenants', false],
  [/^tenants\/[^/]+$/, 'tenants', 'tenant', false],
  [/^settings(\/[a-z]+)?(\/[^/]+)?$/, 'settings', 'settings', false],
];
const sections = [['', 'overview', 'Overview'], ['endpoints', 'endpoints', 'Endpoints'], ['events', 'events', 'Events'],
  ['deliveries', 'deliveries', 'Deliveries'], ['recovery', 'recovery', 'Recovery'], ['tenants', 'tenants', 'Tenants'], ['settings', 'settings', 'Settings']];
const keys = [['/', 'Search'], ['j k', 'Next row, row before'], ['Enter', 'Open the row'], ['[ ]', 'Attempt before, next attempt'], ['r', 'Send again (asks)'], ['c', 'Copy as curl'],
  ['g o', 'Go to overview'], ['g e', 'Go to endpoints'], ['g v', 'Go to events'], ['g d', 'Go to deliveries'], ['g r', 'Go to recovery'], ['Esc', 'Close'], ['?', 'This list']];
const places = { o: '', e: 'endpoints', v: 'events', d: 'deliveries', r: 'recovery', t: 'tenants', s: 'settings' };

/** Single keys can be switched off (WCAG 2.1.4); remembered by this browser. */
const singleKeys = {
  get on() { return localStorage.getItem('tenterhook keys') !== 'off'; },
  set on(v) { localStorage.setItem('tenterhook keys', v ? 'on' : 'off'); },
};

/* ---- keyboard ---- */

let afterG = 0;
function onKey(/** @type {KeyboardEvent} */ e, /** @type {() => void} */ help) {
  const t = e.target;
  if (e.ctrlKey || e.metaKey || e.altKey || !singleKeys.on || (t instanceof Element && t.closest('input, textarea, select, dialog')) || document.querySelector('dialog[open]')) return;
  const press = (/** @type {string} */ q) => { const b = document.querySelector(q); if (b instanceof HTMLElement) { b.click(); e.preventDefault(); } };
  if (Date.now() - afterG < 900) {
    afterG = 0;
    if (e.key in places) { go(to(places[e.key])); return; }
  }
  if (e.key === 'g') afterG = Date.now();
  else if (e.key === '/') { const s = document.querySelector('.search input'); if (s instanceof HTMLElement) { s.focus(); e.preventDefault(); } }
  else if (e.key === '?') help();
  else if (e.key === 'r' || e.key === 'c' || e.key === '[' || e.key === ']') press(`[data-key="${e.key}"]`);
  else if (e.key === 'j' || e.key === 'k') {
    const rows = [...document.querySelectorAll('tr[data-href]')];
    if (!rows.length) return;
    const at = rows.findIndex((r) => r.classList.contains('cur')), next = rows[Math.max(0, Math.min(rows.length - 1, at + (e.key === 'j' ? 1 : -1)))];
    rows[at]?.classList.remove('cur');
    next.classList.add('cur');
    /** @type {HTMLElement|null} */ (next.querySelector('a'))?.focus();
    next.scrollIntoView({ block: 'nearest' });
  }
}
const Help = ({ onClose }) => {
  const [on, setOn] = useState(singleKeys.on);
  return html`<${Dialog} title="Keyboard" onClose=${onClose}><div class="db"><dl class="facts">${keys.map(([k, what]) =>
    html`<dt>${k.split(' ').map((one) => html`<kbd>${one}</kbd> `)}</dt><dd>${what}</dd>`)}</dl>
    <label class="tick"><input type="checkbox" checked=${on} onChange=${(e) => { singleKeys.on = e.target.checked; setOn(e.target.checked); }} /><span>Single keys do this<span class="sub">Off where they get into the way of your tools</span></span></label></div></${Dialog}>`;
};

/* ---- search: an id opens its page ---- */

async function find(/** @type {string} */ text) {
  const q = text.trim();
  if (!q) return;
  const { data } = await call('GET', '/v1/search?q=' + encodeURIComponent(q));
  const hit = data.data.length === 1 ? data.data[0] : null;
  const section = { endpoint: 'endpoints/', event: 'events/', delivery: 'deliveries/', replay: 'recovery/', tenant: 'tenants/' };
  if (hit) go(to(section[hit.kind] + encodeURIComponent(hit.id), { tenant: hit.tenant }));
  else if (data.data.length) go(to('endpoints', { q, tenant: null }));
  else toast('Nothing has this id, and no endpoint or tenant has it in its address or name.');
}

const Search = () => {
  const [text, setText] = useState('');
  const submit = async (e) => {
    e.preventDefault();
    try { await find(text); setText(''); } catch (error) { toast(error instanceof Problem ? error.message : 'The search failed.'); }
  };
  return html`<form class="search" role="search" onSubmit=${submit}><label><span class="sr">Search by id, address of an endpoint, or tenant</span><${Icon} n="search" />
    <input type="search" placeholder="Search any id" value=${text} onInput=${(e) => setText(e.target.value)} /></label><kbd aria-hidden="true">/</kbd></form>`;
};

/* ---- the frame ---- */

const Top = ({ section, oneTenant, tenant, tenants, attention, onOut }) => {
  const [menu, setMenu] = useState(false);
  const choose = (e) => {
    const { parts } = here();
    const inside = parts.length > 1 && section !== 'settings'; // an object belongs to its tenant: go to the list
    if (inside) go(to(section, { tenant: e.target.value })); else filter({ tenant: e.target.value });
  };
  const known = tenants.some((t) => t.id === tenant);
  return html`<header class="top"><div class="top-in">
    <a class="brand" href=${to('')} aria-label="Tenterhook, overview"><svg viewBox="0 0 20 20" aria-hidden="true"><path class="mt" d="M2 4h16" /><path class="mk" d="M12.5 4v8.4a4.4 4.4 0 0 1-8.8 0l0-1 2 1.7" /></svg><span class="nm">Tenterhook</span></a>
    <label class="scope sm-c"><span class="sr">Tenant</span><select class="sm" value=${tenant} onChange=${choose}>${!oneTenant && html`<option value="">All tenants</option>`}
      ${tenant && !known && html`<option value=${tenant}>${tenant}</option>`}${tenants.map((t) => html`<option value=${t.id}>${plain(t.name || t.id)}${t.name && t.name !== t.id ? ` · ${t.id}` : ''}</option>`)}</select></label>
    <nav class="nav" aria-label="Sections">${sections.map(([path, name, label]) => html`<a href=${to(path)} aria-current=${section === name ? 'page' : null}>${label}${name === 'endpoints' && attention > 0 && html` <span class="count" title=${attention + ' need attention'}>${attention}</span>`}</a>`)}</nav>
    <div class="end"><${Search} /><button class="who btn bare" type="button" aria-expanded=${String(menu)} onClick=${() => setMenu(!menu)}><${Icon} n="key" /><span class="nm">${session.now.role}</span><span class="sr">, account</span></button></div>
    ${menu && html`<div class="menu panel"><div class="pb"><p><b>${plain(session.now.name) || 'The operator'}</b><br /><span class="dim small">role ${session.now.role}${session.now.key === 'operator' ? ', key of the configuration' : ''}</span></p>
      <p class="acts"><button class="btn sm" type="button" onClick=${onOut}>Sign out</button></p></div></div>`}
  </div></header>`;
};

const Frame = () => {
  const route = useRoute();
  const [help, setHelp] = useState(false);
  const [tenants, setTenants] = useState([]);
  const [attention, setAttention] = useState(0);
  const [owner, setOwner] = useState(/** @type {string|null} */ (null));
  const [page, setPage] = useState(/** @type {any} */ (null));
  const row = pages.find(([pattern]) => pattern.test(route.path));
  const [, section, module, oneTenant] = row ?? [null, '', 'missing', false];
  const asked = route.query.get('tenant') ?? '';
  const tenant = asked || (oneTenant ? owner ?? 'default' : '');
  const main = useRef(/** @type {HTMLElement|null} */ (null));

  useEffect(() => {
    call('GET', '/v1/tenants?limit=1000').then(({ data }) => setTenants(data.data), () => {});
    const key = (e) => onKey(e, () => setHelp(true));
    addEventListener('keydown', key);
    return () => removeEventListener('keydown', key);
  }, []);
  useEffect(() => {
    let wanted = true;
    import(`./pages/${module}.js`).then((m) => { if (wanted) setPage({ module, Page: m.default }); }, () => { if (wanted) setPage({ module, Page: null }); });
    return () => { wanted = false; };
  }, [module]);
  useEffect(() => { setOwner(null); }, [route.path]);
  const title = useCallback((/** @type {string} */ text) => { document.title = `${text} · Tenterhook`; }, []);
  const out = async () => {
    try { await call('DELETE', '/v1/sessions/current'); } catch { /* it has ended already */ }
    session.now = null;
    session.lost();
  };
  const ready = page && page.module === module;
  return html`<${Top} section=${section} oneTenant=${oneTenant} tenant=${tenant} tenants=${tenants} attention=${attention} onOut=${out} />
    <main class="page" id="main" tabindex="-1" ref=${main}>${ready && page.Page ? html`<${page.Page} key=${route.path} route=${route} tenant=${tenant} tenants=${tenants} setOwner=${setOwner} setTitle=${title} setAttention=${setAttention} />`
      : ready ? html`<div class="mid"><h1>This page could not be loaded</h1><p class="dim">The server does not answer, or has been replaced meanwhile.</p><p class="acts sec"><button class="btn go" type="button" onClick=${() => location.reload()}>Load it again</button></p></div>` : null}</main>
    <footer class="foot"><div class="foot-in"><span>Tenterhook ${session.now.version}</span><span>Times are ${zone}; point at one for UTC</span><span class="push"></span><button class="linkish" type="button" onClick=${() => setHelp(true)}>Keyboard: press ?</button></div></footer>
    ${help && html`<${Help} onClose=${() => setHelp(false)} />`}`;
};

const moduleAt = (/** @type {string} */ path) => pages.find(([pattern]) => pattern.test(path))?.[2] ?? 'missing';

/* The cookie cannot be seen from here. So that nobody's first page begins with a 401, the browser remembers that it has one. */
const remember = () => localStorage.setItem('tenterhook in', '1');

const App = () => {
  const [state, setState] = useState(/** @type {'asking'|'out'|'in'} */ ('asking'));
  const [why, setWhy] = useState('');
  useEffect(() => {
    // the page's module comes while the server is asked who this is: one after the other, they were a third of the time to the first rows
    if (localStorage.getItem('tenterhook in')) import(`./pages/${moduleAt(here().path)}.js`).catch(() => {});
    session.lost = () => {
      localStorage.removeItem('tenterhook in'); if (session.now) setWhy('The session has ended. Sign in to go on where you were.'); session.now = null; setState('out'); };
    (async () => {
      try {
        session.now = await signInByLink();
        if (!session.now && localStorage.getItem('tenterhook in')) session.now = (await call('GET', '/v1/sessions/current')).data;
        setState(session.now ? 'in' : 'out');
      } catch (error) {
        if (error instanceof Problem && error.status !== 401 && error.status !== 404) setWhy(error.message);
        else if (error instanceof Error && error.message === 'link') setWhy('This link was used already, or has ended. Sign in with a key.');
        setState('out');
      }
    })();
  }, []);
  if (state === 'in') remember();
  if (state === 'asking') return null;
  return state === 'in' ? html`<${Frame} />` : html`<${SignIn} why=${why} onIn=${(s) => { session.now = s; setWhy(''); setState('in'); }} />`;
};

render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById('app')));
