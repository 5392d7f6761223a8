/** One request to the server, with its time-out and its repetitions. */
import { ConnectionError, retryAfter } from './errors.js';

export interface Policy {
  /** Of one attempt until the end of its answer, in milliseconds. */
  timeoutMs: number;
  /** How often a request is made again. */
  retries: number;
  /** The longest wait between two attempts; a longer Retry-After ends them. */
  maxWaitMs: number;
  /** Of the first wait, which doubles from attempt to attempt. */
  firstWaitMs: number;
  fetch: typeof fetch;
}

const AGAIN = new Set([408, 429, 500, 502, 503, 504]);

/** Sends a request until it is answered for good. It is safe to repeat: GET, PUT, PATCH and DELETE by their nature, POST by its
 *  Idempotency-Key. */
export async function send(request: Request, policy: Policy): Promise<Response> {
  const keyed = request.headers.has('Idempotency-Key');
  let unanswered = false; // an earlier attempt may have been carried out
  for (let attempt = 0; ; attempt++) {
    const last = attempt >= policy.retries;
    let wait = 0;
    try {
      const response = await once(last ? request : request.clone(), policy);
      if (request.method === 'DELETE' && unanswered && response.status === 404) return new Response(null, { status: 204 });
      const again = AGAIN.has(response.status) || (response.status === 409 && unanswered && keyed);
      if (last || !again) return response;
      const asked = retryAfter(response.headers);
      if (asked !== undefined && asked * 1000 > policy.maxWaitMs) return response;
      wait = asked === undefined ? 0 : asked * 1000;
    } catch (error) {
      unanswered = true;
      if (last || request.signal.aborted || !(error instanceof ConnectionError)) throw error;
    }
    const step = Math.min(policy.maxWaitMs, policy.firstWaitMs * 2 ** attempt);
    await pause(wait ? wait + Math.random() * Math.min(step, 1000) : step * (0.5 + Math.random() / 2), request.signal);
  }
}

async function once(request: Request, policy: Policy): Promise<Response> {
  const end = new AbortController(); // Node.js 18 has no AbortSignal.any
  const stop = () => end.abort(request.signal.reason);
  let late = false;
  const timer = setTimeout(() => { late = true; end.abort(); }, policy.timeoutMs);
  request.signal.addEventListener('abort', stop, { once: true });
  if (request.signal.aborted) stop();
  try {
    const response = await policy.fetch(request, { signal: end.signal });
    // The body belongs to the attempt: an answer that breaks off is none.
    const body = response.body === null || [204, 205, 304].includes(response.status) ? null : await response.arrayBuffer();
    return new Response(body, { status: response.status, statusText: response.statusText, headers: response.headers });
  } catch (cause) {
    if (request.signal.aborted) throw request.signal.reason;
    if (late) throw new ConnectionError('timeout', `no answer within ${policy.timeoutMs} ms: ${request.method} ${request.url}`, { cause });
    const why = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    throw new ConnectionError('connection', `no answer: ${request.method} ${request.url}: ${why}`, { cause });
  } finally {
    clearTimeout(timer);
    request.signal.removeEventListener('abort', stop);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, ms);
    function done() {
      signal.removeEventListener('abort', stop);
      resolve();
    }
    function stop() {
      clearTimeout(timer);
      reject(signal.reason);
    }
    signal.addEventListener('abort', stop, { once: true });
  });
}
