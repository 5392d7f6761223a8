/** The client of the API: what most programs need under short names, and `api` for every other route. */
import createClient, { type Client } from 'openapi-fetch';
import { errorOf, TenterhookError } from './errors.js';
import { Pages } from './pages.js';
import { Publisher, type PublisherOptions } from './publisher.js';
import type { components, operations, paths } from './schema.js';
import { send } from './transport.js';

type Schemas = components['schemas'];
type Query<Name extends keyof operations> = Omit<NonNullable<operations[Name]['parameters']['query']>, 'cursor'>;

export type EventNew = Schemas['EventNew'];
export type EventAccepted = Schemas['EventAccepted'];
export type Event = Schemas['Event'];
export type EventDetail = Schemas['EventDetail'];
export type Webhook = Schemas['Webhook'];
export type WebhookNew = Schemas['WebhookNew'];
export type WebhookPatch = Schemas['WebhookPatch'];
export type WebhookCreated = Schemas['WebhookCreated'];
export type Delivery = Schemas['Delivery'];
export type DeliveryDetail = Schemas['DeliveryDetail'];
export type AttemptRow = Schemas['AttemptRow'];
export type Replay = Schemas['Replay'];
export type Tenant = Schemas['Tenant'];

export interface Options {
  /** Where the server is. Default: TENTERHOOK_SERVER of the environment, else http://127.0.0.1:8420. */
  server?: string;
  /** A key. Default: TENTERHOOK_KEY of the environment. */
  key?: string;
  /** With the operator's key: the tenant to act for. */
  tenant?: string;
  /** Of one attempt, in milliseconds. Default 10000. */
  timeoutMs?: number;
  /** How often a request that was not answered, or with 429 or 5xx, is made again. Default 4. */
  retries?: number;
  /** The longest wait between two attempts, in milliseconds; a longer Retry-After is not waited for. Default 30000. */
  maxWaitMs?: number;
  /** Of the first wait; it doubles from attempt to attempt, less up to a half by chance. Default 500. */
  firstWaitMs?: number;
  fetch?: typeof fetch;
}

export interface CallOptions {
  /** For a POST; without one, each call gets its own, which its repetitions share. */
  idempotencyKey?: string;
  /** The ETag that the object must still have. */
  ifMatch?: string;
  signal?: AbortSignal;
}

interface Answer {
  data?: unknown;
  error?: unknown;
  response: Response;
}

type Any = Record<string, unknown>;

function environment(name: string): string | undefined {
  const { Deno, process } = globalThis as { Deno?: { env: { get(name: string): string | undefined } }; process?: { env?: Record<string, string | undefined> } };
  try {
    return process?.env?.[name] ?? Deno?.env.get(name);
  } catch {
    return undefined; // Deno without the permission
  }
}

/** A key that no other request has. Node.js 18, and pages without https, have no crypto.randomUUID; the key has to be unique, not secret. */
function uniqueKey(): string {
  const { crypto } = globalThis as { crypto?: Partial<Crypto> };
  if (crypto?.randomUUID) return crypto.randomUUID();
  return Array.from({ length: 4 }, () => Math.floor(Math.random() * 2 ** 32).toString(16).padStart(8, '0')).join('');
}

export class Tenterhook {
  /** Every route of the API, by path, with its types; retries, time-outs and keys as in the named calls. Errors are returned. */
  readonly api: Client<paths>;
  readonly events = new Events(this);
  readonly webhooks = new Webhooks(this);
  readonly deliveries = new Deliveries(this);
  readonly attempts = new Attempts(this);
  readonly replays = new Replays(this);
  readonly tenants = new Tenants(this);

  constructor(options: Options = {}) {
    const server = (options.server ?? environment('TENTERHOOK_SERVER') ?? 'http://127.0.0.1:8420').replace(/\/+$/, '');
    const key = options.key ?? environment('TENTERHOOK_KEY');
    const policy = {
      timeoutMs: options.timeoutMs ?? 10_000, retries: options.retries ?? 4, maxWaitMs: options.maxWaitMs ?? 30_000, firstWaitMs: options.firstWaitMs ?? 500,
      fetch: options.fetch ?? ((input: RequestInfo | URL, init?: RequestInit) => fetch(input, init)),
    };
    this.api = createClient<paths>({ baseUrl: server, fetch: (request) => send(request, policy) });
    this.api.use({
      onRequest({ request, schemaPath }) {
        if (key) request.headers.set('Authorization', `Bearer ${key}`);
        if (options.tenant && !request.headers.has('Tenterhook-Tenant')) request.headers.set('Tenterhook-Tenant', options.tenant);
        if (schemaPath.startsWith('/v1/webhooks')) request.headers.set('Tenterhook-Form', 'native'); // the shapes of the types, in every dialect
        if (request.method === 'POST' && !request.headers.has('Idempotency-Key')) request.headers.set('Idempotency-Key', uniqueKey());
        return request;
      },
    });
  }

