import type { CertificateReason } from './action.ts';
import { type Clock, SYSTEM_CLOCK } from './clock.ts';
import { type CertificateSettings, paceOf } from './pace.ts';
import { planCertificates } from './plan.ts';
import {
  AUTHORITY_SECRET,
  bundleOf,
  readStored,
  SERVING_SECRET,
  type SecretData,
  type SecretStore,
  type Stored,
} from './secrets.ts';
import { canSign, issuerOf } from './serving-plan.ts';
import { type InUse, measureSettling, NOTHING_SETTLED } from './settling.ts';
import { type Issuer, LOCAL_ISSUER, secretAfter } from './written.ts';

/** A Secret was written, and why. Never holds a key. */
export type CertificateWrite = {
  readonly secret: typeof AUTHORITY_SECRET | typeof SERVING_SECRET;
  readonly reason: CertificateReason;
  readonly message: string;
};

export type KeeperOptions = {
  readonly settings: CertificateSettings;
  readonly secrets: SecretStore;
  /** What the cluster uses now, read from the API and asked from the webhooks; only called while a rotation is under way. */
  readonly inUse: () => Promise<InUse>;
  readonly issuer?: Issuer;
  readonly clock?: Clock;
  /** Told of each write, for a log line and an Event. */
  readonly onWrite: (write: CertificateWrite) => void;
  /** Told once of each new reason why a look failed; looks go on, ever more seldom up to the pace of rest. */
  readonly onProblem: (problem: Error) => void;
};

export type CertificateKeeper = {
  /** The bundle that configurations should carry, in PEM; undefined until the first look succeeded. */
  trusted(): string | undefined;
  /** Calls `listener` with the bundle, at once when it is known already, and whenever it changes. Returns what ends the calls. */
  onTrusted(listener: (bundle: string) => void): () => void;
  /** Looks now, as when a watch says that a Secret changed. Ends when this look has ended, failed or not. */
  check(): Promise<void>;
  /** Stops: begins no further write. Ends when nothing runs any more. */
  close(): Promise<void>;
};

/** A look writes three times at most when all is well; conflicts with other keepers come on top. */
const MOST_STEPS = 50;

/**
 * Keeps both Secrets: read, plan, write, until there is nothing to do; then sleeps as the plan says. Any number of keepers may run at
 * once: every write names the version that it is based on, and whoever loses reads again. All state is in the Secrets,
 * hence a keeper may end at any moment; what it remembers only helps when both Secrets are lost.
 * @throws for settings that cannot work.
 */
export function keepCertificates(options: KeeperOptions): CertificateKeeper {
  const { settings, clock = SYSTEM_CLOCK, issuer = LOCAL_ISSUER, onProblem } = options;
  const pace = paceOf(settings);
  const listeners = new Set<(bundle: string) => void>();
  const measure = measureSettling();
  let trusted: string | undefined;
  /** The serving Secret when it last held a sound pair: what webhooks go on serving. */
  let lastSound: SecretData | undefined;
  let closed = false;
  let callOff = (): void => undefined;
  let last = Promise.resolve();
  let failures = 0;
  let lastProblem = '';

  const announce = (bundle: string): void => {
    if (bundle === trusted || bundle === '') return;
    trusted = bundle;
    for (const listener of listeners) listener(bundle);
  };

  const step = async (): Promise<number | 'again'> => {
    const { authority, serving, versions } = await readSecrets(options.secrets);
    const found = readStored(authority, serving);
    if (found.serving.state === 'sound') lastSound = serving;
    const stored = found.serving.state === 'sound' ? found : withServed(found, authority, lastSound, clock.now());
    announce(bundleOf(stored.authorities));
    // With one CA there is nothing to wait for, and nobody needs to be asked.
    const settled =
      stored.authorities.length > 1 ? measure(stored, await options.inUse(), clock.monotonic()) : NOTHING_SETTLED;
    const { action, after } = planCertificates({ ...stored, ...settled }, settings, clock.now());
    if (!action) return after;
    const { secret, data } = await secretAfter(action, stored, settings, issuer, clock.now());
    if (closed) return after;
    const outcome = await options.secrets.write(secret, data, versions[secret]);
    if (outcome === 'written') options.onWrite({ secret, reason: action.reason, message: action.message });
    return 'again';
  };

  const look = async (): Promise<number> => {
    for (let steps = 0; steps < MOST_STEPS && !closed; steps++) {
      const after = await step();
      if (after !== 'again') return after;
    }
    if (closed) return pace.rest;
    throw new Error(`${AUTHORITY_SECRET} and ${SERVING_SECRET} still change after ${MOST_STEPS} steps`);
  };

  const run = async (): Promise<void> => {
    if (closed) return;
    let after: number;
    try {
      after = await look();
      failures = 0;
      lastProblem = '';
    } catch (error) {
      const problem = error instanceof Error ? error : new Error(String(error));
      if (problem.message !== lastProblem) onProblem(problem);
      lastProblem = problem.message;
      after = Math.min(pace.rest, pace.poll * 2 ** failures++);
    }
    if (!closed) callOff = clock.after(after, wake);
  };

  const check = (): Promise<void> => {
    callOff();
    last = last.then(() => {
      callOff();
      return run();
    });
    return last;
  };
  const wake = (): void => void check();

  wake();
  return {
    trusted: () => trusted,
    onTrusted(listener) {
      listeners.add(listener);
      if (trusted !== undefined) listener(trusted);
      return () => listeners.delete(listener);
    },
    check,
    close() {
      closed = true;
      callOff();
      return last;
    },
  };
}

/**
 * When a pair is lost together with the key that could sign another for the same CA, no certificate that is made now is
 * trusted by API servers yet. The pair that webhooks still serve goes back into its Secret then, and is replaced as in
 * any rotation: once another CA is trusted everywhere.
 */
function withServed(
  found: Stored,
  authority: SecretData | undefined,
  served: SecretData | undefined,
  now: number,
): Stored {
  if (served === undefined) return found;
  const before = readStored(authority, served);
  const issuer = issuerOf(before, now);
  if (issuer === undefined || canSign(issuer, now)) return found;
  return { ...before, published: '' };
}

type Versions = Record<typeof AUTHORITY_SECRET | typeof SERVING_SECRET, string | 'absent'>;

/**
 * The authority Secret is read first. When another keeper writes both in between, the list of CAs is the older one, and what
 * would be concluded from a certificate of a CA that is not in it is a write of the list, which is a conflict then.
 */
async function readSecrets(secrets: SecretStore) {
  const authority = await secrets.read(AUTHORITY_SECRET);
  const serving = await secrets.read(SERVING_SECRET);
  const versions: Versions = {
    [AUTHORITY_SECRET]: authority?.resourceVersion ?? 'absent',
    [SERVING_SECRET]: serving?.resourceVersion ?? 'absent',
  };
  return { authority: authority?.data, serving: serving?.data, versions };
}
