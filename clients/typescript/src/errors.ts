/** What calls fail with. `kind` is the same word in every client. */

export type ErrorKind =
  | 'bad_request' | 'unauthorized' | 'forbidden' | 'not_found' | 'conflict' | 'precondition_failed' | 'too_large' | 'unsupported_media_type'
  | 'invalid' | 'rate_limited' | 'unavailable' | 'api' | 'connection' | 'timeout' | 'full' | 'closed';

/** One wrong value of a request. */
export interface Fault {
  pointer?: string;
  parameter?: string;
  detail?: string;
}

/** Every error of this package but `SignatureError` is one. */
export class TenterhookError extends Error {
  override name = 'TenterhookError';
  constructor(readonly kind: ErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** There was no answer, or none in time (`kind` is `timeout`). */
export class ConnectionError extends TenterhookError {
  override name = 'ConnectionError';
}

/** The server refused: a problem as in RFC 9457. */
export class ApiError extends TenterhookError {
  override name = 'ApiError';
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  /** As in the header Request-Id and in the server's log. */
  readonly requestId: string | undefined;
  /** Each wrong value of the request. */
  readonly errors: Fault[];
  /** Seconds that the server asks to wait. */
  readonly retryAfter: number | undefined;
  /** The whole answer. */
  readonly problem: Record<string, unknown>;

  constructor(kind: ErrorKind, status: number, problem: Record<string, unknown>, headers: Headers) {
    const text = (value: unknown, otherwise: string) => (typeof value === 'string' ? value : otherwise);
    const detail = text(problem['detail'], text(problem['title'], `HTTP status ${status}`));
    super(kind, `${status}: ${detail}`);
    this.status = status;
    this.title = text(problem['title'], '');
    this.detail = detail;
    this.requestId = text(problem['request_id'], headers.get('Request-Id') ?? '') || undefined;
    this.errors = Array.isArray(problem['errors']) ? (problem['errors'] as Fault[]) : [];
    this.retryAfter = retryAfter(headers);
    this.problem = problem;
  }
}

export class BadRequestError extends ApiError { override name = 'BadRequestError'; }
export class UnauthorizedError extends ApiError { override name = 'UnauthorizedError'; }
export class ForbiddenError extends ApiError { override name = 'ForbiddenError'; }
export class NotFoundError extends ApiError { override name = 'NotFoundError'; }
export class ConflictError extends ApiError { override name = 'ConflictError'; }
export class PreconditionFailedError extends ApiError { override name = 'PreconditionFailedError'; }
export class TooLargeError extends ApiError { override name = 'TooLargeError'; }
export class InvalidError extends ApiError { override name = 'InvalidError'; }
export class RateLimitedError extends ApiError { override name = 'RateLimitedError'; }
export class UnavailableError extends ApiError { override name = 'UnavailableError'; }

const KINDS: Record<number, [ErrorKind, typeof ApiError]> = {
  400: ['bad_request', BadRequestError], 401: ['unauthorized', UnauthorizedError], 403: ['forbidden', ForbiddenError], 404: ['not_found', NotFoundError],
  409: ['conflict', ConflictError], 412: ['precondition_failed', PreconditionFailedError], 413: ['too_large', TooLargeError],
  415: ['unsupported_media_type', ApiError], 422: ['invalid', InvalidError], 429: ['rate_limited', RateLimitedError],
};

/** The error of an answer that is no success. */
export function errorOf(response: Response, body: unknown): ApiError {
  const [kind, type] = KINDS[response.status] ?? (response.status >= 500 ? (['unavailable', UnavailableError] as const) : (['api', ApiError] as const));
  return new type(kind, response.status, typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {}, response.headers);
}

/** Retry-After in seconds: a number, or a date. */
export function retryAfter(headers: Headers, now = Date.now()): number | undefined {
  const text = headers.get('Retry-After');
  if (text === null) return undefined;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text);
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - now) / 1000));
}
