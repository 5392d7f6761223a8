// Receivers in Node.js for the black-box tests: the code that vendors print, and the verifiers that others publish,
// each behind real HTTP (and HTTPS, when given a key and a certificate file as arguments).
//
// Prints "listening PORT [TLS PORT]". Reads commands as lines of JSON and answers "ok":
//   {"verifier": NAME, "library": ..., "secret": ..., "more": [...], "header": ...}   serves POST /lib/NAME with that
//   {"secrets": {"tiro": ..., "taskboard": ..., "techwriter": [...]}}                 of the printed receivers
// Each request is reported as a line "request {...}", after its answer. A request with the header
// X-Test-Clock-Offset is judged as if the clock were that many seconds later.
'use strict';
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const readline = require('node:readline');
const express = require('express');
const Stripe = require('stripe');
const standardwebhooks = require('standardwebhooks');
const svix = require('svix');
const tiro = require('./printed_tiro.cjs');
const taskboard = require('./printed_taskboard.cjs');
const techwriter = require('./printed_techwriter.cjs');

const say = (word, value) => process.stdout.write(`${word} ${JSON.stringify(value)}\n`);
const verifiers = new Map();
let techwriterSecrets = [];

// Each takes (verifier, body as Buffer, headers) and throws, or gives false, when it refuses.
const libraries = {
  stripe: (v, body, headers) => Stripe.webhooks.constructEvent(body, headers[v.header], v.secret),
  octokit: async (v, body, headers) => {
    const { verifyWithFallback } = await import('@octokit/webhooks-methods');
    return verifyWithFallback(v.secret, body.toString(), headers[v.header], v.more);
  },
  standardwebhooks: (v, body, headers) => new standardwebhooks.Webhook(v.secret).verify(body.toString(), headers),
  svix: (v, body, headers) => new svix.Webhook(v.secret).verify(body.toString(), headers),
  // Standard Webhooks' asymmetric form: Ed25519 under a whpk_ key, with Node's own cryptography.
  ed25519: (v, body, headers) => {
    const key = crypto.createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(v.secret.replace('whpk_', ''), 'base64').toString('base64url') },
      format: 'jwk' });
    const signed = Buffer.concat([
      Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`), body]);
    return headers['webhook-signature'].split(' ').some((item) => item.startsWith('v1a,') &&
      crypto.verify(null, signed, key, Buffer.from(item.slice(4), 'base64')));
  },
};

class Refused extends Error {}

const realNow = Date.now;
const app = express();

app.use((req, res, next) => {
  const offset = Number(req.headers['x-test-clock-offset'] || 0);
  Date.now = () => realNow() + offset * 1000;
  res.on('finish', () => say('request', {
    path: req.path, status: res.statusCode, headers: req.rawHeaders, error: res.locals.error,
    body: (req.rawBody || (Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0))).toString('base64'),
  }));
  next();
});

app.post('/lib/:name', express.raw({ type: '*/*', limit: '1mb' }), async (req, res) => {
  const verifier = verifiers.get(req.params.name);
  try {
    const accepted = await libraries[verifier.library](verifier, req.body, req.headers);
    if (accepted === false) throw new Refused('the verifier says no');
    res.status(200).send('OK');
  } catch (error) {
    res.locals.error = `${error.constructor.name}: ${error.message}`;
    res.status(400).send('refused');
  }
});

techwriter.install(app, express, () => techwriterSecrets,
  { upsert: async (doc) => say('upsert', doc), delete: async (id) => say('delete', id) },
  async (author, body) => say('notify', [author, body]));

// The printed receivers of the others read req.body as JSON. `verify` only keeps the bytes for the report.
app.use(express.json({ limit: '1mb', verify: (req, _res, bytes) => { req.rawBody = bytes; } }));
const handled = (name) => (...given) => say('handled', [name, ...given]);
tiro.install(app, handled('event'), {
  handleNoteEvent: handled('Note'), handleNoteDocumentEvent: handled('NoteDocument'),
  handleNoteSummaryEvent: handled('NoteSummary'), handleFolderNoteEvent: handled('FolderNoteRelation'),
});
taskboard.install(app);
app.use((error, _req, res, _next) => {
  res.locals.error = `${error.constructor.name}: ${error.message}`;
  res.status(error.status || 500).send('error');
});

function command(given) {
  if (given.verifier) verifiers.set(given.verifier, given);
  if (given.secrets?.tiro) process.env.WEBHOOK_SECRET = given.secrets.tiro;
  if (given.secrets?.taskboard) taskboard.setSecret(given.secrets.taskboard);
  if (given.secrets?.techwriter) techwriterSecrets = given.secrets.techwriter;
}

const listen = (server) => new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));

async function main() {
  const [key, cert] = process.argv.slice(2);
  const ports = [await listen(http.createServer(app))];
  if (key) ports.push(await listen(https.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }, app)));
  console.log('listening', ...ports);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    command(JSON.parse(line));
    console.log('ok');
  }
  process.exit(0);
}

main();
