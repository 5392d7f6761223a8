// A receiver with the adapter that its argument names. Prints "listening PORT", takes {"secret"} a line, prints "event JSON".
import readline from 'node:readline';
import { WebhookVerifier } from 'tenterhook/webhooks';

let verifier;
// The adapters ask for the verifier when a request comes; here it changes with each test.
const current = { constructEvent: (...given) => verifier.constructEvent(...given) };
const say = (request) => {
  if (!Buffer.isBuffer(request.rawBody) || JSON.parse(request.rawBody).data.order !== request.body.data.order) throw new Error('the raw body is lost');
  console.log('event', JSON.stringify({ id: request.webhook.id, data: request.webhook.data }));
};

if (process.argv[2] === 'express') {
  const { default: express } = await import('express');
  const { webhook } = await import('tenterhook/express');
  const app = express();
  app.post('/hook', webhook(current), (request, response) => {
    say(request);
    response.sendStatus(204);
  });
  const server = app.listen(0, '127.0.0.1', () => console.log('listening', server.address().port));
} else {
  const { default: fastify } = await import('fastify');
  const { webhooks } = await import('tenterhook/fastify');
  const app = fastify();
  app.register(async (scope) => {
    await scope.register(webhooks, { verifier: current });
    scope.post('/hook', async (request, reply) => {
      say(request);
      return reply.code(204).send();
    });
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  console.log('listening', app.server.address().port);
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  verifier = new WebhookVerifier(JSON.parse(line).secret);
  console.log('ok');
}
