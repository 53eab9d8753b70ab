import type { Json } from '../json/value.ts';

/** One step of an RFC 6902 patch, of the three kinds that Sluice answers with. */
export type PatchOperation = {
  readonly op: 'add' | 'replace' | 'remove';
  readonly path: string;
  readonly value?: Json;
};

/** One thing that is wrong with one field, as `status.details.causes` of the API carries it. */
export type Cause = { readonly field: string; readonly message: string };

/** What a log line says beyond the request itself. */
export type About = {
  readonly rollout?: string;
  readonly step?: number;
  /** The script that failed, when that is why the answer is what it is. */
  readonly failedScript?: string;
};

type Extras = {
  /** Shown to the writer by kubectl and other clients. The API server cuts what exceeds 4096 characters in all. */
  readonly warnings: readonly string[];
  /** Keys without prefix: the API server puts the webhook's name and a slash before them. */
  readonly audit: Readonly<Record<string, string>>;
  readonly about: About;
};

/** What a handler decided about a request. Only `src/server` knows how it travels. */
export type Answer = Extras &
  (
    | { readonly verdict: 'allowed' }
    | { readonly verdict: 'patched'; readonly operations: readonly PatchOperation[] }
    | { readonly verdict: 'denied'; readonly message: string; readonly causes: readonly Cause[] }
    | { readonly verdict: 'failed'; readonly message: string; readonly retryAfterSeconds: number | undefined }
  );

const NONE: Extras = { warnings: [], audit: {}, about: {} };
const PLAIN_ALLOW: Answer = { ...NONE, verdict: 'allowed' };

/** The write goes through as it is. */
export function allow(extras?: Partial<Extras>): Answer {
  return extras === undefined ? PLAIN_ALLOW : { ...NONE, ...extras, verdict: 'allowed' };
}

/** The write goes through with `operations` applied. */
export function patch(operations: readonly PatchOperation[], extras?: Partial<Extras>): Answer {
  return { ...NONE, ...extras, verdict: 'patched', operations };
}

/**
 * The write is refused because of what it says: the writer can mend it.
 * @param message says what is wrong and what to write instead; with `causes`, it lists them all.
 */
export function deny(message: string, extras?: Partial<Extras> & { readonly causes?: readonly Cause[] }): Answer {
  return { ...NONE, causes: [], ...extras, verdict: 'denied', message };
}

/**
 * The write could not be judged, and the writer cannot help it. With `retryAfterSeconds` the reason passes by itself;
 * without, it is a fault of ours.
 */
export function fail(message: string, extras?: Partial<Extras> & { readonly retryAfterSeconds?: number }): Answer {
  return { ...NONE, retryAfterSeconds: undefined, ...extras, verdict: 'failed', message };
}
