/* Adding and changing an endpoint. */
import { html, plain, useEffect, useState } from '../base.js';
import { call, can, session, useLoad } from '../api.js';
import { CopyButton, Crumbs, Failed, Faults, Field, Note, Url, faultOf, toast } from '../parts.js';
import { go, to } from '../route.js';
import { Authentication, OwnTls, Picker, authPatch, tlsPatch, linesOf, objectOf, patchOf } from '../endpoint-parts.js';
import { VerifyCode } from '../verify.js';
import { t } from './texts.js';

const fields = ['url', 'events', 'description', 'headers', 'filter', 'authentication', 'tls'];
const formOf = (w) => ({ url: w?.url ?? '', description: w?.description ?? '', events: w?.events ?? [], headers: linesOf(w?.headers), filter: w?.filter ?? '', auth: w?.authentication ?? {}, tls: w?.tls ?? {} });

function bodyOf(w, f) {
  const headers = objectOf(f.headers, w?.headers, false);
  if (!w) return { url: f.url.trim(), ...(f.description ? { description: f.description } : {}), ...(f.events.length ? { events: f.events } : {}), ...(Object.keys(headers).length ? { headers } : {}), ...(f.filter.trim() ? { filter: f.filter.trim() } : {}), ...(f.auth.type ? { authentication: authPatch(null, f.auth) } : {}), ...(tlsPatch(null, f.tls) ? { tls: tlsPatch(null, f.tls) } : {}) };
  const auth = authPatch(w.authentication, f.auth);
  const out = auth === undefined ? {} : { authentication: auth }, changed = patchOf(w.headers, headers), tls = tlsPatch(w.tls, f.tls);
  if (tls) out.tls = tls;
  if (f.url.trim() !== w.url) out.url = f.url.trim();
  if (f.description !== (w.description ?? '')) out.description = f.description || null;
  if (JSON.stringify(f.events) !== JSON.stringify(w.events ?? [])) out.events = f.events.length ? f.events : null;
  if (Object.keys(changed).length) out.headers = changed;
  if (f.filter.trim() !== (w.filter ?? '')) out.filter = f.filter.trim() || null;
  return out;
}

const Made = ({ w, dialect }) => html`<div class="head"><div><h1>${t('created')}</h1><${Url} url=${w.url} /></div><div class="acts"><a class="btn go" href=${to('endpoints/' + encodeURIComponent(w.id))}>${t('to_endpoint')}</a></div></div>
  ${w.secret && html`<section class="secretbox" aria-labelledby="ss"><div class="sec-h"><h2 id="ss">${t('secret')}</h2><span class="dim small">${t('secret_why')}</span></div><div class="copyline"><code>${w.secret}</code><${CopyButton} text=${w.secret} small=${false} /></div><p class="hint">${t('secret_store')}</p></section>`}
  <div class="sec"><${VerifyCode} dialect=${dialect} url=${w.url} variant=${w.signature_variant} language="" /></div>`;

export default function Edit({ route, setTitle }) {
  const id = route.parts[1] === 'new' ? null : route.parts[1];
  const [form, setForm] = useState(id ? null : formOf(null)), [problem, setProblem] = useState(null), [busy, setBusy] = useState(false), [made, setMade] = useState(null);
  useEffect(() => setTitle(t(id ? 'edit_endpoint' : 'new_endpoint')), []);
  const page = useLoad('edit' + (id ?? ''), async (signal) => {
    const dialect = (await call('GET', '/v1/dialects/' + encodeURIComponent(session.now.dialect), { signal })).data;
    if (!id) return { w: null, etag: null, dialect };
    const answer = await call('GET', '/v1/webhooks/' + encodeURIComponent(id), { signal });
    setForm(formOf(answer.data));
    return { w: answer.data, etag: answer.etag, dialect };
  });
  if (!can('admin')) return html`<div class="mid"><h1>${t('may_look_only')}</h1></div>`;
  if (page.error && !page.data) return html`<${Failed} error=${page.error} again=${page.reload} what=${t('endpoint')} />`;
  if (!page.data || !form) return null;
  const { w, etag, dialect } = page.data;
  if (made) return html`<${Made} w=${made} dialect=${dialect} />`;
  const set = (name) => (e) => setForm({ ...form, [name]: e?.target ? e.target.value : e }), body = bodyOf(w, form), fault = (f) => faultOf(problem, f), wrong = (f) => (fault(f) ? 'true' : null);
  const submit = async (e) => {
    e.preventDefault();
    setBusy(true);
    try {
      const { data } = await call(w ? 'PATCH' : 'POST', '/v1/webhooks' + (w ? '/' + encodeURIComponent(id) : ''), { body, headers: etag ? { 'If-Match': etag } : {} });
      if (w) { toast(t('saved')); go(to('endpoints/' + encodeURIComponent(id))); } else { setMade(data); scrollTo(0, 0); }
    } catch (error) { setProblem(error); setBusy(false); }
  };
  return html`<${Crumbs} items=${[{ text: t('endpoints'), href: to('') }, { text: w ? html`<${Url} url=${w.url} />` : t('new_endpoint') }]} />
    <div class="head"><div><h1>${t(w ? 'edit_endpoint' : 'new_endpoint')}</h1><p class="dim">${t(w ? 'edit_lede' : 'new_lede')}</p></div></div>
    ${problem?.status === 412 ? html`<${Note} tone="warn" title=${t('changed_meanwhile')}><button class="btn sm" type="button" onClick=${() => { setProblem(null); setBusy(false); page.reload(); }}>${t('load_now')}</button></${Note}>` : html`<${Faults} problem=${problem} fields=${fields} />`}
    <form class="panel" onSubmit=${submit}><div class="pb">
      <${Field} id="url" label=${t('url')} fault=${fault('url')}><input id="url" class="mono" type="url" required value=${form.url} aria-invalid=${wrong('url')} aria-describedby=${fault('url') ? 'url-f' : null} placeholder="https://example.com/webhooks" onInput=${set('url')} /></${Field}>
      <${Field} id="desc" label=${t('description')} small=${t('never_sent')} fault=${fault('description')}><input id="desc" value=${form.description} onInput=${set('description')} /></${Field}>
      <${Picker} dialect=${dialect} chosen=${form.events} onChange=${set('events')} fault=${fault('events')} />
      <details open=${!!(form.headers || form.filter || form.auth.type || fault('authentication') || form.tls.ca || form.tls.certificate || fault('tls') || fault('headers') || fault('filter'))}><summary>${t('more_settings')}</summary><div class="sec">
        <${Field} id="hd" label=${t('headers')} small=${t('headers_how')} fault=${fault('headers')}><textarea id="hd" rows="3" spellcheck="false" value=${form.headers} onInput=${set('headers')}></textarea></${Field}>
        <${Field} id="fi" label=${t('filter')} small=${t('filter_how')} hint="$[?@.data.amount >= 100]" fault=${fault('filter')}><textarea id="fi" rows="2" spellcheck="false" aria-invalid=${wrong('filter')} value=${form.filter} onInput=${set('filter')}></textarea></${Field}>
        <${Authentication} value=${form.auth} onChange=${set('auth')} fault=${fault('authentication')} />
        <${OwnTls} value=${form.tls} onChange=${set('tls')} fault=${fault('tls')} /></div></details>
      <div class="acts sec"><button class="btn go" type="submit" disabled=${busy || (w && !Object.keys(body).length)}>${t(w ? 'save' : 'create')}</button><a class="btn" href=${id ? to('endpoints/' + encodeURIComponent(id)) : to('')}>${t('cancel')}</a></div></div></form>`;
}
