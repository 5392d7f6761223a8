/* Where the reader is. Every state that is worth coming back to stands in the address: pages push it, filters replace it. */
import { useEffect, useState } from './base.js';

const listeners = new Set();
/** Where the pages are: the dashboard's, or the portal's. */
export const base = location.pathname.startsWith('/portal') ? '/portal/' : '/ui/';

export function here() {
  const path = location.pathname.slice(base.length).replace(/\/$/, '');
  return { path, parts: path ? path.split('/').map(decodeURIComponent) : [], query: new URLSearchParams(location.search) };
}

export function go(/** @type {string} */ url, replace = false) {
  if (url === location.pathname + location.search) replace = true;
  history[replace ? 'replaceState' : 'pushState'](null, '', url);
  for (const tell of listeners) tell();
  if (!replace) window.scrollTo(0, 0);
}

/** Sets or (with '') removes members of the query, and stays on the page. */
export function filter(/** @type {Record<string, string>} */ members) {
  const q = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(members)) if (value) q.set(name, value); else q.delete(name);
  const text = q.toString().replaceAll('%3A', ':').replaceAll('%2C', ',').replaceAll('%2A', '*').replaceAll('+', '%20');
  go(location.pathname + (text ? '?' + text : ''), true);
}

export function useRoute() {
  const [route, set] = useState(here);
  useEffect(() => {
    const tell = () => set(here());
    listeners.add(tell);
    addEventListener('popstate', tell);
    return () => { listeners.delete(tell); removeEventListener('popstate', tell); };
  }, []);
  return route;
}

/** The address of a page; the chosen tenant goes along. */
export function to(/** @type {string} */ path, /** @type {Record<string, string|undefined|null>} */ members = {}) {
  const q = new URLSearchParams();
  const tenant = members.tenant === undefined ? new URLSearchParams(location.search).get('tenant') : members.tenant;
  for (const [name, value] of Object.entries({ ...members, tenant })) if (value) q.set(name, value);
  const text = q.toString().replaceAll('%3A', ':');
  return base + path + (text ? '?' + text : '');
}

/* Links of our own change the page without loading it; with a modifier key the browser does what it always does. */
document.addEventListener('click', (e) => {
  const a = e.target instanceof Element ? e.target.closest('a') : null;
  if (!a || e.defaultPrevented || e.button || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey || a.target || a.hasAttribute('download')) return;
  if (a.origin !== location.origin || !a.pathname.startsWith(base)) return;
  if (a.hash && a.pathname === location.pathname) return;
  e.preventDefault();
  go(a.pathname + a.search);
});

/* A row is a link as a whole, but for what stands in it. */
document.addEventListener('click', (e) => {
  const t = e.target instanceof Element ? e.target : null, row = t?.closest('tr[data-href]');
  if (row && !t?.closest('a, button, input, label, select') && !String(getSelection())) go(row.getAttribute('data-href') ?? '');
});
