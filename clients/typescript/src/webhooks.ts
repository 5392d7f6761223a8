/** Verifying requests that Tenterhook sends, in every built-in dialect. Runs wherever `node:crypto` is: Node.js, Deno, Bun.
 *
 * The rules are those of the C library (docs/receiving.md): a content that could be split in two ways, a header that is there
 * twice, a signature in another spelling and a time outside the window are refused, and every comparison takes constant time. */
import { createHash, createHmac, createPrivateKey, createPublicKey, timingSafeEqual, verify as verifySignature, type KeyObject } from 'node:crypto';
import { dialects } from './dialects.js';
import { verifyMessage } from './message.js';
import type { Form, Scheme, Template } from './scheme.js';

export type { Form, Scheme, Template } from './scheme.js';

/** Headers as a server has them: an object, a `Headers`, pairs, or Node's flat `rawHeaders`. */
export type HeadersLike = Headers | Record<string, string | string[] | undefined> | Iterable<readonly [string, string]> | readonly string[];

export type SignatureFault = 'missing_header' | 'malformed' | 'too_old' | 'too_new' | 'no_match' | 'bad_event';

/** The request is not one that the sender made; answer 400 or 401. `code` says why, `header` where. */
export class SignatureError extends Error {
  override readonly name = 'SignatureError';
  constructor(readonly code: SignatureFault, message: string, readonly header?: string) {
    super(header ? `${header}: ${message}` : message);
  }
}

/** A verified event. `data` is what was published, `body` the whole JSON as the dialect writes it. */
export interface WebhookEvent<Data = any> {
  id?: string;
  type?: string;
  time?: Date;
  data: Data;
  resourceType?: string;
  resourceId?: string;
  endpointId?: string;
  deliveryId?: string;
  body: any;
}

export interface VerifierOptions {
  /** How old, and how far in the future, a signed time may be, in seconds; 0: any. Default 300. */
  toleranceSeconds?: number;
  /** The URL of this receiver as it was registered, for dialects that sign it. */
  url?: string;
  /** The clock, in milliseconds since 1970. */
  now?: () => number;
  /** Another scheme than a built-in one. */
  scheme?: Scheme;
}

interface Key {
  secret: number;
  algorithm: Form['algorithm'];
  kind: Form['key'];
  hmac?: Buffer;
  publicKey?: KeyObject;
}

type Values = Record<string, string>;

const MAC_BYTES = { 'hmac-sha1': 20, 'hmac-sha256': 32, 'hmac-sha512': 64, ed25519: 64 } as const;
const ED25519_ITEMS = 32;
const RANK: SignatureFault[] = ['too_old', 'too_new', 'no_match', 'malformed', 'missing_header', 'bad_event'];

/** The names of the dialects that are built in. */
export const dialectNames = Object.keys(dialects);

export class WebhookVerifier {
  private readonly scheme: Scheme;
  private readonly keys: Key[] = [];
  private readonly digests: Buffer[] = [];
  private readonly options: VerifierOptions;

  /** @param secret the endpoint's secret, or several while one is rotated; for an Ed25519 dialect the public key is enough.
   *  @param dialect one of `dialectNames`. */
  constructor(secret: string | readonly string[], dialect = 'standard', options: VerifierOptions = {}) {
    const scheme = options.scheme ?? (Object.hasOwn(dialects, dialect) ? dialects[dialect] : undefined);
    if (!scheme) throw new TypeError(`there is no dialect ${JSON.stringify(dialect)}; there are ${dialectNames.join(', ')}`);
    const secrets = typeof secret === 'string' ? [secret] : [...secret];
    if (secrets.length === 0) throw new TypeError('a verifier needs a secret');
    if (scheme.forms.some((form) => form.content.includes('{endpoint.url}') || form.components?.some((name) => name.startsWith('@') && name !== '@method')) && !options.url)
      throw new TypeError(`the dialect ${dialect} signs the URL of the endpoint: give it as options.url`);
    this.scheme = scheme;
    this.options = options;
    secrets.forEach((text, number) => this.addSecret(text, number, dialect));
  }

