import type { Client } from '../kube/client.ts';

/** What the controller does with the API server beyond watching. Writes are fenced by whoever makes the client. */
export type Api = Pick<Client, 'get' | 'listAll' | 'create' | 'patch' | 'delete'>;

/** Names the controller in managedFields. */
export const FIELD_MANAGER = 'sluice-controller';

/** An object that an Event is about. */
export type Regarding = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
};

export type EventNote = {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  /** What the controller was doing. */
  readonly action: string;
  readonly note: string;
};

/** Tells people of something. Never throws: an Event that is lost is no reason to stop. */
export type RecordEvent = (regarding: Regarding, event: EventNote) => void;

/** What API servers ask Sluice about, as the webhook configurations say. */
export type Guard = {
  /** Namespaces that no webhook of ours ever sees. */
  readonly excludedNamespaces: ReadonlySet<string>;
  /** Whether they ask at all; `undecided` where that is not known, and what has been told stays. */
  calling(): 'called' | 'undecided' | { readonly reason: string };
  /** Called when that has been decided in another way. The answer ends that. */
  onCalling(listener: () => void): () => void;
};

/** Where the controller writes its log: fields, then words. */
export type Log = {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
};

/** Something is not there yet, or changed in between: it passes, and is tried again soon. */
export class TryAgain extends Error {
  override readonly name = 'TryAgain';
}
