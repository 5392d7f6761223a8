/* What every file of the pages uses: Preact, and how numbers, times and foreign texts are written.
 *
 * Texts of customers and of their servers are shown as text, always: nothing here or elsewhere makes markup out of a string. */
export { h, html, render, createContext, useState, useEffect, useLayoutEffect, useMemo, useRef, useCallback, useContext }
  from './vendor/preact-htm.js';

/** The reader's language: the dashboard speaks English; the portal sets another one before its first page. */
export const language = { now: 'en' };

/* Texts of the parts that dashboard and portal share: English stands where it is used, other languages in a table by it. */
const table = /** @type {Record<string, string>} */ ({});
export const translate = (/** @type {Record<string, string>} */ texts) => { Object.assign(table, texts); };
/** The text in the reader's language; {0}, {1} … stand for values. */
export const w = (/** @type {string} */ text, /** @type {unknown[]} */ ...values) => (table[text] ?? text).replace(/\{(\d)\}/g, (_, i) => String(values[Number(i)]));

/** 18412 → "18,412" */
export const num = (/** @type {number} */ n) => n.toLocaleString(language.now);

/** Characters that turn the direction of a line round or are not seen could make one text look like another: they are written as \u202e. */
export const plain = (/** @type {unknown} */ text) => String(text ?? '').replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g,
  (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));

/** Milliseconds as a reader wants them: "0.6 ms", "96 ms", "1.24 s". */
export function ms(/** @type {number|null|undefined} */ n) {
  if (n === null || n === undefined) return '–';
  if (n < 10) return `${Number(n.toFixed(1))} ms`;
  if (n < 1000) return `${Math.round(n)} ms`;
  return n < 60000 ? `${(n / 1000).toFixed(n < 10000 ? 2 : 1)} s` : span(n);
}

/** A stretch of time with its two largest units: "1 min 41 s", "3 d 4 h". */
export function span(/** @type {number} */ milliseconds) {
  let s = Math.max(0, Math.round(milliseconds / 1000));
  const parts = [];
  for (const [unit, size] of /** @type {[string, number][]} */ ([[w('d'), 86400], ['h', 3600], ['min', 60], ['s', 1]])) {
    const n = Math.floor(s / size);
    s -= n * size;
    if (n) parts.push(`${n} ${unit}`);
    if (parts.length === 2 || (parts.length && !n)) break;
  }
  return parts.join(' ') || '0 s';
}

export function bytes(/** @type {number} */ n) {
  return n < 1024 ? `${num(n)} ${n === 1 ? w('byte') : w('bytes')}` : n < 1048576 ? `${(n / 1024).toFixed(1)} KiB`
    : n < 1073741824 ? `${(n / 1048576).toFixed(1)} MiB` : `${(n / 1073741824).toFixed(1)} GiB`;
}

/** "1 endpoint", "3 endpoints" */
export const count = (/** @type {number} */ n, /** @type {string} */ one, many = one + 's') => `${num(n)} ${n === 1 ? one : many}`;

const words = ['No', 'One', 'Two', 'Three', 'Four', 'Five', 'Six', 'Seven', 'Eight', 'Nine', 'Ten', 'Eleven', 'Twelve'];
export const spelt = (/** @type {number} */ n) => words[n] ?? num(n);
const orders = ['', 'First', 'Second', 'Third', 'Fourth', 'Fifth', 'Sixth', 'Seventh', 'Eighth', 'Ninth', 'Tenth'];
export const ordinal = (/** @type {number} */ n) => (orders[n] ? w(orders[n]) : w('No. {0}', n));

/* ---- times: the reader's zone, UTC on hover ---- */

const pad = (/** @type {number} */ n) => String(n).padStart(2, '0');
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const longMonths = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

export const clock = (/** @type {Date} */ d) => `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
export const sameDay = (/** @type {Date} */ a, /** @type {Date} */ b) =>
  a.getFullYear() === b.getFullYear() && a.getMonth() === b.getMonth() && a.getDate() === b.getDate();
export const utc = (/** @type {Date} */ d) => d.toISOString().replace('T', ' ').replace(/\.\d+Z/, ' UTC');

/** Today "14:31:58", else "29 Nov 09:02", of other years "3 Sep 2025". */
export function when(/** @type {Date} */ d, now = new Date()) {
  if (sameDay(d, now)) return clock(d);
  const day = language.now === 'en' ? `${d.getDate()} ${months[d.getMonth()]}` : d.toLocaleDateString(language.now, { day: 'numeric', month: 'short' });
  return d.getFullYear() === now.getFullYear() ? `${day} ${pad(d.getHours())}:${pad(d.getMinutes())}` : `${day} ${d.getFullYear()}`;
}

/** "Today, Monday 30 November" */
export function dayName(/** @type {Date} */ d, now = new Date()) {
  const name = language.now === 'en' ? `${days[d.getDay()]} ${d.getDate()} ${longMonths[d.getMonth()]}${d.getFullYear() === now.getFullYear() ? '' : ' ' + d.getFullYear()}`
    : d.toLocaleDateString(language.now, { weekday: 'long', day: 'numeric', month: 'long', ...(d.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' }) });
  const yesterday = new Date(now);
  yesterday.setDate(now.getDate() - 1);
  return sameDay(d, now) ? w('Today, {0}', name) : sameDay(d, yesterday) ? w('Yesterday, {0}', name) : name;
}

/** Times as people say them: "14:00", "yesterday", "yesterday 9:30", "2h", "45 min", "7d", "2026-11-30 14:00", "now". null: not one. */
export function parseWhen(/** @type {string} */ text, now = new Date()) {
  const t = text.trim().toLowerCase();
  if (!t || t === 'now') return now;
  const back = /^(\d{1,5})\s*(s|m|min|h|d|w)$/.exec(t);
  if (back) return new Date(now.getTime() - Number(back[1]) * { s: 1e3, m: 6e4, min: 6e4, h: 36e5, d: 864e5, w: 6048e5 }[/** @type {'s'} */ (back[2])]);
  const hour = /^(?:(today|yesterday)\s*)?(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(t) ?? /^(today|yesterday)$/.exec(t);
  if (hour) {
    const d = new Date(now.getFullYear(), now.getMonth(), now.getDate() - (hour[1] === 'yesterday' ? 1 : 0), Number(hour[2] ?? 0), Number(hour[3] ?? 0), Number(hour[4] ?? 0));
    if (!hour[1] && d > now) d.setDate(d.getDate() - 1); // "23:00" at 14:00 is that of yesterday
    return Number(hour[2] ?? 0) < 24 && Number(hour[3] ?? 0) < 60 ? d : null;
  }
  const date = /^(\d{4})-(\d{2})-(\d{2})(?:[t ](\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?\s*(z|[+-]\d{2}:?\d{2})?)?$/.exec(t);
  if (!date) return null;
  const d = date[7] ? new Date(t.replace(' ', 'T').toUpperCase())
    : new Date(Number(date[1]), Number(date[2]) - 1, Number(date[3]), Number(date[4] ?? 0), Number(date[5] ?? 0), Number(date[6] ?? 0));
  return Number.isNaN(d.getTime()) ? null : d;
}

/** The time in a ULID at the end of a public id; null: there is none. */
export function timeOfId(/** @type {string} */ id) {
  const found = /(?:^|_)([0-7][0-9A-HJKMNP-TV-Z]{25})$/.exec(id);
  if (!found) return null;
  let t = 0;
  for (const c of found[1].slice(0, 10)) t = t * 32 + '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(c);
  return new Date(t);
}
