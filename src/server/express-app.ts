import type { ServerResponse } from 'node:http';
import express from 'express';
import type { Log } from './log.ts';
import { PROBLEMS, Problem, type ProblemName, problemBody } from './problem.ts';

/** Counts requests that were answered with an HTTP error. */
export type ProblemCount = { problem(name: ProblemName): void };

/** An express application that says nothing of itself and parses nothing. */
export function bareExpress(): express.Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  return app;
}

/** `/healthz` (the process runs) and `/readyz` (why it is not ready, with 503). */
export function addHealth(app: express.Express, notReady: () => string | undefined): void {
  app.get('/healthz', (_request, response) => sendText(response, 200, 'ok'));
  app.get('/readyz', (_request, response) => {
    const reason = notReady();
    if (reason === undefined) sendText(response, 200, 'ok');
    else sendText(response, 503, reason);
  });
}

/** What no route took, and what went wrong in express itself (a path that cannot be decoded, say). */
export function addEnd(app: express.Express, problems: ProblemCount, log: Log): void {
  app.use((request, response) => {
    sendProblem(response, problems, new Problem('notFound', `nothing is served at ${pathOf(request.url)}`));
  });
  const onError: express.ErrorRequestHandler = (error, _request, response, next) => {
    if (response.headersSent) return next(error);
    const status = error instanceof Error && 'status' in error ? error.status : undefined;
    if (status === 400) return sendProblem(response, problems, new Problem('malformed', 'the path cannot be read'));
    log.error({ err: error }, 'request failed');
    sendProblem(response, problems, new Problem('failed', 'internal error'));
  };
  app.use(onError);
}

/** The path of a request's target. The API server appends its time limit: `/convert?timeout=30s`. */
export function pathOf(url = '/'): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

/** An HTTP error as a failed Status. */
export function sendProblem(response: ServerResponse, problems: ProblemCount, problem: Problem): void {
  problems.problem(problem.problem);
  if (problem.retryAfterSeconds !== undefined) response.setHeader('retry-after', problem.retryAfterSeconds);
  if (problem.problem === 'methodNotAllowed') response.setHeader('allow', 'POST');
  send(response, PROBLEMS[problem.problem].code, problemBody(problem));
}

/** JSON text as an answer. */
export function send(response: ServerResponse, code: number, body: string): void {
  const length = Buffer.byteLength(body);
  response.writeHead(code, { 'content-type': 'application/json', 'content-length': length });
  // Patches are base64 and so nearly every answer is ASCII, which is written faster when that is known.
  response.end(body, length === body.length ? 'latin1' : 'utf8');
}

function sendText(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(text);
}