  /** Collects events and sends them in batches. */
  publisher(options?: PublisherOptions): Publisher {
    return new Publisher((events) => this.events.publishBatch(events), options);
  }

  /** @internal */
  async call<T>(answer: Promise<Answer>): Promise<T> {
    const { data, error, response } = await answer;
    if (!response.ok) throw errorOf(response, error);
    if (typeof data === 'string') throw new TenterhookError('api', 'the answer is not JSON: is this the address of Tenterhook?');
    return data as T;
  }

  /** @internal */
  list<T>(page: (cursor: string | undefined) => Promise<Answer>): Pages<T> {
    return new Pages((cursor) => this.call(page(cursor)));
  }
}

function headers(options: CallOptions | undefined): Any {
  return { ...(options?.idempotencyKey === undefined ? {} : { 'Idempotency-Key': options.idempotencyKey }), ...(options?.ifMatch === undefined ? {} : { 'If-Match': options.ifMatch }) };
}

function init(options: CallOptions | undefined) {
  return options?.signal ? { signal: options.signal } : {};
}

class Part {
  /** @internal */
  constructor(protected readonly client: Tenterhook) {}
  protected get api(): Client<paths> {
    return this.client.api;
  }
}

class Events extends Part {
  /** Publishes an event; it is stored durably when the answer comes. */
  publish(event: EventNew, options?: CallOptions): Promise<EventAccepted> {
    return this.client.call(this.api.POST('/v1/events', { body: event, params: { header: headers(options) }, ...init(options) }));
  }
  /** Publishes 1 to 1000 events of one tenant, all or none. */
  publishBatch(events: EventNew[], options?: CallOptions): Promise<EventAccepted[]> {
    return this.client.call(this.api.POST('/v1/events/batch', { body: events, params: { header: headers(options) }, ...init(options) }));
  }
  list(query: Query<'listEvents'> = {}): Pages<Event> {
    return this.client.list((cursor) => this.api.GET('/v1/events', { params: { query: { ...query, cursor } } }));
  }
  get(id: string): Promise<EventDetail> {
    return this.client.call(this.api.GET('/v1/events/{id}', { params: { path: { id } } }));
  }
  /** Erases the content of an event; `cancel` ends deliveries that wait. */
  erase(id: string, options: { cancel?: boolean } = {}): Promise<void> {
    return this.client.call(this.api.DELETE('/v1/events/{id}', { params: { path: { id }, query: options } }));
  }
}

class Webhooks extends Part {
  /** Registers an endpoint; the answer shows its secret. */
  create(webhook: WebhookNew, options?: CallOptions): Promise<WebhookCreated> {
    return this.client.call(this.api.POST('/v1/webhooks', { body: webhook, params: { header: headers(options) }, ...init(options) }));
  }
  list(query: Query<'listWebhooks'> = {}): Pages<Webhook> {
    return this.client.list((cursor) => this.api.GET('/v1/webhooks', { params: { query: { ...query, cursor } } }));
  }
  get(id: string): Promise<Webhook> {
    return this.client.call(this.api.GET('/v1/webhooks/{id}', { params: { path: { id } } }));
  }
  /** Changes the members that are given; null resets one. */
  update(id: string, changes: WebhookPatch, options?: CallOptions): Promise<Webhook> {
    return this.client.call(this.api.PATCH('/v1/webhooks/{id}', {
      body: changes, params: { path: { id }, header: headers(options) }, headers: { 'Content-Type': 'application/merge-patch+json' }, ...init(options),
    }));
  }
  delete(id: string, options?: CallOptions): Promise<void> {
    return this.client.call(this.api.DELETE('/v1/webhooks/{id}', { params: { path: { id }, header: headers(options) } }));
  }
  /** Sends a sample event to this endpoint alone. */
  test(id: string, type?: string): Promise<Delivery> {
    return this.client.call(this.api.POST('/v1/webhooks/{id}/test', { params: { path: { id } }, body: type === undefined ? {} : { type } }));
  }
  deliveries(id: string, query: Query<'listWebhookDeliveries'> = {}): Pages<Delivery> {
    return this.client.list((cursor) => this.api.GET('/v1/webhooks/{id}/deliveries', { params: { path: { id }, query: { ...query, cursor } } }));
  }
  /** The active secrets, newest first. */
  async secrets(id: string): Promise<Schemas['Secret'][]> {
    return (await this.client.call<Schemas['Secrets']>(this.api.GET('/v1/webhooks/{id}/secret', { params: { path: { id } } }))).secrets;
  }
  /** Makes or takes a new secret beside the old one, which ends after the overlap. */
  async rotateSecret(id: string, rotation: Schemas['SecretRotate'] = {}, options?: CallOptions): Promise<Schemas['Secret'][]> {
    return (await this.client.call<Schemas['Secrets']>(this.api.POST('/v1/webhooks/{id}/rotate-secret', { params: { path: { id }, header: headers(options) }, body: rotation }))).secrets;
  }
  revokePreviousSecret(id: string): Promise<void> {
    return this.client.call(this.api.DELETE('/v1/webhooks/{id}/secret/previous', { params: { path: { id } } }));
  }
  /** Makes everything that waits for another attempt due now. */
  retry(id: string): Promise<Schemas['WebhookRetried']> {
    return this.client.call(this.api.POST('/v1/webhooks/{id}/retry', { params: { path: { id } }, body: {} }));
  }
  /** Sends deliveries that have ended again. */
  replay(id: string, replay: Schemas['ReplayNew'], options?: CallOptions): Promise<Schemas['ReplayStarted']> {
    return this.client.call(this.api.POST('/v1/webhooks/{id}/replay', { params: { path: { id }, header: headers(options) }, body: replay }));
  }
}

