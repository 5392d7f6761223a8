import { html, useEffect } from '../base.js';
import { to } from '../route.js';

export default function Missing({ setTitle }) {
  useEffect(() => setTitle('Not found'), []);
  return html`<div class="mid"><h1>There is no such page</h1><p class="dim">The address may be of another version. <a class="inline" href=${to('')}>Go to the overview</a>, or search for the id.</p></div>`;
}
