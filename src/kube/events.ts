import { randomBytes } from 'node:crypto';
import { stringAt } from '../json/value.ts';
import { NoAnswer, outcomeOf } from './api-error.ts';
import { type Client, type KubeObject, nameOf } from './client.ts';
import { type Clock, SYSTEM_CLOCK } from './clock.ts';
import { microTime } from './lease-record.ts';
import { type ObjectName, RESOURCES } from './resource.ts';

/** What happened to an object, for people (events.k8s.io/v1). */
export type EventText = {
  readonly type: 'Normal' | 'Warning';
  /** Why, in one word of at most 128 characters: `ScriptBroken`. */
  readonly reason: string;
  /** What was being done, in one word of at most 128 characters: `CheckScripts`. */
  readonly action: string;
  /** A sentence; cut at 1024 bytes. */
  readonly note: string;
};

export type EventRecorder = {
  /**
   * Records an event about an object, which needs `apiVersion`, `kind` and `metadata`. Returns at once and never throws.
   * The same event about the same object within {@link SERIES_MILLISECONDS} of the last becomes a count.
   */
  record(regarding: KubeObject, text: EventText): void;
  /**
   * Writes what is waiting, and resolves when that is done, successfully or not; after {@link CLOSING_MILLISECONDS} the
   * rest is dropped: another controller waits for the Lease meanwhile.
   */
  close(): Promise<void>;
};

export type EventRecorderOptions = {
  /** Of the program: `sluice.dev/controller`. */
  readonly reportingController: string;
  /** Of the process: the pod's name. */
  readonly reportingInstance: string;
  /** Told of the first event that could not be written, and again only after one could. */
  readonly onFailure: (error: Error) => void;
  readonly clock?: Clock;
};

/** Events that come again within this time are one series. */
export const SERIES_MILLISECONDS = 10 * 60_000;

/** How long the end of a process waits for its events. */
export const CLOSING_MILLISECONDS = 3_000;

/** The count of a series is written so often at most. */
const COUNT_MILLISECONDS = 30_000;

/** The API server keeps events for an hour; more than so many kinds of them at once is a storm, of which the oldest are forgotten. */
const MOST_SERIES = 4096;
const MOST_WAITING = 1000;
const MOST_NOTE_BYTES = 1024;

type Series = {
  readonly key: string;
  readonly event: KubeObject;
  /** Undefined until the first was written. */
  stored: ObjectName | undefined;
  count: number;
  written: number;
  lastSeen: Date;
  lastMonotonic: number;
  cancelCount: (() => void) | undefined;
};

/** A recorder that writes one event after the other, in the background. */
export function eventRecorder(client: Pick<Client, 'create' | 'patch'>, options: EventRecorderOptions): EventRecorder {
  const recorder = new Recorder(client, options);
  return { record: (regarding, text) => recorder.record(regarding, text), close: () => recorder.close() };
}

class Recorder {
  readonly #client: Pick<Client, 'create' | 'patch'>;
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  /** In the order of their last event. */
  readonly #series = new Map<string, Series>();
  readonly #waiting = new Set<Series>();
  #writing: Promise<void> | undefined;
  #isFailing = false;

  constructor(client: Pick<Client, 'create' | 'patch'>, options: EventRecorderOptions) {
    this.#client = client;
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
  }

  record(regarding: KubeObject, text: EventText): void {
    const event = this.#event(regarding, text);
    const key = JSON.stringify([event['regarding'], text.type, text.reason, event['note']]);
    const [now, monotonic] = [this.#clock.now(), this.#clock.monotonic()];
    const known = this.#series.get(key);
    this.#series.delete(key);
    if (known !== undefined && monotonic - known.lastMonotonic < SERIES_MILLISECONDS) {
      this.#series.set(key, Object.assign(known, { count: known.count + 1, lastSeen: now, lastMonotonic: monotonic }));
      known.cancelCount ??= this.#clock.after(COUNT_MILLISECONDS, () => this.#countNow(known));
      return;
    }
    const series: Series = {
      ...{ key, event, stored: undefined, count: 1, written: 0, cancelCount: undefined },
      ...{ lastSeen: now, lastMonotonic: monotonic },
    };
    this.#series.set(key, series);
    this.#forgetOldest();
    this.#enqueue(series);
  }

