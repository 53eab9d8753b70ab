import { parseJson } from '../json/text.ts';
import { at, type Json, stringAt } from '../json/value.ts';

/**
 * What an API server answered instead of what was asked for: an HTTP status with a `Status` object (meta/v1). `reason` is
 * the one of the Status (`NotFound`, `AlreadyExists`, `Conflict`, `Expired`, `Forbidden`, `Invalid`, …), empty where
 * something else on the way answered.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly reason: string;
  /** Seconds that the server asked to wait, from `Retry-After`. */
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, reason: string, message: string, retryAfterSeconds?: number) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** There was no answer: the connection failed, was cut, or took too long. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/** A write was not sent: this process does not hold its Lease, or may have lost it. */
export class NotLeading extends Error {
  override readonly name = 'NotLeading';
}

/** Makes the error of an answer. `what` says what was asked: `PATCH /api/v1/…`. */
export function apiError(what: string, status: number, body: string, retryAfter?: string): ApiError {
  const answer = statusOf(body);
  const message = stringAt(answer, 'message') ?? (body.slice(0, 200).trim() || 'no reason given');
  const seconds = Number(retryAfter ?? at(answer, ['details', 'retryAfterSeconds']));
  return new ApiError(
    status,
    stringAt(answer, 'reason') ?? '',
    `${what}: ${status} ${message}`,
    Number.isFinite(seconds) ? seconds : undefined,
  );
}

function statusOf(body: string): Json | undefined {
  try {
    return parseJson(body);
  } catch {
    return undefined; // a proxy's page, say: the message shows its beginning
  }
}

/**
 * What an error means for whoever asked:
 * `gone`: the object is not there; `exists`: it is there already; `conflict`: it has changed since it was read;
 * `expired`: the resourceVersion is too old, list again; `refused`: a rule or a missing right says no, and will again;
 * `passing`: try again later.
 */
export type Outcome = 'gone' | 'exists' | 'conflict' | 'expired' | 'refused' | 'passing';

/** The outcome of an error of this folder; undefined for any other error, which is a fault of ours. */
export function outcomeOf(error: unknown): Outcome | undefined {
  if (error instanceof NoAnswer || error instanceof NotLeading) return 'passing';
  if (!(error instanceof ApiError)) return undefined;
  const { status, reason } = error;
  if (status === 404) return 'gone';
  if (status === 409) return reason === 'AlreadyExists' ? 'exists' : 'conflict';
  if (status === 410) return 'expired';
  if (status === 408 || status === 429 || status >= 500) return 'passing';
  return 'refused';
}
