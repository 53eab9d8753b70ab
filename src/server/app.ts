import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Route } from '../admission/route.ts';
import { Aborted, checkHeaders, readBody } from './body.ts';
import { answerAdmission, answerConversion, type Exchange } from './exchange.ts';
import { addEnd, addHealth, bareExpress, pathOf, send, sendProblem } from './express-app.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import type { Log } from './log.ts';
import { openMetrics } from './metrics.ts';
import { plainApp } from './plain.ts';
import { Problem } from './problem.ts';

export type AppOptions = {
  readonly routes: readonly Route[];
  readonly limits?: Partial<Limits>;
  readonly log: Log;
  /** The version of the rewrite that the routes carry out. */
  readonly format: number;
  /** For the metrics: when the serving certificate ends; undefined while there is none. */
  readonly certificateNotAfter: () => Date | undefined;
  /** Why the process is not ready yet, or undefined when it is. */
  readonly notReady?: () => string | undefined;
};

/** A server apart from listening: what answers requests, and what it is doing. */
export type App = {
  /**
   * For the HTTPS port: reviews, `/healthz`, `/readyz`, and `/routes` (`{paths, format}`), by which the leader sees
   * what every webhook serves before it sends writes there.
   */
  readonly secure: RequestListener;
  /** For the plain port: `/metrics`, `/healthz`, `/readyz`. */
  readonly plain: RequestListener;
  requestsInFlight(): number;
  /** From now on `/readyz` says 503 and each answer ends its connection; requests are still served. */
  drain(): void;
  /** Resolves when no request is being read or answered. */
  idle(): Promise<void>;
};

/** Builds the server of `routes`. It listens nowhere, reads the clock only to measure and to say when a request came, and starts nothing. */
export function buildApp(options: AppOptions): App {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const load = new Load(limits);
  let draining = false;
  const metrics = openMetrics({
    certificateNotAfter: options.certificateNotAfter,
    requestsInFlight: () => load.requests,
  });
  const exchange: Exchange = { log: options.log, metrics };
  const state: State = {
    limits,
    load,
    exchange,
    routes: new Map(options.routes.map((route) => [route.path, route])),
    draining: () => draining,
  };
  const notReady = () => (draining ? 'shutting down' : options.notReady?.());
  return {
    secure: secureApp(state, options.format, notReady),
    plain: plainApp({ metrics, log: options.log, notReady }),
    requestsInFlight: () => load.requests,
    drain() {
      draining = true;
    },
    idle: () => load.idle(),
  };
}

type State = {
  readonly limits: Limits;
  readonly load: Load;
  readonly exchange: Exchange;
  readonly routes: ReadonlyMap<string, Route>;
  readonly draining: () => boolean;
};

/** How much is being worked on, so that a flood is answered with "try again" instead of with memory. */
class Load {
  requests = 0;
  #bytes = 0;
  readonly #limits: Limits;
  #waiting: (() => void)[] = [];

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** @throws Problem when the request of `bytes` would be one too many. */
  enter(bytes: number): void {
    const full = this.requests >= this.#limits.requestsInFlight;
    // One request alone always fits: its own limit is checked elsewhere.
    if (full || (this.requests > 0 && this.#bytes + bytes > this.#limits.bytesInFlight)) {
      throw new Problem('overloaded', 'too many requests at once; try again', 1);
    }
    this.requests += 1;
    this.#bytes += bytes;
  }

  leave(bytes: number): void {
    this.requests -= 1;
    this.#bytes -= bytes;
    if (this.requests > 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  idle(): Promise<void> {
    if (this.requests === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

function secureApp(state: State, format: number, notReady: () => string | undefined): RequestListener {
  const app = bareExpress();
  addHealth(app, notReady);
  const served = JSON.stringify({ paths: [...state.routes.keys()], format });
  app.get('/routes', (_request, response) => send(response, 200, served));
  addEnd(app, state.exchange.metrics, state.exchange.log);
  return (request, response) => {
    const route = state.routes.get(pathOf(request.url));
    // Reviews go past express, which would take a twentieth of the time of an admission to find one of few paths.
    if (route === undefined) app(request, response);
    else void serveReview(state, route, request, response);
  };
}

async function serveReview(
  { limits, load, exchange, draining }: State,
  route: Route,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const started = performance.now();
  const limit = route.review === 'ConversionReview' ? limits.conversionBytes : limits.reviewBytes;
  const declared = Number(request.headers['content-length'] ?? limit);
  try {
    checkHeaders(request, limit);
    load.enter(declared);
  } catch (error) {
    // What follows the headers is read and dropped, unless it is more than anyone should wait for.
    if (!(declared <= 5 * limit)) response.shouldKeepAlive = false;
    return refuse(response, exchange, error);
  }
  response.on('close', () => load.leave(declared));
  try {
    const { text, bytes } = await readBody(request, limit);
    const body =
      route.review === 'AdmissionReview'
        ? await answerAdmission(exchange, route, text, bytes, started)
        : await answerConversion(exchange, route, text, started);
    if (draining()) response.shouldKeepAlive = false;
    send(response, 200, body);
  } catch (error) {
    refuse(response, exchange, error);
  }
}

/** The one place where an error becomes an HTTP answer. What is no {@link Problem} is a fault of ours. */
function refuse(response: ServerResponse, { log, metrics }: Exchange, error: unknown): void {
  if (error instanceof Aborted) return;
  if (response.headersSent) {
    log.error({ err: error }, 'answer failed half-way');
    response.destroy();
    return;
  }
  if (error instanceof Problem) {
    log.warn({ problem: error.problem, reason: error.message }, 'request refused');
    sendProblem(response, metrics, error);
    return;
  }
  log.error({ err: error }, 'request failed');
  sendProblem(response, metrics, new Problem('failed', 'internal error: see the log of the webhook'));
}
