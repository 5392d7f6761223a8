// The vendors' own verifiers behind one question: is this request authentic? Reads lines of JSON
//   {"vendor", "method", "url", "headers": [[name, value]], "body": base64, "secrets": [...], "now": unix seconds}
// and answers each with a line {"ok", "error", "seen"}; `seen` is what the vendor's code took from the request.
// `now` sets the clock that the verifiers read. Each secret must be accepted, as a receiver that holds only this one.
'use strict';
const crypto = require('node:crypto');
const readline = require('node:readline');

const realNow = Date.now;
let offset = 0;
Date.now = () => realNow() + offset;
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...given) { super(...(given.length ? given : [RealDate.now()])); }
};

function publicKeyObject(seed) {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  return crypto.createPublicKey(crypto.createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
}

// The public key, in hex, of a private key in hex (its seed, in PKCS #8): what a receiver is given.
function publicKey(seed) {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(seed, 'hex')]);
  const { x } = crypto.createPublicKey(crypto.createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url').toString('hex');
}

class Refused extends Error {}
const must = (accepted, what = 'the verifier says no') => { if (!accepted) throw new Refused(what); };

// Each takes (request, secret) and throws when it refuses; headers have lower-case names.
const vendors = {
  async github({ body, headers }, secret) {
    const { Webhooks } = await import('@octokit/webhooks');
    const hooks = new Webhooks({ secret, log: { debug() {}, info() {}, warn() {}, error() {} } });
    must(await hooks.verify(body.toString(), headers['x-hub-signature-256']));
    // No package checks the old header any more; its rule is the same with SHA-1.
    must(headers['x-hub-signature'] === `sha1=${crypto.createHmac('sha1', secret).update(body).digest('hex')}`, 'sha1');
    if (body[0] !== 0x7b) return {};
    let seen;
    hooks.onAny((event) => { seen = { id: event.id, name: event.name, payload: event.payload }; });
    await hooks.verifyAndReceive({ id: headers['x-github-delivery'], name: headers['x-github-event'], payload: body.toString(),
                                   signature: headers['x-hub-signature-256'] });
    return seen;
  },
  async octokit({ body, headers }, secret, { header }) {
    const { verify } = await import('@octokit/webhooks-methods');
    must(await verify(secret, body.toString(), headers[header]));
  },
  stripe({ body, headers }, secret, { header = 'stripe-signature' }) {
    const event = require('stripe').webhooks.constructEvent(body, headers[header], secret);
    return { id: event.id, type: event.type, object: event.object };
  },
  async shopify({ method, url, body, headers }, secret) {
    require('@shopify/shopify-api/adapters/node');
    const { shopifyApi, LATEST_API_VERSION, LogSeverity } = require('@shopify/shopify-api');
    const api = shopifyApi({ apiKey: 'key', apiSecretKey: secret, scopes: [], hostName: 'receiver.example.com',
                             apiVersion: LATEST_API_VERSION, isEmbeddedApp: false,
                             logger: { log() {}, level: LogSeverity.Error } });
    const seen = await api.webhooks.validate({ rawBody: body.toString(), rawRequest: { method, url, headers } });
    must(seen.valid, seen.reason);
    return seen;
  },
  slack({ body, headers }, signingSecret) {
    const numbers = { ...headers, 'x-slack-request-timestamp': Number(headers['x-slack-request-timestamp']) };
    require('@slack/bolt').verifySlackRequest({ signingSecret, body: body.toString(), headers: numbers });
  },
  async square({ url, body, headers }, signatureKey) {
    must(await require('square').WebhooksHelper.verifySignature({
      requestBody: body.toString(), signatureHeader: headers['x-square-hmacsha256-signature'], signatureKey, notificationUrl: url }));
  },
  async zoom({ body, headers }, webhooksSecretToken) {
    const { AwsLambdaReceiver } = require('@zoom/rivet/meetings');
    const receiver = new AwsLambdaReceiver({ webhooksSecretToken });
    let seen;
    receiver.init({ eventEmitter: { emit: async (name, event) => { seen = { name, event }; } } });
    const debug = console.debug;
    console.debug = () => {};
    const answer = await receiver.start()({ body: body.toString(), headers, isBase64Encoded: false }, {});
    console.debug = debug;
    must(answer.statusCode === 200, answer.body);
    return seen;
  },
  linear({ body, headers }, secret) {
    const { LinearWebhookClient } = require('@linear/sdk/webhooks');
    const client = new LinearWebhookClient(secret);
    const seen = client.parseData(body, headers['linear-signature'], JSON.parse(body).webhookTimestamp);
    must(client.verify(body, headers['linear-signature'], headers['linear-timestamp']), 'by the header');
    return { action: seen.action, type: seen.type, webhookId: seen.webhookId };
  },
  // There is nothing to compute: the documentation says to compare the token.
  gitlab({ headers }, secret) {
    must(headers['x-gitlab-token'] === secret, 'token');
  },
  async discord({ body, headers }, secret) {
    must(await require('discord-interactions').verifyKey(
      body, headers['x-signature-ed25519'], headers['x-signature-timestamp'], publicKey(secret)));
  },
  svix({ body, headers }, secret) {
    return new (require('svix').Webhook)(secret).verify(body.toString(), headers);
  },
  standardwebhooks({ body, headers }, secret) {
    new (require('standardwebhooks').Webhook)(secret).verify(body.toString(), headers);
  },
  // RFC 9421 by a library that knows nothing of webhooks; the digest of RFC 9530 it leaves to its caller.
  async httpsig({ method, url, body, headers }, secret) {
    const { httpbis, createVerifier } = require('http-message-signatures');
    const ed25519 = secret.startsWith('whsk_');
    const bytes = Buffer.from(secret.slice(secret.indexOf('_') + 1), 'base64');
    const key = ed25519 ? publicKeyObject(bytes.subarray(0, 32)) : bytes;
    const alg = ed25519 ? 'ed25519' : 'hmac-sha256';
    // How a receiver knows which of its keys it was: RFC 7638, and for shared keys what the page "Writing a dialect" says.
    const jwk = ed25519 && key.export({ format: 'jwk' });
    const own = ed25519 ? crypto.createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${jwk.x}"}`).digest('base64url')
      : crypto.createHmac('sha256', bytes).update('keyid').digest().subarray(0, 16).toString('base64url');
    const seen = [];
    const verified = await httpbis.verifyMessage({
      requiredFields: ['@method', '@target-uri', 'content-digest', 'content-type', 'webhook-id', 'webhook-timestamp'],
      requiredParams: ['created', 'keyid', 'alg'], maxAge: 300, tolerance: 5,
      keyLookup: async ({ keyid }) => {
        seen.push(keyid);
        return keyid === own ? { id: keyid, algs: [alg], verify: createVerifier(key, alg) } : null;
      },
    }, { method, url, headers });
    must(verified === true);
    const digest = `sha-256=:${crypto.createHash('sha256').update(body).digest('base64')}:`;
    must(headers['content-digest'] === digest, 'digest');
    return seen;
  },
  cloudevents({ body, headers }) {
    const { HTTP } = require('cloudevents');
    must(HTTP.isEvent({ headers, body: body.toString() }), 'no event');
    const event = HTTP.toEvent({ headers, body: body.toString() });
    must(event.validate(), 'not valid');
    return event.toJSON();
  },
};

async function judge(given) {
  const request = { method: given.method, url: given.url, body: Buffer.from(given.body, 'base64'),
                    headers: Object.fromEntries(given.headers.map(([name, value]) => [name.toLowerCase(), value])) };
  offset = given.now ? given.now * 1000 - realNow() : 0;
  let seen;
  for (const secret of given.secrets) seen = await vendors[given.vendor](request, secret, given);
  return seen;
}

async function main() {
  console.log('ready', Object.keys(vendors).join(','));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer;
    try {
      answer = { ok: true, seen: (await judge(JSON.parse(line))) ?? null };
    } catch (error) {
      answer = { ok: false, error: `${error.constructor.name}: ${error.message}` };
    }
    console.log(`verdict ${JSON.stringify(answer)}`);
  }
}

main();
