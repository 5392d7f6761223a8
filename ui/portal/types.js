/* The catalogue of event types, for those who write receivers: what each says, an example, its schema, and its versions. */
import { html, plain, useEffect } from '../base.js';
import { useLoad } from '../api.js';
import { Failed } from '../parts.js';
import { catalogueOf } from '../endpoint-parts.js';
import { t } from './texts.js';

const Json = ({ title, value }) => html`<details><summary>${title}</summary><pre class="code" tabindex="0">${JSON.stringify(value, null, 2)}</pre></details>`;

const Type = ({ of }) => html`<section class="panel" aria-label=${of.type}><div class="ph"><h2 class="type">${plain(of.type)}</h2>${of.deprecated && html`<span class="chip">${t('deprecated')}</span>`}</div><div class="pb">
  ${of.description && html`<p>${plain(of.description)}</p>`}
  ${of.versions?.length > 1 && html`<p class="dim small">${t('versions')}: ${of.versions.map((v) => v.version + (v.sunset ? ` (${t('ends', { at: v.sunset.slice(0, 10) })})` : '')).join(', ')}</p>`}
  ${of.example !== undefined && html`<${Json} title=${t('example')} value=${of.example} />`}
  ${of.schema !== undefined && html`<${Json} title=${t('schema')} value=${of.schema} />`}</div></section>`;

export default function Types({ setTitle }) {
  useEffect(() => setTitle(t('types')), []);
  const page = useLoad('types', (signal) => catalogueOf('', signal));
  if (page.error && !page.data) return html`<${Failed} error=${page.error} again=${page.reload} what=${t('types')} />`;
  if (!page.data) return null;
  return html`<div class="head"><div><h1>${t('types')}</h1><p class="dim">${t('types_lede')}</p></div></div>
    ${page.data.map((of) => html`<${Type} of=${of} />`)}${!page.data.length && html`<p class="dim">${t('no_types')}</p>`}`;
}