  /** Whether an old request that somebody sends again is recognised: only where the scheme signs a time. */
  get protectsAgainstReplay(): boolean {
    return this.scheme.forms.length > 0 && this.options.toleranceSeconds !== 0 && this.scheme.forms.every((form) => form.content.includes('{ts}'));
  }

  /** Verifies a request and gives its event.
   *  @param rawBody the bytes as they came, before any JSON parser.
   *  @param headers all headers, or the signature's value alone where the scheme needs no other.
   *  @param method of the request, which HTTP message signatures (RFC 9421) cover.
   *  @throws SignatureError */
  constructEvent<Data = any>(rawBody: Uint8Array | string, headers: HeadersLike | string, method = 'POST'): WebhookEvent<Data> {
    const body = typeof rawBody === 'string' ? Buffer.from(rawBody, 'utf8') : Buffer.from(rawBody.buffer, rawBody.byteOffset, rawBody.byteLength);
    const fields = new Fields(headers, this.scheme);
    if (this.scheme.auth) this.checkAuth(fields, this.scheme.auth);
    if (this.scheme.forms.length) this.checkForms(fields, body, method);
    return readEvent(this.scheme, fields, body);
  }

  private addSecret(text: string, number: number, dialect: string): void {
    let fits = this.scheme.forms.length === 0;
    if (!text) throw new TypeError('a secret is empty');
    this.digests.push(createHash('sha256').update(text).digest());
    for (const { algorithm, key: kind } of this.scheme.forms) {
      if (this.keys.some((key) => key.secret === number && key.algorithm === algorithm && key.kind === kind)) continue;
      const key = makeKey(algorithm, kind, text);
      if (key) this.keys.push({ secret: number, algorithm, kind, ...key });
      fits ||= key !== undefined;
    }
    if (!fits) throw new TypeError(`secret ${number + 1} does not have the form of the secrets of the dialect ${dialect}`);
  }

  private checkAuth(fields: Fields, auth: NonNullable<Scheme['auth']>): void {
    const values = match(auth.value, fields.get(auth.header));
    if (!values) throw new SignatureError('malformed', 'the header does not have the form of the scheme', auth.header);
    const digest = createHash('sha256').update(Buffer.from(values['secret']!, 'latin1')).digest();
    const utf8 = createHash('sha256').update(values['secret']!).digest(); // where the server has decoded the header
    let found = false;
    for (const own of this.digests) {
      const one = timingSafeEqual(digest, own), other = timingSafeEqual(utf8, own);
      found = one || other || found;
    }
    if (!found) throw new SignatureError('no_match', 'not one of the secrets', auth.header);
  }

  private checkForms(fields: Fields, body: Buffer, method: string): void {
    let best: SignatureError | undefined;
    for (const form of this.scheme.forms) {
      const keys = this.keys.filter((key) => key.algorithm === form.algorithm && key.kind === form.key);
      if (!keys.length) continue;
      try {
        if (form.encoding === 'http-message') this.checkMessage(form, keys, fields, body, method);
        else this.checkForm(form, keys, fields, body);
        return;
      } catch (error) {
        if (!(error instanceof SignatureError)) throw error;
        if (!best || RANK.indexOf(error.code) < RANK.indexOf(best.code)) best = error;
      }
    }
    throw best!;
  }

  private checkMessage(form: Form, keys: Key[], fields: Fields, body: Buffer, method: string): void {
    verifyMessage({
      form, keys, fields, body, method, url: this.options.url ?? '', now: Math.floor((this.options.now?.() ?? Date.now()) / 1000),
      tolerance: this.options.toleranceSeconds ?? 300, unbase64, fail: (code, message, header) => new SignatureError(code, message, header),
    });
  }

