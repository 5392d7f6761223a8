/** Express: `app.post('/hook', webhook(verifier), (request, response) => { request.webhook … })`. Stands before any body parser of
 *  the route; the bytes stay in `request.rawBody`. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { SignatureError, type WebhookEvent, type WebhookVerifier } from './webhooks.js';

export interface ReceiverOptions {
  /** Largest body in bytes. Default 8 MiB. */
  maxBytes?: number;
}

declare global {
  namespace Express {
    interface Request {
      webhook?: WebhookEvent;
      rawBody?: Buffer;
    }
  }
}

type Received = IncomingMessage & { webhook?: WebhookEvent; rawBody?: Buffer; body?: unknown };

/** A middleware that verifies: 401 with the reason when a request is not the sender's, 413 when it is too large. */
export function webhook(verifier: WebhookVerifier, options: ReceiverOptions = {}) {
  const most = options.maxBytes ?? 8 << 20;
  return (request: Received, response: ServerResponse, next: (error?: unknown) => void): void => {
    const refuse = (status: number, why: string) => {
      response.writeHead(status, { 'Content-Type': 'text/plain' }).end(`${why}\n`);
    };
    const check = (body: Buffer) => {
      try {
        request.webhook = verifier.constructEvent(body, request.rawHeaders, request.method);
        request.rawBody = body;
        request.body = request.webhook.body;
      } catch (error) {
        if (error instanceof SignatureError) return refuse(401, error.message);
        return next(error);
      }
      next();
    };
    if (Buffer.isBuffer(request.body)) return check(request.body); // express.raw() came first
    if (request.readableEnded) return next(new Error('the body has been read already: put webhook() before express.json()'));
    const parts: Buffer[] = [];
    let size = 0;
    request.on('data', (part: Buffer) => {
      size += part.length;
      if (size <= most) parts.push(part);
    });
    request.on('end', () => (size > most ? refuse(413, `the body has more than ${most} bytes`) : check(Buffer.concat(parts))));
    request.on('error', next);
  };
}