class Deliveries extends Part {
  list(query: Query<'listDeliveries'> = {}): Pages<Delivery> {
    return this.client.list((cursor) => this.api.GET('/v1/deliveries', { params: { query: { ...query, cursor } } }));
  }
  get(id: string): Promise<DeliveryDetail> {
    return this.client.call(this.api.GET('/v1/deliveries/{id}', { params: { path: { id } } }));
  }
  /** Makes an attempt now. */
  retry(id: string): Promise<Schemas['DeliveryQueued']> {
    return this.client.call(this.api.POST('/v1/deliveries/{id}/retry', { params: { path: { id } }, body: {} }));
  }
}

class Attempts extends Part {
  list(query: Query<'listAttempts'> = {}): Pages<AttemptRow> {
    return this.client.list((cursor) => this.api.GET('/v1/attempts', { params: { query: { ...query, cursor } } }));
  }
}

class Replays extends Part {
  list(query: Query<'listReplays'> = {}): Pages<Replay> {
    return this.client.list((cursor) => this.api.GET('/v1/replays', { params: { query: { ...query, cursor } } }));
  }
  get(id: string): Promise<Replay> {
    return this.client.call(this.api.GET('/v1/replays/{id}', { params: { path: { id } } }));
  }
  cancel(id: string): Promise<void> {
    return this.client.call(this.api.DELETE('/v1/replays/{id}', { params: { path: { id } } }));
  }
}

/** With the operator's key. */
class Tenants extends Part {
  /** Makes or changes a tenant. */
  put(tenant: string, settings: Schemas['TenantPut'], options?: CallOptions): Promise<Tenant> {
    return this.client.call(this.api.PUT('/v1/tenants/{tenant}', { params: { path: { tenant }, header: headers(options) }, body: settings }));
  }
  get(tenant: string): Promise<Tenant> {
    return this.client.call(this.api.GET('/v1/tenants/{tenant}', { params: { path: { tenant } } }));
  }
  list(query: Query<'listTenants'> = {}): Pages<Tenant> {
    return this.client.list((cursor) => this.api.GET('/v1/tenants', { params: { query: { ...query, cursor } } }));
  }
  delete(tenant: string, options: { erase?: boolean } = {}): Promise<void> {
    return this.client.call(this.api.DELETE('/v1/tenants/{tenant}', { params: { path: { tenant }, query: options } }));
  }
  /** Makes a key; the answer shows its text, once. */
  createKey(tenant: string, key: Schemas['KeyNew'], options?: CallOptions): Promise<Schemas['KeyCreated']> {
    return this.client.call(this.api.POST('/v1/tenants/{tenant}/keys', { params: { path: { tenant }, header: headers(options) }, body: key }));
  }
  listKeys(tenant: string): Pages<Schemas['Key']> {
    return this.client.list((cursor) => this.api.GET('/v1/tenants/{tenant}/keys', { params: { path: { tenant }, query: { cursor } } }));
  }
  deleteKey(tenant: string, id: string): Promise<void> {
    return this.client.call(this.api.DELETE('/v1/tenants/{tenant}/keys/{id}', { params: { path: { tenant, id } } }));
  }
}
