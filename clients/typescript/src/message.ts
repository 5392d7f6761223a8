/** HTTP message signatures (RFC 9421) with Content-Digest (RFC 9530) for the body, by the rules of the C library.
 *
 * A request may carry several signatures, each under a label. One is judged when it has the scheme's tag (none: no tag) and algorithm, says when
 * it was made, and covers everything that the scheme says; of the scheme's headers those that the request has. Refused are what is no structured
 * field (RFC 9651), a label or a parameter twice, components with parameters, and values with line ends. */
import { createHash, createHmac, timingSafeEqual, verify as verifySignature, type KeyObject } from 'node:crypto';
import type { Form } from './scheme.js';

const SIGNATURES = 8, COVERED = 16, PARAMS = 2048;
const KEY = /[a-z*][a-z0-9_\-.*]*/y;
const STRING = /"((?:[ !#-[\]-~]|\\["\\])*)"/y;
const BYTES = /:([A-Za-z0-9+/=]*):/y;
const ITEM = /"(?:[ !#-[\]-~]|\\["\\])*"|:[A-Za-z0-9+/=]*:|\?[01]|(?:0|-?[1-9][0-9]{0,14})(?![0-9.])|[A-Za-z*][!#$%&'*+\-.^_`|~:/A-Za-z0-9]*/y;
const DECIMAL = /^(0|[1-9][0-9]{0,14})$/;

/** What a request is judged by. `fail` makes the error of (code, message, header). */
export interface Judging {
  form: Form;
  keys: readonly { hmac?: Buffer; publicKey?: KeyObject }[];
  fields: { has(name: string): boolean; get(name: string): string };
  body: Buffer;
  method: string;
  url: string;
  /** In seconds. */
  now: number;
  tolerance: number;
  unbase64: (text: string) => Buffer | undefined;
  fail: (code: 'malformed' | 'no_match' | 'too_old' | 'too_new', message: string, header: string) => Error;
}

class Malformed extends Error {}

class Scanner {
  at = 0;
  constructor(readonly text: string) {}

  get ended(): boolean {
    return this.at === this.text.length;
  }

  eat(text: string): boolean {
    if (!this.text.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  skip(white: string): void {
    while (!this.ended && white.includes(this.text[this.at]!)) this.at++;
  }

  take(pattern: RegExp): RegExpExecArray {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (!found) throw new Malformed();
    this.at = pattern.lastIndex;
    return found;
  }

  /** The keys of a dictionary; whoever iterates takes what stands behind each. */
  *members(): Generator<string> {
    this.skip(' ');
    for (let first = true; ; first = false) {
      if (!first) {
        this.skip(' \t');
        if (this.ended) return;
        if (!this.eat(',')) throw new Malformed();
        this.skip(' \t');
      }
      yield this.take(KEY)[0];
    }
  }
}

interface Input {
  label: string;
  covered: string[];
  text: string;
  usable: boolean;
  params: Map<string, string>;
}

function takeParams(s: Scanner): [string, string][] {
  const found: [string, string][] = [];
  while (s.eat(';')) {
    s.skip(' ');
    const key = s.take(KEY)[0];
    found.push([key, s.eat('=') ? s.take(ITEM)[0] : '?1']);
  }
  return found;
}

function written(params: [string, string][]): string {
  return params.map(([key, value]) => (value === '?1' ? `;${key}` : `;${key}=${value}`)).join('');
}

function known(params: [string, string][]): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of params) {
    if (!['created', 'expires', 'alg', 'tag', 'keyid', 'nonce'].includes(key)) continue;
    const numeric = key === 'created' || key === 'expires', twice = found.has(key) && key !== 'keyid' && key !== 'nonce';
    if ((numeric ? !DECIMAL.test(value) : !value.startsWith('"')) || twice) throw new Malformed();
    found.set(key, numeric ? value : value.slice(1, -1));
  }
  return found;
}

function readInputs(field: string): Input[] {
  const s = new Scanner(field), found: Input[] = [];
  for (const label of s.members()) {
    if (found.length === SIGNATURES || !s.eat('=') || !s.eat('(') || found.some((one) => one.label === label)) throw new Malformed();
    const covered: string[] = [], pieces: string[] = [];
    let usable = true;
    for (s.skip(' '); !s.eat(')'); s.skip(' ')) {
      const name = s.take(STRING)[1]!, own = takeParams(s);
      if (covered.length === COVERED || s.ended || !' )'.includes(s.text[s.at]!)) throw new Malformed();
      usable &&= own.length === 0 && !covered.includes(name);
      covered.push(name);
      pieces.push(`"${name}"${written(own)}`);
    }
    const params = takeParams(s), text = `(${pieces.join(' ')})${written(params)}`;
    if (text.length > PARAMS) throw new Malformed();
    found.push({ label, covered, text, usable, params: known(params) });
  }
  return found;
}

/** The bytes that a dictionary has under a key, in base64; undefined: no such member. */
function member(field: string, wanted: string): string | undefined {
  const s = new Scanner(field);
  let found: string | undefined;
  for (const key of s.members()) {
    if (!s.eat('=')) throw new Malformed();
    const text = s.take(BYTES)[1]!;
    if (key !== wanted) continue;
    if (found !== undefined) throw new Malformed();
    found = text;
  }
  return found;
}

