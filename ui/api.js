/* Requests to the API. The pages do nothing that a program with the operator's key could not do with curl: each answer remembers
 * the request that it belongs to, so that the page can show it.
 *
 * The browser adds the session's cookie by itself; what changes something carries the CSRF token as well. The portal has a token
 * instead, which is nowhere but here. */
import { useCallback, useEffect, useRef, useState, w } from './base.js';

/** @typedef {{method: string, path: string, tenant?: string, body?: unknown, status: number, ms: number}} Told */
/** @typedef {{data: any, told: Told, tenant: string|null, etag: string|null, next: string|null}} Answer */

/** An answer that is no success, or none at all (status 0). */
export class Problem extends Error {
  constructor(/** @type {number} */ status, /** @type {any} */ body, /** @type {Told} */ told) {
    super(body?.detail || (status ? w('The server answered {0}.', status) : w('The server does not answer.')));
    this.status = status;
    this.body = body ?? {};
    this.told = told;
    this.requestId = body?.request_id ?? '';
    /** @type {{pointer?: string, detail?: string}[]} */
    this.errors = Array.isArray(body?.errors) ? body.errors : [];
  }
}

/** Who has signed in; null: nobody. Set by the application. */
export const session = { now: /** @type {any} */ (null), /** the portal's */ token: '', lost: () => {}, /** the server's clock minus ours, milliseconds */ ahead: 0 };

/** Now, by the server's clock. */
export const serverNow = () => Date.now() + session.ahead;

export const can = (/** @type {'read-only'|'support'|'admin'} */ role) =>
  ['read-only', 'support', 'admin'].indexOf(session.now?.role) >= ['read-only', 'support', 'admin'].indexOf(role);

/** @param {string} method @param {string} path @param {{body?: unknown, tenant?: string, headers?: Record<string, string>, signal?: AbortSignal}} [options]
 * @returns {Promise<Answer>} */
export async function call(method, path, { body, tenant, headers = {}, signal } = {}) {
  /** @type {Record<string, string>} */
  const fields = { Accept: 'application/json', 'Tenterhook-Form': 'native', ...headers };
  if (tenant) fields['Tenterhook-Tenant'] = tenant;
  if (body !== undefined) fields['Content-Type'] = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  if (session.token && !fields.Authorization) fields.Authorization = 'Bearer ' + session.token;
  else if (method !== 'GET' && session.now?.csrf_token) fields['Tenterhook-Csrf'] = session.now.csrf_token;
  const begun = performance.now();
  /** @type {Told} */
  const told = { method, path, tenant, body, status: 0, ms: 0 };
  let answer, text;
  try {
    answer = await fetch(path, { method, headers: fields, body: body === undefined ? undefined : JSON.stringify(body), signal, credentials: session.token ? 'omit' : 'same-origin', cache: 'no-store' });
    text = await answer.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, null, told);
  }
  told.status = answer.status;
  told.ms = performance.now() - begun;
  const date = Date.parse(answer.headers.get('date') ?? '');
  if (date && Math.abs(date + 500 - serverNow()) > 2000) session.ahead = date + 500 - Date.now(); // the header has whole seconds
  let data = null;
  try { data = text ? JSON.parse(text) : null; } catch { /* not ours: a proxy's page */ }
  if (answer.status === 401 && session.now && !headers.Authorization) session.lost();
  if (!answer.ok) throw new Problem(answer.status, data, told);
  return { data, told, tenant: answer.headers.get('tenterhook-tenant') ?? tenant ?? null, etag: answer.headers.get('etag'), next: data?.next_cursor ?? null };
}

/** The same request for a shell. */
export function curl(/** @type {Told} */ { method, path, tenant, body }) {
  const quoted = (/** @type {string} */ s) => `'${s.replaceAll("'", "'\\''")}'`;
  const parts = ['curl -sS'];
  if (method !== 'GET') parts.push(`-X ${method}`);
  parts.push(/^[\w/.~?=&%,:-]+$/.test(path) ? `"$API${path}"` : `"$API"${quoted(path)}`, '-H "Authorization: Bearer $KEY"');
  if (tenant) parts.push(`-H ${quoted('Tenterhook-Tenant: ' + tenant)}`);
  if (body !== undefined) parts.push(`-H 'Content-Type: application/${method === 'PATCH' ? 'merge-patch+' : ''}json'`, `-d ${quoted(JSON.stringify(body))}`);
  return parts.join(' ');
}

/** A query string without empty members. */
export function query(/** @type {Record<string, string|number|boolean|null|undefined>} */ members) {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(members)) if (value !== null && value !== undefined && value !== '' && value !== false) q.set(name, String(value));
  const text = q.toString().replaceAll('%3A', ':').replaceAll('%2C', ',').replaceAll('%2A', '*');
  return text ? '?' + text : '';
}

/** Loads once for each key, and again with reload(). While a new one loads the old data stays.
 * @template T @param {string|null} key null: not now @param {(signal: AbortSignal) => Promise<T>} load
 * @returns {{data: T|null, error: Problem|null, busy: boolean, reload: () => void, set: (f: (d: T) => T) => void}} */
export function useLoad(key, load) {
  const [state, setState] = useState(/** @type {any} */ ({ key: null, data: null, error: null, busy: true }));
  const [turn, setTurn] = useState(0);
  const loader = useRef(load);
  loader.current = load;
  useEffect(() => {
    if (key === null) return undefined;
    const stop = new AbortController();
    setState((/** @type {any} */ s) => ({ key, data: s.key === key ? s.data : null, error: null, busy: true }));
    loader.current(stop.signal).then(
      (data) => { if (!stop.signal.aborted) setState({ key, data, error: null, busy: false }); },
      (error) => {
        if (stop.signal.aborted) return;
        if (!(error instanceof Problem)) throw error;
        setState((/** @type {any} */ s) => ({ key, data: s.data, error, busy: false }));
      });
    return () => stop.abort();
  }, [key, turn]);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  const set = useCallback((/** @type {(d: T) => T} */ f) => setState((/** @type {any} */ s) => (s.data ? { ...s, data: f(s.data) } : s)), []);
  const mine = state.key === key;
  return { data: mine ? state.data : null, error: mine ? state.error : null, busy: !mine || state.busy, reload, set };
}
