/** The register of errors that are answered in HTTP itself, because there is no review to answer them in. */
export const PROBLEMS = {
  malformed: { code: 400, reason: 'BadRequest' },
  notFound: { code: 404, reason: 'NotFound' },
  methodNotAllowed: { code: 405, reason: 'MethodNotAllowed' },
  tooLarge: { code: 413, reason: 'RequestEntityTooLarge' },
  unsupportedMediaType: { code: 415, reason: 'UnsupportedMediaType' },
  overloaded: { code: 429, reason: 'TooManyRequests' },
  failed: { code: 500, reason: 'InternalError' },
  unavailable: { code: 503, reason: 'ServiceUnavailable' },
} as const;

export type ProblemName = keyof typeof PROBLEMS;

/** A request that ends in an HTTP error. The message is for whoever sent it: it quotes nothing of the body. */
export class Problem extends Error {
  readonly problem: ProblemName;
  readonly retryAfterSeconds: number | undefined;

  constructor(problem: ProblemName, message: string, retryAfterSeconds?: number) {
    super(message);
    this.name = 'Problem';
    this.problem = problem;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** A failed `Status` (meta/v1) as the body of an error: what every client of the Kubernetes API can read. */
export function problemBody({ problem, message, retryAfterSeconds }: Problem): string {
  const { code, reason } = PROBLEMS[problem];
  return JSON.stringify({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(retryAfterSeconds === undefined ? {} : { details: { retryAfterSeconds } }),
    code,
  });
}
