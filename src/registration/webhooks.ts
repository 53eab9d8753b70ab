import type { Clock } from '../kube/clock.ts';
import type { Answer, Question } from './ask-routes.ts';
import type { Endpoint } from './endpoints.ts';

/** A ready webhook and what is known of it. */
export type KnownWebhook = { readonly endpoint: Endpoint; readonly answer: Answer | undefined };

export type Webhooks = {
  /** Those that are ready now; new ones are asked at once. */
  follow(endpoints: readonly Endpoint[]): void;
  /** Asks all again, of a changed bundle. */
  trust(bundle: string): void;
  known(): readonly KnownWebhook[];
  /** Asks all now; ends when all have answered, or failed to. */
  askAll(): Promise<readonly KnownWebhook[]>;
  close(): void;
};

export type WebhooksOptions = {
  readonly servername: string;
  readonly ask: (endpoint: Endpoint, question: Question) => Promise<Answer>;
  readonly clock: Clock;
  /** Between two questions to a webhook that answers, in milliseconds. */
  readonly interval: number;
  /** Something else is known of a webhook than before. */
  readonly onChange: () => void;
};

/** After a failure: doubled from here up to the interval. */
const FIRST_RETRY = 250;

type Followed = {
  endpoint: Endpoint;
  answer: Answer | undefined;
  failures: number;
  callOff: () => void;
  /** Which question counts: an answer to an earlier one comes too late. */
  asked: number;
};

/**
 * Knows what each ready webhook serves. What a pod serves stays known when it fails to answer once: a process does
 * not change its routes, and one lost answer must not look like another version.
 */
export function followWebhooks({ servername, ask, clock, interval, onChange }: WebhooksOptions): Webhooks {
  const followed = new Map<string, Followed>();
  let bundle = '';

  async function question(webhook: Followed): Promise<void> {
    webhook.callOff();
    if (bundle === '') return;
    const asked = ++webhook.asked;
    const answer = await ask(webhook.endpoint, { servername, bundle });
    if (asked !== webhook.asked || followed.get(webhook.endpoint.id) !== webhook) return;
    const before = webhook.answer;
    const failed = answer.paths === undefined;
    webhook.answer = failed
      ? {
          ...answer,
          paths: before?.paths,
          format: before?.format,
          certificate: answer.certificate ?? before?.certificate,
        }
      : answer;
    webhook.failures = failed ? webhook.failures + 1 : 0;
    const wait = failed ? Math.min(interval, FIRST_RETRY * 2 ** (webhook.failures - 1)) : interval;
    webhook.callOff = clock.after(wait, () => void question(webhook));
    if (before === undefined || !sameAnswer(before, webhook.answer)) onChange();
  }

  function forget(webhook: Followed): void {
    webhook.callOff();
    followed.delete(webhook.endpoint.id);
  }

  const known = (): KnownWebhook[] => [...followed.values()].map(({ endpoint, answer }) => ({ endpoint, answer }));

  return {
    follow(endpoints) {
      const ids = new Set(endpoints.map(({ id }) => id));
      for (const webhook of [...followed.values()]) if (!ids.has(webhook.endpoint.id)) forget(webhook);
      for (const endpoint of endpoints) {
        const before = followed.get(endpoint.id);
        if (before?.endpoint.address === endpoint.address && before.endpoint.port === endpoint.port) continue;
        before?.callOff();
        const webhook: Followed = { endpoint, answer: undefined, failures: 0, callOff: () => undefined, asked: 0 };
        followed.set(endpoint.id, webhook);
        void question(webhook);
      }
    },
    trust(pem) {
      if (pem === bundle) return;
      bundle = pem;
      for (const webhook of followed.values()) {
        webhook.failures = 0;
        void question(webhook);
      }
    },
    known,
    async askAll() {
      await Promise.all([...followed.values()].map(question));
      return known();
    },
    close() {
      for (const webhook of [...followed.values()]) forget(webhook);
    },
  };
}

function sameAnswer(a: Answer, b: Answer): boolean {
  return (
    a.certificate === b.certificate &&
    a.problem === b.problem &&
    a.format === b.format &&
    a.paths?.size === b.paths?.size &&
    [...(a.paths ?? [])].every((path) => b.paths?.has(path))
  );
}
