// Makes the calls of ../../conformance/ (README.md there): a command a line in, an answer a line out.
import readline from 'node:readline';
import { ApiError, ConnectionError, Tenterhook, TenterhookError } from 'tenterhook';
import { SignatureError, WebhookVerifier } from 'tenterhook/webhooks';

const camel = (text) => text.replace(/_(.)/g, (_, letter) => letter.toUpperCase());

function clientOf({ server, key, tenant, timeout_ms, retries, first_wait_ms, max_wait_ms }) {
  return new Tenterhook({ server, key, tenant, timeoutMs: timeout_ms, retries, firstWaitMs: first_wait_ms, maxWaitMs: max_wait_ms });
}

// The arguments of each method, in order.
function argumentsOf(call, a) {
  const options = a.idempotency_key !== undefined || a.if_match !== undefined ? [{ idempotencyKey: a.idempotency_key, ifMatch: a.if_match }] : [];
  if (call === 'webhooks.test') return [a.id, a.type];
  if (call === 'tenants.delete_key') return [a.id, a.key];
  const first = a.id === undefined ? [] : [a.id];
  if (a.body !== undefined) return [...first, a.body, ...options];
  if (a.query !== undefined) return [...first, a.query];
  return [...first, ...options];
}

async function publisher(client, { count, wrong = [], options = {} }) {
  const made = client.publisher({ maxBatch: options.max_batch, lingerMs: 5 });
  const results = Array.from({ length: count }, (_, i) => made.publish({ type: wrong.includes(i) ? 'no type' : 'a.b', data: { i } }));
  const [settled] = await Promise.all([Promise.allSettled(results), made.close()]);
  return { accepted: settled.filter((one) => one.status === 'fulfilled').length, failed: settled.filter((one) => one.status === 'rejected').map((one) => one.reason.kind) };
}

async function publisherFull(client, { count, options }) {
  const made = client.publisher({ maxBatch: options.max_batch, maxPending: options.max_pending });
  const results = Array.from({ length: count }, (_, i) => made.publish({ type: 'a.b', data: { i } }));
  const refused = (await Promise.allSettled(results)).filter((one) => one.status === 'rejected' && one.reason.kind === 'full').length;
  await made.close();
  return { taken: count - refused, refused };
}

function verify({ dialect, secrets, headers, body_base64, now, tolerance, url, method }) {
  const verifier = new WebhookVerifier(secrets, dialect, { now: () => now * 1000, toleranceSeconds: tolerance, url });
  const event = verifier.constructEvent(Buffer.from(body_base64, 'base64'), headers, method);
  return {
    id: event.id, type: event.type, time: event.time && Math.floor(event.time.getTime() / 1000), data: event.data, resource_type: event.resourceType, resource_id: event.resourceId,
    endpoint_id: event.endpointId, delivery_id: event.deliveryId, protects: verifier.protectsAgainstReplay,
  };
}

async function run({ call, args, client: options }) {
  if (call === 'verify') return verify(args);
  const client = clientOf(options);
  if (call === 'publisher') return publisher(client, args);
  if (call === 'publisher_full') return publisherFull(client, args);
  const [part, method] = call.split('.');
  const result = client[part][camel(method)](...argumentsOf(call, args));
  return typeof result[Symbol.asyncIterator] === 'function' ? result.all(args.most) : result;
}

function shown(error) {
  if (error instanceof ApiError)
    return { kind: error.kind, status: error.status, detail: error.detail, request_id: error.requestId, retry_after: error.retryAfter, errors: error.errors };
  if (error instanceof SignatureError) return { kind: 'signature', code: error.code };
  if (error instanceof ConnectionError || error instanceof TenterhookError) return { kind: error.kind };
  if (error instanceof TypeError) return { kind: 'configuration', detail: error.message };
  return { kind: 'unexpected', detail: error instanceof Error ? error.stack : String(error) };
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const answer = await run(JSON.parse(line)).then((ok) => ({ ok: ok ?? null }), (error) => ({ error: shown(error) }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
