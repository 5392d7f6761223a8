/* Signing in: a key is sent once and forgotten; the browser keeps a cookie that this page cannot read. */
import { html, useState } from '../base.js';
import { call } from '../api.js';
import { Note } from '../parts.js';

const open = async (/** @type {string} */ key) => (await call('POST', '/v1/sessions', { headers: { Authorization: 'Bearer ' + key } })).data;

/** Uses the token behind # of the address, and takes it out of the address and the history. null: there is none. */
export async function signInByLink() {
  const token = /^#link=([\w-]+)$/.exec(location.hash)?.[1];
  if (!token) return null;
  history.replaceState(null, '', location.pathname + location.search);
  try { return await open(token); } catch { /* perhaps the page was loaded again, and there is a session */ }
  try { return (await call('GET', '/v1/sessions/current')).data; } catch { throw new Error('link'); }
}

const reasons = {
  0: 'The server does not answer. Is it running, and does this address lead to it?',
  401: 'This key is unknown, or has ended. Ask whoever gave it to you for another one.',
  403: 'This is a tenant’s key. The dashboard is for operators: sign in with an operator’s key.',
  429: 'Too many wrong keys have come from your address. Wait a moment, then try again.',
};

export const SignIn = ({ why, onIn }) => {
  const [key, setKey] = useState(''), [error, setError] = useState(why), [busy, setBusy] = useState(false);
  const submit = async (e) => {
    e.preventDefault();
    setBusy(true);
    try { onIn(await open(key.trim())); } catch (problem) {
      setError(reasons[problem.status] ?? problem.message);
      setBusy(false);
    }
  };
  return html`<main class="page" id="main" tabindex="-1"><div class="solo"><form class="panel" onSubmit=${submit}>
    <p class="brand"><svg viewBox="0 0 20 20" aria-hidden="true"><path class="mt" d="M2 4h16" /><path class="mk" d="M12.5 4v8.4a4.4 4.4 0 0 1-8.8 0l0-1 2 1.7" /></svg>Tenterhook</p>
    <h1>Sign in</h1>
    ${error && html`<${Note} tone="bad">${error}</${Note}>`}
    <div class="field sec"><label class="lab" for="key">Operator’s key</label><input id="key" class="mono" type="password" autocomplete="current-password" required value=${key} onInput=${(e) => setKey(e.target.value)} aria-describedby="key-h" />
      <p class="hint" id="key-h">It is sent once and not kept in this browser. The session ends after a time without use, and when you sign out.</p></div>
    <p class="acts"><button class="btn go" type="submit" disabled=${busy}>Sign in</button></p></form>
    <details class="sec"><summary>No key?</summary><p class="dim small">The key of the configuration is in the server’s settings (<code>TENTERHOOK_ADMIN_KEY</code>), or was printed at its first start. An admin makes keys for others under Settings: <b>read-only</b> looks, <b>support</b> also sends again, <b>admin</b> also sees secrets and changes settings.</p></details></div></main>`;
};
