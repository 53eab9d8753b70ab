import { type PairNames, provePair } from './pair.ts';
import { SERVING_SECRET, type SecretData } from './secrets.ts';
import type { CertificateSource, KeyPair } from './source.ts';

/** Watches one Secret by its name. */
export interface SecretWatch {
  /** Calls `listener` with the data now and at every change, `undefined` while there is no such Secret. Returns what ends it. */
  watch(name: string, listener: (data: SecretData | undefined) => void): () => void;
}

export type WatchedSourceOptions = {
  readonly secrets: SecretWatch;
  /** Told once of each new reason why there is no new pair; the pair in use stays. */
  readonly onProblem: (problem: Error) => void;
  /** Ends the wait for the first pair. */
  readonly signal?: AbortSignal;
};

const NAMES: PairNames = {
  certificate: `tls.crt of the Secret ${SERVING_SECRET}`,
  key: `tls.key of the Secret ${SERVING_SECRET}`,
};

/**
 * The source of a webhook in a cluster: the Secret that the controller writes. Waits until it has a pair for the first time, since a
 * webhook may start before the controller. A pair that does not fit, and a Secret that is deleted, leave the last good pair in use.
 * @throws the signal's reason when it is aborted before there was a pair.
 */
export function watchedCertificates({ secrets, onProblem, signal }: WatchedSourceOptions): Promise<CertificateSource> {
  const listeners = new Set<(pair: KeyPair) => void>();
  let pair: KeyPair | undefined;
  let lastProblem = '';
  const first = Promise.withResolvers<KeyPair>();

  const take = (data: SecretData | undefined): void => {
    try {
      const next = pairOf(data);
      lastProblem = '';
      if (next.certificate === pair?.certificate && next.key === pair.key) return;
      pair = next;
    } catch (error) {
      const problem = error instanceof Error ? error : new Error(String(error));
      if (problem.message !== lastProblem) onProblem(problem);
      lastProblem = problem.message;
      return;
    }
    first.resolve(pair);
    for (const listener of listeners) listener(pair);
  };

  const end = secrets.watch(SERVING_SECRET, take);
  const abort = (): void => {
    end();
    first.reject(signal?.reason);
  };
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  return first.promise.then((initial) => {
    signal?.removeEventListener('abort', abort);
    return {
      current: () => pair ?? initial,
      onChange(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      close: end,
    };
  });
}

function pairOf(data: SecretData | undefined): KeyPair {
  if (!data) {
    throw new Error(
      `there is no Secret ${SERVING_SECRET}; the controller makes it, or the one that it lost, within minutes`,
    );
  }
  return provePair(data['tls.crt'] ?? '', data['tls.key'] ?? '', NAMES);
}