  private checkForm(form: Form, keys: Key[], fields: Fields, body: Buffer): void {
    const { signatures, ts } = readHeader(form, fields.get(form.header));
    const values: Values = { ...(ts === undefined ? {} : { ts }), 'schema.version': this.scheme.schema_version, 'endpoint.url': this.options.url ?? '' };
    const wanted = form.content.filter(isVariable).map((piece) => piece.slice(1, -1)).filter((name) => name !== 'body' && !(name in values));
    for (const { header, variable } of this.scheme.sources) {
      if (!wanted.includes(variable) || (variable in values && !fields.has(header))) continue;
      const value = fields.get(header);
      if (!value) throw new SignatureError('malformed', 'the header is empty', header);
      if (variable in values && values[variable] !== value)
        throw new SignatureError('malformed', 'another header gives a different value for the same field', header);
      values[variable] = value;
    }
    this.checkTime(form, values);
    if (ambiguous(form.content, values, body))
      throw new SignatureError('malformed', 'id, time and body could be separated in more than one way', form.header);
    const parts = form.content.map((piece) => (piece === '{body}' ? body : Buffer.from(isVariable(piece) ? values[piece.slice(1, -1)] ?? '' : piece, 'utf8')));
    const found = form.algorithm === 'ed25519' ? matchesEd25519(form, keys, parts, signatures) : matchesHmac(form, keys, parts, signatures);
    if (!found)
      throw new SignatureError('no_match', 'it was made with another secret or for other bytes: the body must be the raw one, not parsed and written again', form.header);
  }

  private checkTime(form: Form, values: Values): void {
    if (!form.content.includes('{ts}')) return; // a time that is not signed proves nothing
    const ts = values['ts'];
    if (ts === undefined) throw new SignatureError('malformed', 'the header has no time', form.header);
    const seconds = form.timestamp === 'rfc3339' ? rfc3339(ts) : decimal(ts);
    if (seconds === undefined) throw new SignatureError('malformed', 'the time is not written as the scheme writes it', form.header);
    const tolerance = this.options.toleranceSeconds ?? 300;
    const age = Math.floor((this.options.now?.() ?? Date.now()) / 1000) - (form.timestamp === 'unix_millis' ? Math.floor(seconds / 1000) : seconds);
    if (tolerance && age > tolerance) throw new SignatureError('too_old', 'signed too long ago: replayed, delayed, or a wrong clock', form.header);
    if (tolerance && age < -tolerance) throw new SignatureError('too_new', 'signed in the future: a wrong clock, or not in seconds', form.header);
  }
}

// ---- headers ----

class Fields {
  private readonly values = new Map<string, string[]>();

  constructor(headers: HeadersLike | string, scheme: Scheme) {
    if (typeof headers === 'string') {
      const name = scheme.forms[0]?.header ?? scheme.auth?.header;
      if (name) this.add(name, headers);
    } else if (Array.isArray(headers) && typeof headers[0] === 'string') {
      for (let i = 0; i + 1 < headers.length; i += 2) this.add(headers[i] as string, headers[i + 1] as string);
    } else if (typeof (headers as Iterable<unknown>)[Symbol.iterator] === 'function') {
      for (const [name, value] of headers as Iterable<readonly [string, string]>) this.add(name, value);
    } else {
      for (const [name, value] of Object.entries(headers as Record<string, string | string[] | undefined>))
        for (const one of Array.isArray(value) ? value : value === undefined ? [] : [value]) this.add(name, one);
    }
  }

  has(name: string): boolean {
    return this.values.has(name.toLowerCase());
  }

  get(name: string): string {
    const found = this.values.get(name.toLowerCase());
    if (!found) throw new SignatureError('missing_header', 'the header is not there', name);
    if (found.length > 1) throw new SignatureError('malformed', 'the header is there twice', name);
    return found[0]!;
  }

  private add(name: string, value: string): void {
    const key = name.toLowerCase();
    this.values.set(key, [...(this.values.get(key) ?? []), value]);
  }
}

function isVariable(piece: string): boolean {
  return piece.startsWith('{') && piece.length > 2;
}

/** The values that the variables of a template have in a text; undefined: it does not fit. */
function match(template: Template, text: string): Values | undefined {
  const values: Values = {};
  for (let i = 0; i < template.length; i++) {
    const piece = template[i]!;
    if (!isVariable(piece)) {
      if (!text.startsWith(piece)) return undefined;
      text = text.slice(piece.length);
      continue;
    }
    const next = template[i + 1];
    const end = next === undefined ? text.length : piece === '{items}' ? text.lastIndexOf(next) : text.indexOf(next);
    if (end < 0) return undefined;
    values[piece.slice(1, -1)] = text.slice(0, end);
    text = text.slice(end);
  }
  return text === '' ? values : undefined;
}

