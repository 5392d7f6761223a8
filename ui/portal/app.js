/* The portal: what a customer of the platform sees of its webhooks. It begins with the token of a link behind # of the address, which is
 * exchanged once; what comes back is kept here and nowhere else, so it ends when the page is loaded again or closed. */
import { html, plain, render, useCallback, useEffect, useState } from '../base.js';
import { Problem, call, session } from '../api.js';
import { to, useRoute } from '../route.js';
import { framed, moved, over } from './frame.js';
import { ofBrowser, speak, t } from './texts.js';
import { dress, logoOf } from './theme.js';

/** Path → [section, module]
 * @type {[RegExp, string, string][]} */
const pages = [
  [/^(endpoints)?$/, 'endpoints', 'endpoints'],
  [/^endpoints\/new$/, 'endpoints', 'edit'],
  [/^endpoints\/[^/]+\/edit$/, 'endpoints', 'edit'],
  [/^endpoints\/[^/]+$/, 'endpoints', 'endpoint'],
  [/^deliveries$/, 'deliveries', 'deliveries'],
  [/^deliveries\/[^/]+$/, 'deliveries', 'delivery'],
  [/^events$/, 'events', 'events'],
  [/^events\/[^/]+$/, 'events', 'event'],
  [/^types$/, 'types', 'types'],
];

const Frame = () => {
  const route = useRoute(), me = session.now, theme = me.theme ?? {};
  const [page, setPage] = useState(/** @type {any} */ (null));
  const [, section, module] = pages.find(([pattern]) => pattern.test(route.path)) ?? [null, '', 'missing'];
  useEffect(() => {
    let wanted = true;
    import(`./${module}.js`).then((m) => { if (wanted) setPage({ module, Page: m.default }); }, () => { if (wanted) setPage({ module, Page: null }); });
    return () => { wanted = false; };
  }, [module]);
  useEffect(() => { moved(); }, [route.path]);
  const title = useCallback((/** @type {string} */ text) => { document.title = theme.name ? `${text} · ${plain(theme.name)}` : text; }, []);
  const logo = logoOf(theme), ready = page && page.module === module;
  return html`<main class="page" id="main" tabindex="-1">
    ${!framed && (logo || theme.name || me.return_url) && html`<div class="portal-top">${logo ? html`<img src=${logo} alt=${plain(theme.name || t('logo'))} />` : plain(theme.name)}${me.return_url && html`<a class="push" href=${me.return_url} rel="noreferrer">${theme.name ? t('back_to', { name: plain(theme.name) }) : t('back')}</a>`}</div>`}
    <nav class="tabs" aria-label=${t('sections')}>${['endpoints', 'deliveries', 'events', 'types'].map((s) => html`<a href=${to(s === 'endpoints' ? '' : s)} aria-current=${section === s ? 'page' : null}>${t(s)}</a>`)}</nav>
    <div class="sec">${ready && page.Page ? html`<${page.Page} key=${route.path} route=${route} setTitle=${title} />` : ready ? html`<div class="mid"><h1>${t('not_loaded')}</h1></div>` : null}</div></main>`;
};

const Ended = ({ why }) => {
  useEffect(() => { document.title = t('title'); document.getElementById('main')?.focus(); }, []);
  return html`<main class="page" id="main" tabindex="-1"><div class="solo"><div class="panel" role="alert"><div class="pb"><h1>${t(why)}</h1><p class="dim">${t('open_again')}</p></div></div></div></main>`;
};

/** Exchanges the token behind #, and takes it out of the address and the history. */
async function exchange() {
  const token = /^#(th_plink_[\w-]+)$/.exec(location.hash)?.[1];
  history.replaceState(null, '', location.pathname + location.search);
  if (!token) throw new Problem(401, null, { method: 'GET', path: '', status: 0, ms: 0 });
  const { data } = await call('POST', '/v1/portal/sessions', { headers: { Authorization: 'Bearer ' + token } });
  session.token = data.token;
  const { token: _, ...me } = data;
  session.now = { ...me, role: me.scopes.includes('webhooks:manage') ? 'admin' : 'read-only', secrets: me.scopes.includes('webhooks:secrets') };
}

const App = () => {
  const [state, setState] = useState('asking');
  useEffect(() => {
    const end = (/** @type {string} */ why) => { session.token = ''; session.now = null; over(why); setState(why); };
    session.lost = () => end('ended');
    (async () => {
      await speak(ofBrowser());
      const had = location.hash.length > 1;
      try {
        await exchange();
        await speak(session.now.theme?.lang ?? ofBrowser());
        dress(session.now.theme);
        setState('in');
      } catch (error) { end(error instanceof Problem && error.status === 0 ? 'no_server' : error instanceof Problem && /used already/.test(error.message) ? 'used' : had ? 'link_ended' : 'no_link'); }
    })();
  }, []);
  return state === 'asking' ? null : state === 'in' ? html`<${Frame} />` : html`<${Ended} why=${state} />`;
};

render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById('app')));