function derived(name: string, method: string, url: string): string | undefined {
  if (name === '@method') return method;
  const found = /^([^:/?#]+):\/\/([^/?]*)(\/[^?]*)(\?.*)?$/s.exec(url);
  if (!found) return undefined;
  const [, scheme, authority, path, query] = found as unknown as [string, string, string, string, string | undefined];
  const port = scheme.length === 5 ? ':443' : ':80';
  const own = authority.endsWith(port) && authority !== port ? authority.slice(0, -port.length) : authority;
  const values = new Map([
    ['@target-uri', url], ['@authority', own.toLowerCase()], ['@scheme', scheme.toLowerCase()], ['@request-target', path + (query ?? '')],
    ['@path', path], ['@query', query ?? '?'],
  ]);
  return values.get(name);
}

function baseOf(one: Input, { fields, method, url, fail }: Judging): Buffer {
  const lines = one.covered.map((name) => {
    let value: string | undefined;
    if (name.startsWith('@')) {
      if (!(name === '@method' ? method : url)) throw fail('malformed', 'the signature covers the method or the URL, and none is given', 'Signature-Input');
      value = derived(name, method, url);
      if (value === undefined) throw fail('malformed', 'covers a component that is unknown, or the URL is not absolute', 'Signature-Input');
    } else {
      value = fields.get(name).replace(/^[ \t]+|[ \t]+$/g, '');
    }
    if (/[\r\n]/.test(value)) throw fail('malformed', 'a covered value has a line end', 'Signature-Input');
    return `"${name}": ${value}`;
  });
  return Buffer.from([...lines, `"@signature-params": ${one.text}`].join('\n'), 'utf8');
}

function equal(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

function checkOne(one: Input, judging: Judging, signatures: string): void {
  const { form, keys, now, tolerance, unbase64, fail } = judging;
  const expires = one.params.get('expires'), age = now - Number(one.params.get('created'));
  if (expires !== undefined && now > Number(expires)) throw fail('too_old', 'the signature has expired', 'Signature-Input');
  if (tolerance && age > tolerance) throw fail('too_old', 'signed too long ago: replayed, delayed, or a wrong clock', 'Signature-Input');
  if (tolerance && age < -tolerance) throw fail('too_new', 'signed in the future: a wrong clock', 'Signature-Input');
  const message = baseOf(one, judging);
  const text = readable(() => member(signatures, one.label), () => fail('malformed', 'is no dictionary of byte sequences', 'Signature'));
  if (text === undefined) throw fail('malformed', 'has no signature of this label', 'Signature');
  const raw = unbase64(text);
  if (!raw || raw.length > 64) throw fail('malformed', 'is not base64, or too long', 'Signature');
  let found = false;
  for (const key of keys) {
    const fits = form.algorithm === 'ed25519' ? raw.length === 64 && verifySignature(null, message, key.publicKey!, raw)
      : equal(createHmac('sha256', key.hmac!).update(message).digest(), raw);
    found = fits || found;
  }
  if (!found) throw fail('no_match', 'it was made with another secret, or for another method, URL or header', 'Signature');
}

function readable<T>(read: () => T, otherwise: () => Error): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof Malformed ? otherwise() : error;
  }
}

/** Throws what `fail` makes when the request is not one that a holder of the keys has signed. */
export function verifyMessage(judging: Judging): void {
  const { form, fields, body, unbase64, fail } = judging;
  const field = fields.get('Signature-Input'), signatures = fields.get('Signature'), components = form.components ?? [];
  const inputs = readable(() => readInputs(field), () => fail('malformed', 'is not what RFC 9421 says, or has too many signatures, or a label twice', 'Signature-Input'));
  let refusal: unknown = fail('malformed', 'no signature of this scheme covers what the scheme says', 'Signature-Input');
  for (const one of inputs) {
    const missing = components.some((name) => !one.covered.includes(name) && (name.startsWith('@') || name === 'content-digest' || fields.has(name)));
    if (!one.usable || missing || !one.params.has('created') || (one.params.get('alg') ?? form.algorithm) !== form.algorithm
      || one.params.get('tag') !== (form.tag || undefined)) continue;
    try {
      checkOne(one, judging, signatures);
      refusal = undefined;
      break;
    } catch (error) {
      refusal = error;
    }
  }
  if (refusal !== undefined) throw refusal;
  if (!components.includes('content-digest')) return;
  const digest = fields.get('Content-Digest'), wrong = () => fail('malformed', 'has no SHA-256 as RFC 9530 writes it', 'Content-Digest');
  const given = unbase64(readable(() => member(digest, 'sha-256'), wrong) ?? '');
  if (given?.length !== 32) throw wrong();
  if (!equal(createHash('sha256').update(body).digest(), given))
    throw fail('no_match', 'it is of other bytes: the body must be the raw one, not parsed and written again', 'Content-Digest');
}
