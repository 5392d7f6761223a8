/* Making and changing an endpoint. What the API says against a value stands at its field; while one types, the API is asked with
 * dry_run whether it would take it. */
import { html, plain, useEffect, useMemo, useState } from '../base.js';
import { Problem, call, query, useLoad } from '../api.js';
import { CopyButton, Crumbs, Failed, Faults, Field, Icon, Id, Note, Req, Url, faultOf, toast } from '../parts.js';
import { go, to } from '../route.js';
import { Authentication, OwnTls, Picker, authPatch, tlsPatch, linesOf, objectOf, patchOf } from '../endpoint-parts.js';
import { VerifyCode } from '../verify.js';

const fields = ['url', 'events', 'description', 'headers', 'metadata', 'timeout_seconds', 'max_in_flight', 'rate_limit_per_second', 'signature_variant', 'secret', 'options', 'filter', 'retry', 'reenable', 'channels', 'ordering', 'authentication', 'tls', 'source_address', 'trace_context'];

/** What the form says of the schedule: only the members that are set. Numbers are seconds; 5m, 2h are taken as they are. */
function scheduleOf(form, number) {
  const words = (t) => t.split(/[\s,]+/).filter(Boolean), out = {};
  if (form.delaysSet) out.delays = words(form.delays).map((t) => (/^\d+$/.test(t) ? Number(t) : t));
  if (form.jitter.trim()) out.jitter_percent = number(form.jitter);
  if (form.finalSet) out.final = words(form.final);
  if (form.respect) out.respect_retry_after = form.respect === 'true';
  return out;
}

const Made = ({ w, tenant, dialect }) => {
  const [stored, setStored] = useState(false);
  const href = to('endpoints/' + encodeURIComponent(w.id), { tenant });
  return html`<${Crumbs} items=${[{ text: 'Endpoints', href: to('endpoints', { tenant: null }) }, { text: tenant }, { text: html`<${Id} id=${w.id} />` }]} />
    <div class="head"><div><h1 class="lede"><b>Created.</b> ${w.secret ? html`Store the secret now: <b>this page shows it once.</b>` : 'This dialect does not show its secret.'}</h1><${Url} url=${w.url} /></div></div>
    <div class="cols"><div>${w.secret && html`<section class="secretbox" aria-labelledby="ss"><div class="sec-h"><h2 id="ss">Signing secret</h2><span class="dim small">The receiver needs it to verify</span></div><div class="copyline"><code>${w.secret}</code><${CopyButton} text=${w.secret} small=${false} /></div>
      <p class="hint">Send it over a channel you trust, never by mail. If it is lost, rotate it. ${dialect?.secret?.readable === 'always' ? 'In this dialect an admin can show it again.' : ''}</p><label class="tick"><input type="checkbox" checked=${stored} onChange=${(e) => setStored(e.target.checked)} /><span>I have stored it</span></label></section>`}
      <div class="sec"><${VerifyCode} dialect=${dialect} url=${w.url} variant=${w.signature_variant} language="" /></div></div>
    <aside class="panel"><div class="ph"><h2>Next</h2></div><div class="pb"><p>Send a test, and watch the first deliveries.</p><p class="acts"><a class=${'btn' + (stored || !w.secret ? ' go' : '')} href=${href}>Go to the endpoint</a></p></div></aside></div>`;
};

