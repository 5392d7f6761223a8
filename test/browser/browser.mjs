/* A browser for one flow: it fails when the page reports a violation of its policy, an error, or a dialog that nobody of ours
 * opened, and looks at each page with axe. What is planted calls window.planted(). */
import axe from 'axe-core';
import { chromium } from 'playwright-core';
import assert from 'node:assert/strict';

const ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export async function open({ width = 1280, height = 900, scheme = 'light', motion = 'reduce', folder }) {
  const context = await chromium.launchPersistentContext(folder, { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGS, headless: true, viewport: { width, height },
    colorScheme: scheme, reducedMotion: motion, permissions: ['clipboard-read', 'clipboard-write'], timezoneId: 'Europe/Berlin', locale: 'en-GB' });
  const faults = [];
  await context.exposeFunction('planted', (what) => faults.push(`planted script ran: ${what}`));
  await context.exposeFunction('policyReport', (what) => faults.push(`policy: ${what}`));
  await context.addInitScript(() => document.addEventListener('securitypolicyviolation', (e) => window.policyReport(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`)));
  const page = context.pages()[0] ?? (await context.newPage());
  const watch = (p) => {
    p.on('pageerror', (e) => faults.push(`error: ${e.stack}`));
    p.on('dialog', (d) => { faults.push(`dialog: ${d.message()}`); d.dismiss(); });
    p.on('console', (m) => { if (['error', 'warning'].includes(m.type()) && !/Failed to load resource: the server responded with a status of 4(00|01|03|04|09|12|22)/.test(m.text())) faults.push(`console: ${m.text()}`); });
  };
  watch(page);
  context.on('page', watch);
  return { context, page, faults };
}

/** No violation of axe, at all levels of WCAG 2.2 AA and its best practices. */
export async function accessible(page, where) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(' | ')}`), [], `axe on ${where}`);
}

/** Nothing is cut off at the side. */
export async function fits(page, where) {
  const [scroll, client] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(scroll <= client, `${where} is ${scroll} px wide, the window ${client}`);
}

export async function signIn(page, server, key) {
  await page.goto(server + '/ui/');
  await page.getByLabel('Operator’s key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Sections' }).waitFor();
}

export const settled = async (page) => {
  await page.waitForFunction(() => document.querySelector('main')?.childElementCount && !document.querySelector('[aria-busy=true]'));
};

/** What was copied: the clipboard is written a moment after the click. */
export async function copied(page, pattern) {
  await page.waitForFunction(async ([source, flags]) => new RegExp(source, flags).test(await navigator.clipboard.readText().catch(() => '')), [pattern.source, pattern.flags]);
}

/** Presses keys until they have done what they should: a page listens to keys a moment after it is seen, and two keys of one
 * order belong together for less than a second. What is pressed twice must do no harm. */
export async function pressUntil(page, keys, done) {
  for (let turn = 0; ; turn++) {
    for (const k of keys) await page.keyboard.press(k);
    try { return await done(); } catch (error) { if (turn === 19) throw error; }
  }
}

/** Goes to an element with Tab alone, as long as that takes; the element may come later. */
export async function tabTo(page, element, most = 150) {
  await element.waitFor();
  for (let i = 0; i < most; i++) {
    if (await element.evaluate((e) => e === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`cannot be reached with Tab: ${element}`);
}
