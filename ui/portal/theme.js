/* How the portal looks. A theme is values that were parsed: nothing of it is ever text of a style sheet. Colours that could not be
 * read on their ground are moved until they can (WCAG 1.4.3: 4.5 to 1). */

const parse = (/** @type {unknown} */ text) => (/^#[0-9a-f]{6}$/i.test(String(text)) ? [1, 3, 5].map((i) => parseInt(String(text).slice(i, i + 2), 16)) : null);
const hex = (/** @type {number[]} */ c) => '#' + c.map((n) => Math.round(Math.min(255, Math.max(0, n))).toString(16).padStart(2, '0')).join('');
const mix = (/** @type {number[]} */ a, /** @type {number[]} */ b, /** @type {number} */ part) => a.map((n, i) => n * (1 - part) + b[i] * part);
const light = (/** @type {number[]} */ c) => {
  const [r, g, b] = c.map((n) => { const v = n / 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
export const contrast = (/** @type {number[]} */ a, /** @type {number[]} */ b) => { const [x, y] = [light(a), light(b)].sort((m, n) => n - m); return (x + 0.05) / (y + 0.05); };

const WHITE = [255, 255, 255], BLACK = [0, 0, 0];
/** Moves a colour towards another one until it can be read on all grounds. */
function readable(/** @type {number[]} */ colour, /** @type {number[]} */ towards, /** @type {(c: number[]) => number[][]} */ grounds) {
  for (let part = 0; part <= 1; part += 0.04) {
    const c = parse(hex(mix(colour, towards, part)));
    if (c && grounds(c).every((g) => contrast(c, g) >= 4.6)) return c;
  }
  return towards;
}

const tokens = ['--accent', '--accent-soft', '--on-accent', '--chart-line', '--ground', '--r1', '--r2', '--r3'];
const system = matchMedia('(prefers-color-scheme: dark)');
let now = /** @type {any} */ ({});

function draw() {
  const root = document.documentElement, mode = now.mode === 'light' || now.mode === 'dark' ? now.mode : '';
  if (mode) root.dataset.mode = mode; else delete root.dataset.mode;
  for (const name of tokens) root.style.removeProperty(name);
  const dark = mode ? mode === 'dark' : system.matches, set = (/** @type {string} */ name, /** @type {string} */ value) => root.style.setProperty(name, value);
  const surface = dark ? [24, 26, 23] : WHITE, sunk = dark ? [32, 34, 30] : [240, 240, 236], faint = dark ? [155, 158, 147] : [98, 101, 91];
  let ground = parse(dark ? now.ground_dark : now.ground);
  if (ground) { // texts of ours stand on it
    const to = dark ? BLACK : WHITE;
    for (let part = 0; part <= 1 && contrast(ground, faint) < 4.6; part += 0.1) ground = mix(ground, to, part);
    set('--ground', hex(ground));
  }
  const asked = parse(dark ? now.accent_dark ?? now.accent : now.accent);
  if (asked) {
    const soft = (/** @type {number[]} */ c) => mix(surface, c, dark ? 0.18 : 0.1);
    const accent = readable(asked, dark ? WHITE : BLACK, (c) => [surface, sunk, ground ?? (dark ? [17, 18, 16] : [246, 246, 243]), soft(c)]);
    set('--accent', hex(accent));
    set('--accent-soft', hex(soft(accent)));
    set('--on-accent', contrast(accent, WHITE) >= contrast(accent, [13, 22, 32]) ? '#ffffff' : '#0d1620');
    set('--chart-line', hex(accent));
  }
  const radius = Number(now.radius);
  if (Number.isInteger(radius) && radius >= 0 && radius <= 16) {
    set('--r1', Math.round(radius / 2) + 'px');
    set('--r2', radius + 'px');
    set('--r3', Math.min(16, Math.round(radius * 1.5)) + 'px');
  }
}
system.addEventListener('change', draw);

/** Takes the values that it knows of a theme; others stay as they are. */
export function dress(/** @type {any} */ theme) {
  for (const name of ['accent', 'accent_dark', 'ground', 'ground_dark', 'radius', 'mode']) if (theme && theme[name] !== undefined) now = { ...now, [name]: theme[name] };
  draw();
}

/** A logo that is a picture in itself; the server has checked it already. */
export const logoOf = (/** @type {any} */ theme) => (/^data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+$/.test(theme?.logo ?? '') ? theme.logo : null);