/** The signatures of a header, in their encoding, and its time. Elements of other forms are passed over. */
function readHeader(form: Form, text: string): { signatures: string[]; ts: string | undefined } {
  const length = form.encoding === 'hex' ? 2 * MAC_BYTES[form.algorithm] : Math.ceil(MAC_BYTES[form.algorithm] / 3) * 4;
  const signatures: string[] = [];
  let ts: string | undefined, wrongLength = false;
  const fail = (why: string) => new SignatureError('malformed', why, form.header);
  if (form.wrap) {
    const outer = match(form.wrap, text);
    if (!outer) throw fail('the header does not have the form of the scheme');
    ts = outer['ts'];
    text = outer['items'] ?? '';
  }
  for (const part of form.join && text ? text.split(form.join) : [text]) {
    const stamp = form.stamp_item && match(form.stamp_item, part);
    if (stamp) {
      if (ts !== undefined) throw fail('the header has two times');
      ts = stamp['ts'];
      continue;
    }
    const item = match(form.item, part);
    if (!item) continue;
    if (item['sig']!.length !== length) {
      wrongLength = true;
      continue;
    }
    if (item['ts'] !== undefined && ts !== undefined && ts !== item['ts']) throw fail('the header has two times');
    ts = item['ts'] ?? ts;
    signatures.push(item['sig']!);
  }
  if (!signatures.length)
    throw fail(wrongLength ? "the signature does not have the length of the algorithm's signatures" : 'the header has no signature of a form that this scheme knows');
  return { signatures, ts };
}

/** Whether another split of the same content could have been signed. */
function ambiguous(content: Template, values: Values, body: Buffer): boolean {
  let variable = false;
  for (let i = 0; i < content.length; i++) {
    const piece = content[i]!, next = content[i + 1];
    if (!isVariable(piece) || piece === '{body}') continue;
    const literal = next !== undefined && !isVariable(next);
    if (piece === '{ts}') {
      const behind = content[i + 1 + (literal ? 1 : 0)] === '{body}';
      if (behind && (variable || !literal) && beginsAsTime(body, literal ? next : '')) return true;
      continue;
    }
    if (literal && (values[piece.slice(1, -1)] ?? '').includes(next)) return true;
    variable = true;
  }
  return false;
}

function beginsAsTime(body: Buffer, separator: string): boolean {
  let n = 0;
  while (n < body.length && body[n]! >= 48 && body[n]! <= 57) n++;
  return n > 0 && body.subarray(n, n + separator.length).toString('latin1') === separator;
}

// ---- signatures ----

function matchesHmac(form: Form, keys: Key[], parts: Buffer[], signatures: string[]): boolean {
  let found = false;
  for (const key of keys) {
    const mac = createHmac(form.algorithm.slice(5), key.hmac!);
    for (const part of parts) mac.update(part);
    const own = Buffer.from(mac.digest(form.encoding as 'hex' | 'base64'), 'latin1');
    for (const text of signatures) {
      const given = Buffer.from(text, 'latin1');
      const equal = given.length === own.length && timingSafeEqual(given, own);
      found = equal || found;
    }
  }
  return found;
}

function matchesEd25519(form: Form, keys: Key[], parts: Buffer[], signatures: string[]): boolean {
  if (signatures.length > ED25519_ITEMS) throw new SignatureError('malformed', 'the header has too many signatures', form.header);
  const message = Buffer.concat(parts);
  let found = false;
  for (const text of signatures) {
    const encoding = form.encoding as 'hex' | 'base64', raw = Buffer.from(text, encoding);
    if (raw.length !== 64 || raw.toString(encoding) !== text) continue;
    for (const key of keys) found = verifySignature(null, message, key.publicKey!, raw) || found;
  }
  return found;
}

// ---- secrets ----

