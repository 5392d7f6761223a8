/** Fastify: `app.register(webhooks, { verifier })` in a scope of its own; its routes find `request.webhook` and `request.rawBody`. */
import type {} from 'fastify';
import { SignatureError, type WebhookEvent, type WebhookVerifier } from './webhooks.js';

export interface PluginOptions {
  verifier: WebhookVerifier;
}

/** What this needs of Fastify, whose types an application that does not use it need not install. */
interface Scope {
  removeAllContentTypeParsers(): void;
  addContentTypeParser(type: string, options: { parseAs: 'buffer' }, parser: (request: unknown, body: Buffer, done: (error: Error | null, body?: unknown) => void) => void): unknown;
  addHook(name: 'preValidation', hook: (request: any, reply: any) => Promise<unknown>): unknown;
  decorateRequest(name: string, value: null): unknown;
}

declare module 'fastify' {
  interface FastifyRequest {
    webhook: WebhookEvent;
    rawBody: Buffer;
  }
}

export async function webhooks(scope: Scope, options: PluginOptions): Promise<void> {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  scope.decorateRequest('webhook', null);
  scope.decorateRequest('rawBody', null);
  scope.addHook('preValidation', async (request, reply) => {
    const body: Buffer = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    try {
      request.webhook = options.verifier.constructEvent(body, request.raw.rawHeaders, request.raw.method);
    } catch (error) {
      if (!(error instanceof SignatureError)) throw error;
      return reply.code(401).type('text/plain').send(`${error.message}\n`);
    }
    request.rawBody = body;
    request.body = request.webhook.body;
  });
}
/** So that routes beside it in the same scope are covered. */
(webhooks as unknown as Record<symbol, boolean>)[Symbol.for('skip-override')] = true;
