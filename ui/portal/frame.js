/* The portal in a frame of the platform's page: they talk by messages, each of which names the exact origin that it goes to or comes
 * from. The origins are those of the server's configuration, the same that may frame this page at all.
 *
 *   from the page:  {tenterhook: 'hello'}  {tenterhook: 'theme', theme: {mode, accent, …}}  {tenterhook: 'go', path: 'deliveries'}
 *   to the page:    {tenterhook: 'ready'}  {tenterhook: 'height', height}  {tenterhook: 'at', path}  {tenterhook: 'ended', reason}
 *
 * Nothing secret is ever in a message. */
import { base, go, here, to } from '../route.js';
import { dress } from './theme.js';

export const framed = window.parent !== window;
let host = '', ended = '';

const tell = (/** @type {Record<string, unknown>} */ message) => { if (host) window.parent.postMessage(message, host); };

const origins = framed ? fetch(base + 'origins.json', { credentials: 'omit' }).then((a) => a.json()).then((a) => a.origins, () => []) : Promise.resolve([]);

async function hear(/** @type {MessageEvent} */ e) {
  if (e.source !== window.parent || typeof e.data?.tenterhook !== 'string' || !(await origins).includes(e.origin)) return;
  if (!host) host = e.origin;
  if (e.origin !== host) return;
  if (e.data.tenterhook === 'hello') { tell({ tenterhook: 'ready' }); size(); if (ended) tell({ tenterhook: 'ended', reason: ended }); }
  else if (e.data.tenterhook === 'theme' && typeof e.data.theme === 'object') dress(e.data.theme);
  else if (e.data.tenterhook === 'go' && /^[a-z]*(\/[\w-]{1,128}){0,2}$/.test(e.data.path)) go(to(e.data.path));
}

let height = 0;
function size() {
  const app = document.getElementById('app'), h = Math.ceil(app?.getBoundingClientRect().height ?? 0);
  if (h && h !== height) { height = h; tell({ tenterhook: 'height', height: h }); }
}

if (framed) {
  addEventListener('message', hear);
  const app = document.getElementById('app');
  if (app) new ResizeObserver(() => { height = height || -1; size(); }).observe(app);
}

/** The page shows another place. */
export const moved = () => tell({ tenterhook: 'at', path: here().path });
/** There is no token any more: the platform may get another link and load it. */
export const over = (/** @type {string} */ reason) => { ended = reason; tell({ tenterhook: 'ended', reason }); };