  async close(): Promise<void> {
    for (const series of this.#series.values()) if (series.cancelCount !== undefined) this.#countNow(series);
    const late = Promise.withResolvers<void>();
    const cancel = this.#clock.after(CLOSING_MILLISECONDS, late.resolve);
    await Promise.race([this.#writing, late.promise]);
    cancel();
    this.#waiting.clear();
  }

  #event(regarding: KubeObject, { type, reason, action, note }: EventText): KubeObject {
    const { namespace = 'default', name } = nameOf(regarding);
    const reference = {
      apiVersion: stringAt(regarding, 'apiVersion') ?? '',
      kind: stringAt(regarding, 'kind') ?? '',
      ...nameOf(regarding),
      uid: stringAt(regarding, 'metadata', 'uid') ?? '',
    };
    const { reportingController, reportingInstance } = this.#options;
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      // Names of events are 253 characters at most, as those of objects: a long one is cut.
      metadata: { namespace, name: `${name.slice(0, 230)}.${randomBytes(8).toString('hex')}` },
      eventTime: microTime(this.#clock.now()),
      ...{ reportingController, reportingInstance: reportingInstance.slice(0, 128) },
      ...{ type, reason, action, note: cut(note, MOST_NOTE_BYTES), regarding: reference },
    };
  }

  #countNow(series: Series): void {
    series.cancelCount?.();
    series.cancelCount = undefined;
    this.#enqueue(series);
  }

  #forgetOldest(): void {
    const [oldest] = this.#series.values();
    if (this.#series.size <= MOST_SERIES || oldest === undefined) return;
    this.#series.delete(oldest.key);
    if (oldest.cancelCount !== undefined) this.#countNow(oldest);
  }

  #enqueue(series: Series): void {
    if (this.#waiting.size >= MOST_WAITING) {
      this.#fail(new NoAnswer(`more than ${MOST_WAITING} events wait to be written: the newest are dropped`));
      this.#series.delete(series.key);
      return;
    }
    this.#waiting.add(series);
    this.#writing ??= this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    await Promise.resolve(); // the caller of record() goes first
    for (const series of this.#waiting) {
      this.#waiting.delete(series);
      try {
        await this.#write(series);
        this.#isFailing = false;
      } catch (error) {
        this.#series.delete(series.key); // the next one is a new event
        this.#fail(error instanceof Error ? error : new Error(String(error)));
      }
    }
    this.#writing = undefined;
  }

  async #write(series: Series): Promise<void> {
    const { count, stored, lastSeen } = series;
    if (stored !== undefined && count > series.written) {
      const body = { series: { count, lastObservedTime: microTime(lastSeen) } };
      try {
        await this.#client.patch(RESOURCES.event, stored, 'merge', body);
        series.written = count;
        return;
      } catch (error) {
        if (outcomeOf(error) !== 'gone') throw error; // its hour is over: it is made again
      }
    }
    if (stored !== undefined && count === series.written) return;
    const again = count > 1 ? { series: { count, lastObservedTime: microTime(lastSeen) } } : {};
    const made = await this.#client.create(RESOURCES.event, { ...series.event, ...again });
    Object.assign(series, { stored: nameOf(made), written: count });
  }

  #fail(error: Error): void {
    if (!this.#isFailing) this.#options.onFailure(error);
    this.#isFailing = true;
  }
}

/** The text in at most so many bytes of UTF-8, with `…` where something was cut off. */
function cut(text: string, bytes: number): string {
  const whole = Buffer.from(text);
  if (whole.length <= bytes) return text;
  let end = bytes - Buffer.byteLength('…');
  while (((whole[end] ?? 0) & 0xc0) === 0x80) end -= 1; // not within a character
  return `${whole.toString('utf8', 0, end)}…`;
}
