/* A place that does not exist. */
import { html, useEffect } from '../base.js';
import { to } from '../route.js';
import { t } from './texts.js';

export default function Missing({ setTitle }) {
  useEffect(() => setTitle(t('missing')), []);
  return html`<div class="mid"><h1>${t('missing')}</h1><p class="acts sec"><a class="btn" href=${to('')}>${t('endpoints')}</a></p></div>`;
}
