/* The portal's texts: one file a language, each with the same names. */
import { language, translate } from '../base.js';
import en from './en.js';

let texts = en.pages;

/** Takes a language; the one that is not English is loaded when it is wanted. */
export async function speak(/** @type {string} */ wanted) {
  const chosen = wanted === 'de' ? (await import('./de.js')).default : en;
  texts = chosen.pages;
  translate(chosen.shared);
  language.now = wanted === 'de' ? 'de' : 'en';
  document.documentElement.lang = language.now;
}

/** What the browser asks for, as far as there is a file for it. */
export const ofBrowser = () => (navigator.languages ?? [navigator.language]).map((l) => l.slice(0, 2)).find((l) => l === 'en' || l === 'de') ?? 'en';

/** A text by its name; {name} stands for a value, which may be a part of the page: then an array comes back.
 * @returns {any} */
export function t(/** @type {string} */ name, /** @type {Record<string, any>} */ values = {}) {
  const parts = String(texts[name] ?? name).split(/\{(\w+)\}/).map((part, i) => (i % 2 ? values[part] : part));
  return parts.every((p) => typeof p !== 'object') ? parts.join('') : parts;
}
