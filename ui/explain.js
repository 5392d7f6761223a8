/* Why does the signature of a request not verify? The reader pastes the request; the server judges it as the receiver should. */
import { html, plain, useState, w } from './base.js';
import { call } from './api.js';
import { Failed, Icon } from './parts.js';

/** A request as it stands in a log, a proxy's inspector or the output of `curl -v`: lines of headers, an empty line, the body. A first line
 * that is no header, and the marks `> ` of curl, are passed over. Names that came several times become arrays.
 * @param {string} text @returns {{headers: Record<string, string|string[]>, body: string}} */
export function requestOf(text) {
  const headers = /** @type {Record<string, string|string[]>} */ ({});
  let rest = text.replace(/^\s*\n/, ''), marked = /^> /.test(rest);
  for (;;) {
    const end = rest.indexOf('\n'), line = (end < 0 ? rest : rest.slice(0, end)).replace(/\r$/, '').replace(marked ? /^> ?/ : /^$/, '');
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/.exec(line);
    if (!field && !/^[A-Z]+ \S+( HTTP\/[0-9.]+)?$/.test(line) && line !== '') return { headers, body: rest };
    rest = end < 0 ? '' : rest.slice(end + 1);
    if (line === '') return { headers, body: rest };
    if (field) {
      const name = field[1].toLowerCase(), had = headers[name];
      headers[name] = had === undefined ? field[2] : [.../** @type {string[]} */ ([]).concat(had), field[2]];
    }
    if (!rest) return { headers, body: '' };
  }
}

const sentence = (/** @type {string} */ text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.?!]$/.test(text) ? '' : '.');

const Verdict = ({ said }) => html`<div role="status"><p class=${said.verified ? 'good' : 'bad'}><b>${said.verified ? w('This request verifies.') : w('This request is refused: {0}', plain(said.detail))}</b></p>
  <ol class="explained">${said.steps.map((s) => html`<li><span class=${'st ' + (s.ok ? 'st-ok' : 'st-x')}><${Icon} n=${s.ok ? 'ok' : 'x'} />${s.ok ? w('right') : w('wrong')}</span> <b class="any">${plain(s.name)}</b> <span class="any dim">${plain(s.value)}</span></li>`)}</ol>
  ${said.findings.map((f) => html`<p class="any">${sentence(plain(f))}</p>`)}</div>`;

export const Explain = ({ id, tenant }) => {
  const [text, setText] = useState(''), [secret, setSecret] = useState(''), [at, setAt] = useState(''), [said, setSaid] = useState(/** @type {any} */ (null)), [problem, setProblem] = useState(/** @type {any} */ (null)), [busy, setBusy] = useState(false);
  const submit = async (/** @type {Event} */ e) => {
    e.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const when = at ? { received_at: new Date(at).toISOString() } : {};
      setSaid((await call('POST', `/v1/webhooks/${encodeURIComponent(id)}/explain`, { tenant, body: { ...requestOf(text), ...(secret ? { secret } : {}), ...when } })).data);
    } catch (error) { setSaid(null); setProblem(error); }
    setBusy(false);
  };
  return html`<section class="panel sec" aria-labelledby="h-ex"><div class="ph"><h2 id="h-ex">${w('Why does a signature not verify?')}</h2></div><form class="pb" onSubmit=${submit}>
    <p class="dim">${w('Paste a request as your server got it: headers, an empty line, and the body byte for byte. It is judged on this server and not kept.')}</p>
    <div class="field"><label class="lab" for="ex-r">${w('Request')}</label><textarea id="ex-r" class="mono" rows="8" required spellcheck="false" value=${text} onInput=${(e) => setText(e.target.value)}></textarea></div>
    <div class="pick"><div class="field"><label class="lab" for="ex-s">${w('Secret of your receiver')}</label><input id="ex-s" type="password" autocomplete="off" value=${secret} onInput=${(e) => setSecret(e.target.value)} aria-describedby="ex-sh" /><p class="hint" id="ex-sh">${w('Goes to this server for this one answer, and is not kept. Left empty, the stored secret is used, and you do not see it.')}</p></div>
    <div class="field"><label class="lab" for="ex-t">${w('When it arrived')}</label><input id="ex-t" type="datetime-local" step="1" value=${at} onInput=${(e) => setAt(e.target.value)} /><p class="hint">${w('Left empty: now.')}</p></div></div>
    <p class="acts"><button class="btn go" type="submit" disabled=${busy}>${w('Explain')}</button></p>
    ${problem && html`<${Failed} error=${problem} again=${() => setProblem(null)} />`}${said && html`<${Verdict} said=${said} />`}</form></section>`;
};
