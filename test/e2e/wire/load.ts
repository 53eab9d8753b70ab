import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

/** What is asked of whom. */
export type Target = {
  readonly address: string;
  readonly port: number;
  /** The header `host`, by which a gateway chooses. */
  readonly host: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** A request that had no answer of a pod: what came instead, and when. */
export type Failure = { readonly at: Date; readonly reason: string };

/** What came of the requests of a load. */
export type Outcome = {
  readonly sent: number;
  /** Answers by the version that gave them. */
  readonly versions: Readonly<Record<string, number>>;
  readonly failures: readonly Failure[];
  readonly slowestMilliseconds: number;
};

export type Load = {
  /** Until now; requests that are under way are in `sent` only. */
  outcome(): Outcome;
  /** Sends no more, waits for the answers that are still to come. */
  stop(): Promise<Outcome>;
};

/** A request without an answer after so long has failed. */
const PATIENCE_MILLISECONDS = 10_000;
const TICK_MILLISECONDS = 10;
const BODY_CHARACTERS = 200;

/**
 * Sends GET requests at a steady rate, whether or not earlier ones have been answered, over connections that are kept.
 * Nothing is sent twice. @param versionOf reads the version out of a body; @throws what makes the answer a failure
 */
export function startLoad(target: Target, perSecond: number, versionOf: (body: string) => string): Load {
  const client = new Client(target, versionOf);
  const start = performance.now();
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - start) * perSecond) / 1000);
    while (client.sent < due) client.send();
  }, TICK_MILLISECONDS);
  return {
    outcome: () => client.outcome(),
    stop() {
      clearInterval(timer);
      return client.finish();
    },
  };
}

/** Sends so many requests at a steady rate and waits for all answers. */
export async function sendAll(
  count: number,
  target: Target,
  perSecond: number,
  versionOf: (body: string) => string,
): Promise<Outcome> {
  const client = new Client(target, versionOf);
  const start = performance.now();
  while (client.sent < count) {
    client.send();
    await sleep(Math.max(0, start + (client.sent * 1000) / perSecond - performance.now()));
  }
  return client.finish();
}

class Client {
  sent = 0;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #underWay = new Set<Promise<void>>();
  readonly #versions: Record<string, number> = {};
  readonly #failures: Failure[] = [];
  readonly #target: Target;
  readonly #versionOf: (body: string) => string;
  #slowest = 0;

  constructor(target: Target, versionOf: (body: string) => string) {
    this.#target = target;
    this.#versionOf = versionOf;
  }

  send(): void {
    this.sent += 1;
    const one: Promise<void> = this.#one().finally(() => this.#underWay.delete(one));
    this.#underWay.add(one);
  }

  outcome(): Outcome {
    const [versions, failures] = [{ ...this.#versions }, [...this.#failures]];
    return { sent: this.sent, versions, failures, slowestMilliseconds: Math.round(this.#slowest) };
  }

  async finish(): Promise<Outcome> {
    await Promise.all(this.#underWay);
    this.#agent.destroy();
    return this.outcome();
  }

  async #one(): Promise<void> {
    const start = performance.now();
    try {
      const version = this.#versionOf(await this.#body());
      this.#versions[version] = (this.#versions[version] ?? 0) + 1;
    } catch (error) {
      this.#failures.push({ at: new Date(), reason: error instanceof Error ? error.message : String(error) });
    }
    this.#slowest = Math.max(this.#slowest, performance.now() - start);
  }

  async #body(): Promise<string> {
    const { address, port, host, headers } = this.#target;
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const options = { host: address, port, headers: { ...headers, host }, agent: this.#agent };
      const sent = request({ ...options, signal: AbortSignal.timeout(PATIENCE_MILLISECONDS) }, resolve);
      sent.on('error', reject);
      sent.end();
    });
    const body = await text(answer);
    if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${body.slice(0, BODY_CHARACTERS)}`);
    return body;
  }
}
