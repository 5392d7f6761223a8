/* What is wrong with an endpoint, in words for its owner. */
import { html, num, plain } from '../base.js';
import { Time, outcomeWord } from '../parts.js';
import { t } from './texts.js';

/** [what, since when and what happens]; null: nothing is wrong. */
export function trouble(/** @type {any} */ h) {
  const last = h.last_attempt, what = last?.status ? t('answers', { status: html`<b>${last.status}</b>` }) : last ? outcomeWord(last.outcome) : t('no_attempt');
  if (h.state === 'disabled') return [h.disabled?.reason === 'gone' ? t('said_gone') : html`${what}`, html`${t('switched_off', { at: html`<${Time} at=${h.disabled?.at} />` })}`];
  if (h.state === 'failing') return [html`${what}`, html`${h.failing_since ? t('fails_since', { at: html`<${Time} at=${h.failing_since} />` }) : ''} ${t('tried_again')}`];
  return null;
}
export const waiting = (/** @type {any} */ h) => (h.waiting ? t(h.held ? 'n_held' : 'n_wait', { n: num(h.waiting) + (h.more_in_store ? '+' : '') }) : '');
export const chosen = (/** @type {any} */ w) => (w?.events?.length ? w.events.map(plain).join(', ') : t('all_events'));