export default function EndpointEdit({ route, tenant: chosen, tenants, setOwner, setTitle }) {
  const id = route.parts[1] === 'new' ? null : route.parts[1], asked = route.query.get('tenant') ?? undefined;
  const [made, setMade] = useState(null), [problem, setProblem] = useState(/** @type {Problem|null} */ (null)), [busy, setBusy] = useState(false), [checked, setChecked] = useState(null);
  const [form, setForm] = useState(/** @type {any} */ (null));
  const page = useLoad((id ?? 'new') + chosen, async (signal) => {
    const answer = id ? await call('GET', '/v1/webhooks/' + encodeURIComponent(id), { tenant: asked, signal }) : null, tenant = answer?.tenant ?? chosen;
    const owner = (await call('GET', '/v1/tenants/' + encodeURIComponent(tenant), { signal })).data;
    const dialect = (await call('GET', '/v1/dialects/' + encodeURIComponent(owner.dialect), { signal })).data;
    const sources = (await call('GET', '/v1/source-addresses', { signal })).data;
    const w = answer?.data;
    setForm({ url: w?.url ?? '', description: w?.description ?? '', events: w?.events ?? [], headers: linesOf(w?.headers), metadata: linesOf(w?.metadata), timeout: w ? String(w.timeout_seconds) : '', flight: w ? String(w.max_in_flight) : '', rate: w?.rate_limit_per_second ? String(w.rate_limit_per_second) : '', variant: w?.signature_variant ?? '', source: w?.source_address ?? '', trace: w?.trace_context ?? '', secret: '', filter: w?.filter ?? '', channels: (w?.channels ?? []).join(', '), auth: w?.authentication ?? {}, tls: w?.tls ?? {}, order: w?.ordering ? w.ordering.key ?? 'all' : '', wait: w?.ordering?.max_wait ?? '', batch: w?.ordering?.batch ? String(w.ordering.batch) : '', delays: (w?.retry?.delays ?? []).join(', '), delaysSet: !!w?.retry?.delays, jitter: String(w?.retry?.jitter_percent ?? ''), final: (w?.retry?.final ?? []).join(', '), finalSet: !!w?.retry?.final, reenable: w?.reenable ?? '', respect: w?.retry?.respect_retry_after === undefined ? '' : String(w.retry.respect_retry_after), options: w?.options ?? {}, secretUrl: w?.url_secret ?? null });
    return { w, etag: answer?.etag ?? null, tenant, dialect, sources };
  });
  useEffect(() => { setTitle(id ? 'Edit endpoint' : 'New endpoint'); if (page.data && id) setOwner(page.data.tenant); }, [page.data]);
  const { w, tenant, dialect, sources } = page.data ?? {};
  const body = useMemo(/** @type {() => any} */ (() => {
    if (!form || !page.data) return null;
    const n = (t) => (t.trim() === '' ? null : Number.isNaN(Number(t)) ? t : Number(t));
    const channels = form.channels.split(/[\s,]+/).filter(Boolean), order = form.order.trim();
    const ordering = order ? { key: order === 'all' ? null : order, max_wait: form.wait.trim() || null, ...(form.batch.trim() || w?.ordering?.batch ? { batch: n(form.batch) } : {}) } : null;
    const retry = scheduleOf(form, n), retryPatch = patchOf(w?.retry, retry);
    const headers = objectOf(form.headers, w?.headers, false), metadata = objectOf(form.metadata, w?.metadata, true);
    if (!w) {
      const b = { url: form.url.trim(), events: form.events };
      for (const [k, v] of Object.entries({ description: form.description || null, timeout_seconds: n(form.timeout), max_in_flight: n(form.flight), rate_limit_per_second: n(form.rate), signature_variant: form.variant || null, secret: form.secret || null, filter: form.filter.trim() || null, source_address: form.source || null, trace_context: form.trace || null, channels: channels.length ? channels : null, reenable: form.reenable || null, ordering })) if (v !== null) b[k] = v;
      if (Object.keys(headers).length) b.headers = headers;
      if (form.auth.type) b.authentication = authPatch(null, form.auth);
      if (tlsPatch(null, form.tls)) b.tls = tlsPatch(null, form.tls);
      if (Object.keys(metadata).length) b.metadata = metadata;
      if (Object.keys(form.options).length) b.options = form.options;
      if (Object.keys(retry).length) b.retry = retry;
      return b;
    }
    const now = { url: form.url.trim(), events: form.events, description: form.description || null, timeout_seconds: n(form.timeout), max_in_flight: n(form.flight), rate_limit_per_second: n(form.rate), signature_variant: form.variant || null, filter: form.filter.trim() || null, reenable: form.reenable || null, source_address: form.source || null, trace_context: form.trace || null, channels, ordering };
    const b = {};
    for (const [k, v] of Object.entries(now)) if (JSON.stringify(v) !== JSON.stringify(w[k] ?? null) && !(v === null && k !== 'rate_limit_per_second' && w[k] === undefined) && !(k === 'channels' && !channels.length && !w.channels?.length)) b[k] = v;
    const auth = authPatch(w.authentication, form.auth);
    if (auth !== undefined) b.authentication = auth;
    const tls = tlsPatch(w.tls, form.tls);
    if (tls) b.tls = tls;
    const parts = { headers: patchOf(w.headers, headers), metadata: patchOf(w.metadata, metadata), options: patchOf(w.options, form.options), retry: retryPatch };
    for (const [k, v] of Object.entries(parts)) if (Object.keys(v).length) b[k] = v;
    return b;
  }), [form, page.data]);
  const send = (dry) => (w ? call('PATCH', `/v1/webhooks/${encodeURIComponent(id)}${query({ dry_run: dry })}`, { tenant, body, headers: page.data?.etag ? { 'If-Match': page.data.etag } : {} }) : call('POST', '/v1/webhooks' + query({ dry_run: dry }), { tenant, body }));
  const text = JSON.stringify(body);
  useEffect(() => {
    if (!body || !form.url || !Object.keys(body).length) { setChecked(null); return undefined; }
    const t = setTimeout(() => { send(true).then((a) => { setChecked({ ok: true, told: a.told }); setProblem(null); }, (e) => { if (e instanceof Problem) setChecked({ ok: false, problem: e, told: e.told }); }); }, 500);
    return () => clearTimeout(t);
  }, [text]);
  if (page.error) return html`<${Failed} error=${page.error} again=${page.reload} what="This form" />`;
  if (!page.data || !form) return null;
  if (made) return html`<${Made} w=${made} tenant=${tenant} dialect=${dialect} />`;
  const set = (name) => (e) => setForm({ ...form, [name]: e?.target ? e.target.value : e });
  const p = problem ?? (checked && !checked.ok ? checked.problem : null), fault = (f) => faultOf(p, f), wrong = (f) => (fault(f) ? 'true' : null), by = (i, f) => (fault(f) ? `${i}-f` : null);
  const submit = async (e) => {
    e.preventDefault();
    setBusy(true);
    try {
      const { data } = await send(false);
      if (w) { toast('Saved. Requests from now on go out under the new settings.'); go(to('endpoints/' + encodeURIComponent(id), { tenant })); } else { setMade(data); scrollTo(0, 0); }
    } catch (error) { setProblem(error); setBusy(false); scrollTo(0, 0); }
  };
  const variants = Object.keys(dialect.signatures?.[0]?.variants ?? {}), first = dialect.signatures?.[0]?.variant, options = Object.entries(dialect.endpoint?.options ?? {});
  const limits = dialect.timeout ?? {}, names = sources.sources ?? [];
  return html`<${Crumbs} items=${[{ text: 'Endpoints', href: to('endpoints', { tenant: null }) }, { text: tenant }, { text: id ? html`<${Id} id=${id} href=${to('endpoints/' + encodeURIComponent(id), { tenant })} />` : 'New' }]} />
    <div class="head"><div><h1>${w ? 'Edit endpoint' : 'New endpoint'}</h1><p class="dim">${w ? 'Changes hold for requests that go out after they are saved.' : 'Only the URL is required. Everything else has a default that works.'}</p></div></div>
    ${problem?.status === 412 ? html`<${Note} tone="warn" title="Somebody changed this endpoint while you edited">Your text is still here. <button class="btn sm" type="button" onClick=${() => { setProblem(null); page.reload(); }}>Load what it is now</button></${Note}>` : html`<${Faults} problem=${problem} fields=${fields} />`}
    <form class="cols" onSubmit=${submit}><div class="panel"><div class="pb">
      <${Field} id="url" label="URL" fault=${fault('url')}><input id="url" class="mono" type="url" required value=${form.url} aria-invalid=${wrong('url')} aria-describedby=${by('url', 'url')} placeholder="https://example.com/webhooks" onInput=${set('url')} /></${Field}>
      <div class="pick">${!w && html`<${Field} id="tenant" label="Tenant"><select id="tenant" value=${tenant} onChange=${(e) => go(to('endpoints/new', { tenant: e.target.value }), true)}>${tenants.map((t) => html`<option value=${t.id}>${plain(t.name || t.id)}${t.name && t.name !== t.id ? ` · ${t.id}` : ''}</option>`)}</select></${Field}>`}
      <${Field} id="desc" label="Description" small="never sent" fault=${fault('description')}><input id="desc" type="text" value=${form.description} onInput=${set('description')} /></${Field}></div>
      <${Picker} dialect=${dialect} tenant=${tenant} chosen=${form.events} onChange=${set('events')} fault=${fault('events')} />
      <${Field} id="fi" label="Filter" small="JSONPath; empty: all events of these types" hint="For example $[?@.data.amount >= 100]" fault=${fault('filter')}><textarea id="fi" rows="2" spellcheck="false" aria-invalid=${wrong('filter')} value=${form.filter} onInput=${set('filter')}></textarea></${Field}>
      <details open=${!!(w || fault('headers') || fault('metadata'))}><summary>Headers, metadata, limits, signature</summary><div class="sec">
        <div class="pick"><${Field} id="hd" label="Headers" small="Name: value, one a line" hint=${w ? '*** stays as it is' : 'Sent with each request. Values are kept encrypted.'} fault=${fault('headers')}><textarea id="hd" rows="3" spellcheck="false" value=${form.headers} onInput=${set('headers')}></textarea></${Field}>
        <${Field} id="md" label="Metadata" small="name: value; never sent" fault=${fault('metadata')}><textarea id="md" rows="3" spellcheck="false" value=${form.metadata} onInput=${set('metadata')}></textarea></${Field}>
        <${Authentication} value=${form.auth} onChange=${set('auth')} fault=${fault('authentication')} />
        <${OwnTls} value=${form.tls} onChange=${set('tls')} fault=${fault('tls')} />
        <${Field} id="ch" label="Channels" small="with commas; empty: all" fault=${fault('channels')}><input id="ch" class="mono" value=${form.channels} onInput=${set('channels')} /></${Field}>
        <${Field} id="or" label="Order by" small="JSONPath; all: one line; empty: no order" hint="For example $.data.order_id: deliveries with one value go one after the other" fault=${fault('ordering')}><input id="or" class="mono" spellcheck="false" aria-invalid=${wrong('ordering')} value=${form.order} onInput=${set('order')} /></${Field}>
        <${Field} id="ow" label="A failing one holds up the next for" small="such as 1h; empty: until it has ended"><input id="ow" value=${form.wait} onInput=${set('wait')} /></${Field}>
        <${Field} id="ob" label="Deliveries of one key in one request" small="2 to 100: as a list; empty: each alone"><input id="ob" type="number" min="1" max="100" value=${form.batch} onInput=${set('batch')} /></${Field}>
        <${Field} id="to" label="Time-out in seconds" small=${`${limits.min ?? 1} to ${limits.max ?? 30}; empty: ${limits.total ?? ''}`} fault=${fault('timeout_seconds')}><input id="to" type="number" step="any" value=${form.timeout} onInput=${set('timeout')} /></${Field}>
        <${Field} id="fl" label="Requests at the same time" small="empty: 16" fault=${fault('max_in_flight')}><input id="fl" type="number" min="1" value=${form.flight} onInput=${set('flight')} /></${Field}>
        <${Field} id="rt" label="Requests a second at most" small="empty: no limit" fault=${fault('rate_limit_per_second')}><input id="rt" type="number" step="any" min="0" value=${form.rate} onInput=${set('rate')} /></${Field}>
        ${variants.length > 0 && html`<${Field} id="sv" label="Signature" fault=${fault('signature_variant')}><select id="sv" value=${form.variant} onChange=${set('variant')}>${first ? html`<option value=${w ? first : ''}>${first}, the dialect’s</option>` : html`<option value="">the dialect’s</option>`}${variants.map((v) => html`<option value=${v}>${v}</option>`)}</select></${Field}>`}
        ${!w && dialect.secret?.source !== 'generated' && html`<${Field} id="sc" label="Secret" small="empty: one is made" fault=${fault('secret')}><input id="sc" class="mono" type="text" autocomplete="off" value=${form.secret} onInput=${set('secret')} /></${Field}>`}</div>
        <div class="pick">${(names.length > 0 || form.source) && html`<${Field} id="sa" label="Source address" small="from where its requests come" fault=${fault('source_address')}><select id="sa" value=${form.source} onChange=${set('source')}><option value="">any</option>${names.map((s) => html`<option value=${s.name}>${s.name} · ${s.address}</option>`)}${form.source && !names.some((s) => s.name === form.source) && html`<option value=${form.source}>${form.source}, which is not offered any more</option>`}</select></${Field}>`}
        <${Field} id="tc" label="Traces" small="traceparent, tracestate" fault=${fault('trace_context')}><select id="tc" value=${form.trace} onChange=${set('trace')}><option value="">as the installation says</option><option value="on">its requests carry them</option><option value="off">its requests do not carry them</option></select></${Field}>
        <${Field} id="re" label="When failures have disabled it" fault=${fault('reenable')}><select id="re" value=${form.reenable} onChange=${set('reenable')}><option value="">somebody enables it</option><option value="on_test">a test that succeeds enables it</option></select></${Field}></div>
        ${dialect.retry?.own?.max_delays > 0 && html`<fieldset class="field"><legend class="lab">Schedule <small>after a failed attempt; the dialect’s: ${(dialect.retry.delays ?? []).join(', ') || 'one attempt'}</small></legend>
          <label class="tick"><input type="checkbox" checked=${form.delaysSet} onChange=${(e) => setForm({ ...form, delaysSet: e.target.checked })} /><span>Its own delays</span></label>
          ${form.delaysSet && html`<${Field} id="dl" label="Delays" small="seconds, or 5m, 2h, 1d; empty: one attempt" fault=${fault('retry')}><input id="dl" class="mono" value=${form.delays} onInput=${set('delays')} /></${Field}>`}
          <label class="tick"><input type="checkbox" checked=${form.finalSet} onChange=${(e) => setForm({ ...form, finalSet: e.target.checked })} /><span>Its own statuses that are not tried again</span></label>
          ${form.finalSet && html`<${Field} id="fs" label="Statuses" small="404, 4xx, 400-499; empty: none"><input id="fs" class="mono" value=${form.final} onInput=${set('final')} /></${Field}>`}
          <div class="pick"><${Field} id="ji" label="Jitter in percent" small=${`empty: ${dialect.retry.jitter_percent}`}><input id="ji" type="number" min="0" max="100" value=${form.jitter} onInput=${set('jitter')} /></${Field}>
          <${Field} id="ra" label="Retry-After"><select id="ra" value=${form.respect} onChange=${set('respect')}><option value="">the dialect’s</option><option value="true">is honoured</option><option value="false">is not honoured</option></select></${Field}></div></fieldset>`}
        ${options.length > 0 && html`<fieldset class="field"><legend class="lab">Options of the dialect</legend>${options.map(([name, usual]) => html`<label class="tick"><input type="checkbox" checked=${form.options[name] ?? usual === true} onChange=${(e) => setForm({ ...form, options: { ...form.options, [name]: e.target.checked } })} /><span><code>${name}</code></span></label>`)}</fieldset>`}</div></details>
      <div class="acts sec"><button class="btn go" type="submit" disabled=${busy || (w && !Object.keys(body).length)}>${w ? 'Save' : 'Create endpoint'}</button><a class="btn" href=${id ? to('endpoints/' + encodeURIComponent(id), { tenant }) : to('endpoints')}>Cancel</a><span class="dim small">${w ? (Object.keys(body).length ? 'Changed; not saved' : 'Nothing changed') : dialect.secret?.readable === 'never' ? '' : 'The secret is shown on the next page'}</span></div></div></div>
    <aside class="panel" aria-labelledby="ck"><div class="ph"><h2 id="ck">Would it be taken?</h2></div><div class="pb" role="status">${!checked ? html`<p class="dim small">Checked while you type; nothing is stored or sent.</p>`
      : checked.ok ? html`<ul class="checks"><li class="good"><${Icon} n="ok" /><div><b>Yes</b><span class="sub">The name is looked up, and its addresses are judged, at each attempt. Send a test after ${w ? 'saving' : 'creating'}.</span></div></li></ul>`
      : html`<ul class="checks">${(checked.problem.errors.length ? checked.problem.errors : [{ pointer: '', detail: checked.problem.message }]).map((x) => html`<li class="bad"><${Icon} n="x" /><div><b>${plain(x.pointer?.slice(1) || 'No')}</b><span class="sub">${plain(x.detail)}</span></div></li>`)}</ul>`}
      ${sources.prefixes.length > 0 && html`<p class="hint">The receiver’s firewall must let in ${sources.prefixes.map((s) => html`<code>${s}</code> `)}</p>`}</div></aside></form>
    <${Req} told=${checked?.told} />`;
}
