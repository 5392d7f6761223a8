/* How a request is signed, in words, out of what the dialect says and what was sent. The secret is not needed for this, and is
 * never in it. */

export const secretHint = 'The secret itself is not shown here. Whoever has it can repeat these steps; the code for it is on the page of the endpoint, under “Verify”.';

const field = (headers, name) => Object.entries(headers).find(([k]) => k.toLowerCase() === name.toLowerCase())?.[1];
const names = { 'hmac-sha256': 'HMAC with SHA-256', 'hmac-sha1': 'HMAC with SHA-1', 'hmac-sha512': 'HMAC with SHA-512', ed25519: 'Ed25519' };

/** The header whose value is just this field of the dialect, such as {ts}: where a receiver finds it. */
export function headerOf(dialect, what) {
  return (dialect.request?.headers ?? []).find((h) => h.value === `{${what}}`)?.name ?? null;
}

/** The signature that a request carries: the first rule whose header was sent. */
export function ruleOf(dialect, headers) {
  for (const s of dialect.signatures ?? []) {
    const variants = [s, ...Object.values(s.variants ?? {}).map((v) => ({ ...s, ...v }))];
    const sent = field(headers, s.header ?? '');
    if (!sent) continue;
    const prefix = (r) => String(r.item ?? '').split('{sig}')[0];
    return variants.filter((r) => field(headers, r.header ?? s.header)?.includes(prefix(r))).sort((a, b) => prefix(b).length - prefix(a).length)[0] ?? s;
  }
  return null;
}

export function explainSignature(dialect, request, attempt) {
  const rule = ruleOf(dialect, request.headers);
  if (!rule) return null;
  const steps = [], content = String(rule.content ?? '{body}');
  const values = { '{body}': request.body ?? '(the body, byte for byte)' };
  for (const found of content.match(/\{[^{}]+\}/g) ?? []) {
    const header = headerOf(dialect, found.slice(1, -1));
    if (header) values[found] = field(request.headers, header) ?? found;
  }
  const parts = (content.match(/\{[^{}]+\}/g) ?? []).map((p) => {
    const header = headerOf(dialect, p.slice(1, -1));
    return p === '{body}' ? 'the body byte for byte' : header ? `the header ${header}` : p;
  });
  const shown = content.replace(/\{[^{}]+\}/g, (p) => values[p] ?? p);
  steps.push({ title: 'The text that is signed', text: `It is made of ${parts.join(', then ') || 'nothing else'}${content.includes('.') && parts.length > 1 ? ', with full stops between' : ''}. A receiver takes the body as it came, before any JSON reader has touched it.`, code: shown.length > 4000 ? shown.slice(0, 4000) + '…' : shown });
  steps.push({ title: `${names[rule.algorithm] ?? rule.algorithm} of it`, text: rule.algorithm === 'ed25519' ? 'Signed with the endpoint’s private key; a receiver verifies with the public one.' : `Keyed with the endpoint’s secret${rule.key === 'whsec' ? ': the bytes that stand behind whsec_ in Base64' : rule.key === 'utf8' ? ': its text as it is' : ''}. While two secrets are active there is one result for each.` });
  steps.push({ title: `Written in ${rule.encoding === 'hex' ? 'hex' : 'Base64'} into ${rule.header}`, text: `In the form ${rule.item ?? '{sig}'}. A receiver compares in constant time${headerOf(dialect, 'ts') ? `, and refuses when ${headerOf(dialect, 'ts')} is far from its own clock` : ''}.`, code: field(request.headers, rule.header) });
  return steps;
}
