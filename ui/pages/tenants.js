/* All tenants, and making one. */
import { html, num, plain, useEffect, useState } from '../base.js';
import { call, can, useLoad } from '../api.js';
import { Bones, Dialog, Failed, Faults, Field, Icon, Req, Time, faultOf } from '../parts.js';
import { go, to } from '../route.js';

export const TenantForm = ({ tenant, dialects, fallback, onClose, onDone }) => {
  const [id, setId] = useState(tenant?.id ?? ''), [name, setName] = useState(tenant?.name ?? ''), [kept, setKept] = useState(tenant?.retention_seconds ? String(tenant.retention_seconds / 3600) : ''), [dialect, setDialect] = useState(tenant?.dialect ?? fallback ?? 'standard'), [attributes, setAttributes] = useState(JSON.stringify(tenant?.attributes ?? {}, null, 2)), [problem, setProblem] = useState(null), [bad, setBad] = useState('');
  const submit = async (e) => {
    e.preventDefault();
    let a;
    try { a = JSON.parse(attributes || '{}'); setBad(''); } catch (error) { setBad(`This is no JSON: ${error.message}`); return; }
    try {
      await call('PUT', '/v1/tenants/' + encodeURIComponent(id), { body: { ...(name ? { name } : {}), dialect, ...(kept !== (tenant?.retention_seconds ? String(tenant.retention_seconds / 3600) : '') ? { retention_seconds: kept.trim() ? Math.round(Number(kept) * 3600) : null } : {}), ...(JSON.stringify(a) !== JSON.stringify(tenant?.attributes ?? {}) ? { attributes: a } : {}) }, headers: tenant ? {} : { 'If-None-Match': '*' } });
      onDone(id);
    } catch (error) { setProblem(error); }
  };
  return html`<${Dialog} title=${tenant ? 'Edit tenant' : 'New tenant'} onClose=${onClose}><form onSubmit=${submit}><div class="db"><${Faults} problem=${problem} fields=${['name', 'dialect', 'attributes', 'retention_seconds']} />
    ${!tenant && html`<${Field} id="ti" label="Id" small="yours: letters, digits, _ and -"><input id="ti" class="mono" required pattern="[A-Za-z0-9_\\-]{1,128}" value=${id} onInput=${(e) => setId(e.target.value)} /></${Field}>`}
    <${Field} id="tn" label="Name" fault=${faultOf(problem, 'name')}><input id="tn" value=${name} onInput=${(e) => setName(e.target.value)} /></${Field}>
    <${Field} id="td" label="Dialect" hint="The form in which its endpoints get events" fault=${faultOf(problem, 'dialect')}><select id="td" value=${dialect} onChange=${(e) => setDialect(e.target.value)}>${dialects.map((d) => html`<option value=${d.name}>${d.name}${d.about ? `: ${plain(d.about)}` : ''}</option>`)}</select></${Field}>
    <${Field} id="tr" label="Events are kept, in hours" small="empty: as long as the installation keeps them" fault=${faultOf(problem, 'retention_seconds')}><input id="tr" type="number" min="1" step="any" value=${kept} onInput=${(e) => setKept(e.target.value)} /></${Field}>
    <${Field} id="ta" label="Attributes" small="JSON; values for envelope fields of the dialect" fault=${bad || faultOf(problem, 'attributes')}><textarea id="ta" rows="4" spellcheck="false" value=${attributes} onInput=${(e) => setAttributes(e.target.value)}></textarea></${Field}></div>
    <div class="df"><span></span><button class="btn" type="button" onClick=${onClose}>Cancel</button><button class="btn go" type="submit">${tenant ? 'Save' : 'Create tenant'}</button></div></form></${Dialog}>`;
};

export default function Tenants({ setTitle }) {
  useEffect(() => setTitle('Tenants'), []);
  const [open, setOpen] = useState(false);
  const page = useLoad('tenants', async (signal) => { const a = await call('GET', '/v1/tenants?limit=1000', { signal }), d = await call('GET', '/v1/dialects', { signal }); return { rows: a.data.data, next: a.next, told: a.told, dialects: d.data.data, fallback: d.data.default }; });
  const rows = page.data?.rows;
  return html`<div class="head"><div><h1>Tenants</h1><p class="dim">Your customers: each has a dialect, keys and endpoints of its own.</p></div><div class="acts">${can('admin') && html`<button class="btn go" type="button" onClick=${() => setOpen(true)}><${Icon} n="plus" />New tenant</button>`}</div></div>
    ${page.error ? html`<${Failed} error=${page.error} again=${page.reload} />` : !rows ? html`<${Bones} rows=${4} />` : html`<div class="tw"><table><caption class="sr">Tenants, newest first</caption><thead><tr><th scope="col">Tenant</th><th scope="col" class="c-s">Id</th><th scope="col">Dialect</th><th scope="col" class="num">Made</th></tr></thead>
      <tbody>${rows.map((t) => { const href = to('tenants/' + encodeURIComponent(t.id)); return html`<tr data-href=${href}><td class="any"><a href=${href}>${plain(t.name || t.id)}</a></td><td class="mono c-s any">${t.id}</td><td class="mono">${t.dialect}</td><td class="num"><${Time} at=${t.created_at} /></td></tr>`; })}</tbody></table>${page.data?.next && html`<div class="more">The newest ${num(rows.length)}. Search finds the others.</div>`}</div>`}
    <${Req} told=${page.data?.told} />
    ${open && html`<${TenantForm} dialects=${page.data?.dialects ?? []} fallback=${page.data?.fallback} onClose=${() => setOpen(false)} onDone=${(id) => go(to('tenants/' + encodeURIComponent(id)))} />`}`;
}
