/* What the receiver of an endpoint needs: a program that verifies its requests. */
import { html, useState, w } from './base.js';
import { CopyButton } from './parts.js';
import { languages, program, schemeOf } from './verify-code.js';

export const VerifyCode = ({ dialect, url, variant, language, onLanguage }) => {
  const [own, setOwn] = useState(language || 'node'), chosen = onLanguage ? language || 'node' : own;
  if (!dialect) return null;
  const text = program(chosen, dialect, url, variant), scheme = schemeOf(dialect, url, variant);
  const choose = (l) => (onLanguage ? onLanguage(l === 'node' ? '' : l) : setOwn(l));
  return html`<section class="panel" aria-labelledby="vc"><div class="ph"><h2 id="vc">${w('Verify in the receiver')}</h2>${text && html`<${CopyButton} text=${text} />`}</div><div class="pb">
    <div class="tabs" role="tablist" aria-label=${w('Language')}>${languages.map(([l, name]) => html`<button type="button" role="tab" id=${'tab-' + l} aria-selected=${String(l === chosen)} aria-controls="code" tabindex=${l === chosen ? 0 : -1} onClick=${() => choose(l)}
      onKeyDown=${(e) => { const i = languages.findIndex(([x]) => x === chosen), to = e.key === 'ArrowRight' ? i + 1 : e.key === 'ArrowLeft' ? i - 1 : -1; if (languages[to]) { choose(languages[to][0]); document.getElementById('tab-' + languages[to][0])?.focus(); } }}>${name}</button>`)}</div>
    <div id="code" role="tabpanel" aria-labelledby=${'tab-' + chosen}>${text ? html`<pre tabindex="0" role="region" aria-label=${w('Program that verifies')}>${text}</pre>` : html`<p class="dim">${w('The signature of this dialect takes more than a short program here. The C library does every dialect; the vendor’s own library does this one.')}</p>`}
    <p class="hint">${w('The secret is in WEBHOOK_SECRET.')} ${scheme?.kind === 'token' ? w('This dialect sends the secret itself in a header: use https.') : scheme?.ts ? w('Requests that are older than five minutes are refused.') : w('This dialect signs no time: remember ids, so that a request that somebody sends again is not taken twice.')} ${w('An event can come twice; its id stays the same.')}</p></div></div></section>`;
};
