/* Streams of the API (server-sent events), read with fetch because the session's header cannot stand in a URL.
 *
 * A browser has six connections to a server that speaks HTTP/1.1, for all its tabs: so the tabs that want the same stream
 * share one. The tab that holds the lock of its name reads it and tells the others; when that tab closes, another one gets
 * the lock and goes on. Portals share with nobody: two tabs may show two tenants, and neither may tell the other. A tab that is not seen reads nothing, and loads its list anew when it is seen again. */
import { serverNow, session } from './api.js';
import { useEffect, useRef, useState } from './base.js';

/** What pages ask of a stream: so many rows a second are as many as somebody can read, and more would cost the server. What is left
 * out is told (`skipped`). */
export const MAX_RATE = 20;
const PAUSES = [1000, 2000, 5000, 10000, 30000];

/** @param {string} path @param {string|undefined} tenant @param {string} last @param {AbortSignal} signal @param {(m: any) => void} give */
async function read(path, tenant, last, signal, give) {
  /** @type {Record<string, string>} */
  const headers = { Accept: 'text/event-stream' };
  if (tenant) headers['Tenterhook-Tenant'] = tenant;
  if (last) headers['Last-Event-ID'] = last;
  if (session.token) headers.Authorization = 'Bearer ' + session.token;
  const answer = await fetch(path, { headers, signal, credentials: session.token ? 'omit' : 'same-origin', cache: 'no-store' });
  if (!answer.ok || !answer.body) throw new Error(String(answer.status));
  give({ event: 'open' });
  const reader = answer.body.getReader(), decoder = new TextDecoder();
  let rest = '', event = 'message', id = '', data = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (id || data) give({ event, id, data: data ? JSON.parse(data) : null });
        event = 'message'; data = '';
      } else if (line.startsWith('event: ')) event = line.slice(7);
      else if (line.startsWith('id: ')) id = line.slice(4);
      else if (line.startsWith('data: ')) data += line.slice(6);
    }
  }
}

/** Reads for ever, until the signal. */
async function follow(/** @type {string} */ path, /** @type {string|undefined} */ tenant, /** @type {AbortSignal} */ signal, /** @type {(m: any) => void} */ give) {
  let last = '', failures = 0;
  while (!signal.aborted) {
    try {
      await read(path, tenant, last, signal, (m) => { failures = 0; last = m.id || last; give(m); });
    } catch { /* the pause below */ }
    if (signal.aborted) return;
    give({ event: 'lost' });
    const pause = PAUSES[Math.min(failures++, PAUSES.length - 1)];
    await new Promise((go) => { const t = setTimeout(go, pause); signal.addEventListener('abort', () => { clearTimeout(t); go(null); }); });
  }
}

/** Calls `take` with each message of a stream while this tab is seen: its rows, "skipped" with the count of rows that were left out,
 * and "again" when the list has to be loaded anew. Returns whether it is live.
 * @param {string|null} path null: not now @param {string|undefined} tenant @param {(m: {event: string, data?: any}) => void} take */
export function useStream(path, tenant, take) {
  const [live, setLive] = useState(/** @type {{on: boolean, at: Date|null}} */ ({ on: false, at: null }));
  const taker = useRef(take);
  taker.current = take;
  useEffect(() => {
    if (path === null) return undefined;
    const name = `tenterhook ${tenant ?? ''} ${path}`;
    let stop = new AbortController(), hidden = false, leads = false;
    /** @type {BroadcastChannel|null} */
    let channel = null;
    const give = (/** @type {any} */ m) => {
      if (m.event === 'lost') setLive((l) => (l.on ? { on: false, at: new Date() } : l));
      else setLive((l) => (l.on ? l : { on: true, at: null }));
      if (m.data || m.event === 'gap') taker.current(m.event === 'gap' ? { event: 'again' } : m);
    };
    const begin = () => {
      stop = new AbortController();
      const { signal } = stop;
      const tell = (/** @type {any} */ m) => { if (signal.aborted) return; leads = m.event !== 'lost'; channel?.postMessage(m); give(m); };
      if (session.token || typeof BroadcastChannel === 'undefined' || !navigator.locks) { follow(path, tenant, signal, give); return; }
      channel = new BroadcastChannel(name);
      channel.onmessage = (e) => { if (e.data !== 'hello') give(e.data); else if (leads) channel?.postMessage({ event: 'open' }); };
      channel.postMessage('hello');
      navigator.locks.request(name, { signal }, () => follow(path, tenant, signal, tell)).catch(() => {});
    };
    const end = () => { stop.abort(); leads = false; channel?.close(); channel = null; };
    const look = () => {
      if (document.hidden && !hidden) { hidden = true; end(); }
      else if (!document.hidden && hidden) { hidden = false; begin(); taker.current({ event: 'again' }); }
    };
    document.addEventListener('visibilitychange', look);
    begin();
    return () => { document.removeEventListener('visibilitychange', look); end(); };
  }, [path, tenant]);
  return live;
}

/** Loads a delivery again while its attempt is due or under way: it may have ended before the stream was open. */
export function useDue(/** @type {any} */ d, /** @type {() => void} */ reload) {
  useEffect(() => {
    if (!d || (d.status !== 'pending' && d.status !== 'retrying') || (d.next_attempt_at && new Date(d.next_attempt_at).getTime() > serverNow() + 500)) return undefined;
    const t = setTimeout(reload, 1000);
    return () => clearTimeout(t);
  }, [d]);
}