function makeKey(algorithm: Form['algorithm'], kind: Form['key'], text: string): Pick<Key, 'hmac' | 'publicKey'> | undefined {
  if (algorithm !== 'ed25519') {
    const hmac = kind === 'utf8' ? Buffer.from(text, 'utf8') : kind === 'hex' ? unhex(text) : unbase64(kind === 'whsec' ? text.replace(/^whsec_/, '') : text);
    return hmac?.length ? { hmac } : undefined;
  }
  if (kind === 'whsk' && text.startsWith('whsk_')) {
    const pair = unbase64(text.slice(5));
    if (!pair || (pair.length !== 32 && pair.length !== 64)) return undefined;
    const privateKey = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), pair.subarray(0, 32)]), format: 'der', type: 'pkcs8' });
    return { publicKey: createPublicKey(privateKey) };
  }
  const raw = kind === 'hex' ? unhex(text) : kind === 'whsk' ? (text.startsWith('whpk_') ? unbase64(text.slice(5)) : undefined) : unbase64(text);
  if (raw?.length !== 32) return undefined;
  return { publicKey: createPublicKey({ key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]), format: 'der', type: 'spki' }) };
}

function unhex(text: string): Buffer | undefined {
  return /^([0-9a-fA-F]{2})+$/.test(text) ? Buffer.from(text, 'hex') : undefined;
}

function unbase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '') ? bytes : undefined;
}

// ---- the event ----

/** Seconds since 1970 of a decimal number in its one spelling. */
function decimal(text: string): number | undefined {
  return /^(0|[1-9][0-9]{0,14})$/.test(text) ? Number(text) : undefined;
}

/** Seconds since 1970 of an RFC 3339 time. */
function rfc3339(text: string): number | undefined {
  const found = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.exec(text);
  if (!found) return undefined;
  const at = Date.parse(`${found[1]}T${found[2]}:${found[3] === '60' ? '59' : found[3]}${found[5]!.toUpperCase()}`);
  return Number.isNaN(at) || at < 0 ? undefined : Math.floor(at / 1000);
}

function bad(message: string): SignatureError {
  return new SignatureError('bad_event', message);
}

function at(body: unknown, path: string[] | undefined): unknown {
  let value: unknown = path ? body : undefined;
  for (const name of path ?? []) value = typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
  return value;
}

/** A string as it is, a number as its text, null as nothing. */
function asText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  throw bad('a field of the event is neither a string nor a number');
}

function timeOf(scheme: Scheme, value: unknown): Date | undefined {
  if (value === undefined || value === null) return undefined;
  const millis = typeof value === 'string' ? (rfc3339(value) === undefined ? NaN : Date.parse(value.toUpperCase()))
    : typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value * (scheme.time_millis ? 1 : 1000) : NaN;
  if (!Number.isNaN(millis) && millis <= 8.64e15) return new Date(millis);
  if (!scheme.paths.data) return undefined; // the publisher's own member
  throw bad('the time of the event is neither RFC 3339 nor unix seconds');
}

function readEvent(scheme: Scheme, fields: Fields, raw: Buffer): WebhookEvent {
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw));
  } catch {
    throw bad('the body is not JSON');
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw bad('the body is not a JSON object');
  const { paths } = scheme;
  const found: Record<string, string | undefined> = {};
  for (const name of ['id', 'type', 'resource_type', 'resource_id', 'endpoint_id', 'delivery_id'] as const) found[name] = asText(at(body, paths[name]));
  let time = timeOf(scheme, at(body, paths.time));
  for (const { header, variable } of scheme.sources) {
    const name = variable.startsWith('event.') ? variable.slice(6) : variable.replace('.', '_');
    if (variable === 'ts' || !fields.has(header)) continue;
    if (name === 'time') {
      const seconds = rfc3339(fields.get(header));
      time ??= seconds === undefined ? undefined : new Date(seconds * 1000);
    } else if (!found[name]) found[name] = fields.get(header);
  }
  const type = found['type'], data = paths.data ? at(body, paths.data) : body;
  found['resource_type'] ||= type === undefined ? undefined : scheme.resources[type] ?? Object.entries(scheme.resource_prefixes).find(([prefix]) => type.startsWith(prefix))?.[1];
  const own = at(data, ['id']);
  found['resource_id'] ||= typeof own === 'string' || typeof own === 'number' ? String(own) : undefined;
  return {
    id: found['id'], type, time, data, resourceType: found['resource_type'], resourceId: found['resource_id'],
    endpointId: found['endpoint_id'], deliveryId: found['delivery_id'], body,
  };
}
