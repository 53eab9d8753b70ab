import { randomUUID } from 'node:crypto';
import { NoAnswer, NotLeading, outcomeOf } from './api-error.ts';
import type { Client, KubeObject } from './client.ts';
import { type Clock, SYSTEM_CLOCK } from './clock.ts';
import { type LeaseRecord, leaseObject, readLease, released, renewed, taken } from './lease-record.ts';
import { jittered } from './pause.ts';
import { RESOURCES } from './resource.ts';

/** In milliseconds; the defaults are client-go's. */
export type LeaseTimes = {
  /** So long after its last sign of life a holder is taken for gone. Whole seconds: the Lease holds it. */
  readonly leaseDuration: number;
  /** So long after its last renewal a leader goes on; the rest of `leaseDuration` is for writes on their way. */
  readonly renewDeadline: number;
  readonly retryPeriod: number;
};

const TIMES: LeaseTimes = { leaseDuration: 15_000, renewDeadline: 10_000, retryPeriod: 2_000 };

/** The client of the Lease itself: one without a fence, since it is what moves the fence. */
export type LeaseClient = Pick<Client, 'get' | 'create' | 'replace'>;

export type ElectionOptions = {
  readonly namespace: string;
  readonly name: string;
  /** Tells this process from every other, also from itself after a restart: see {@link leaseIdentity}. */
  readonly identity: string;
  /** A term begins; its signal is aborted when it ends. A later term may follow. */
  readonly onStartedLeading: (signal: AbortSignal) => void;
  /** A term has ended, for this reason; the fence is shut already. */
  readonly onStoppedLeading: (reason: string) => void;
  /** Told of each attempt at the Lease that failed. */
  readonly onProblem?: (error: Error) => void;
  readonly times?: Partial<LeaseTimes>;
  readonly clock?: Clock;
  /** Numbers from 0 to 1, for the waits. */
  readonly random?: () => number;
};

export type Election = {
  /** @throws NotLeading unless this process holds the Lease for certain: `ClientOptions.beforeWrite` of who acts as leader. */
  readonly fence: () => void;
  isLeading(): boolean;
  /** Who held the Lease when it was last seen; empty: nobody. */
  holder(): string;
  /** Rejects with a fault of ours; settles after {@link close}. */
  readonly finished: Promise<void>;
  /** Ends the term, if any, and gives the Lease back, so that another process need not wait. */
  close(): Promise<void>;
};

/** An identity for this process: the pod's name, and something that a container which starts again does not share. */
export function leaseIdentity(podName: string): string {
  return `${podName}_${randomUUID()}`;
}

/**
 * Takes part in the election of a leader by a Lease, as `k8s.io/client-go/tools/leaderelection` does and together with it.
 *
 * Why two never pass their fences at once: the fence is open until `renewDeadline` after the *sending* of the last
 * renewal that was answered. Others take the Lease only when they have seen nothing change for `leaseDuration`, by their own
 * monotonic clock, after they saw that renewal, hence later; and a renewal that comes in between makes their write conflict.
 * Two things are beyond a fence, and left to the resourceVersion that each write carries: a machine that slept and whose
 * wall clock was set back as well, and a process that first looks when somebody has just deleted the Lease.
 * @throws for times that cannot work.
 */
export function electLeader(client: LeaseClient, options: ElectionOptions): Election {
  const election = new Elector(client, options);
  return {
    fence: () => election.fence(),
    isLeading: () => election.isLeading(),
    holder: () => election.holder(),
    finished: election.finished,
    close: () => election.close(),
  };
}

/** The Lease as it was last seen to change, and when by the monotonic clock. */
type Seen = { readonly lease: KubeObject; readonly record: LeaseRecord; readonly at: number };
type Moment = { readonly monotonic: number; readonly wall: number };
type Term = { readonly end: AbortController; sent: Moment };
/** `held`: by us, as `lease` says, asked for at `sent`; `other`: somebody else's, also where it
 * has been deleted while the holder may still rely on it. */
type Answer =
  | { readonly is: 'held'; readonly lease: KubeObject; readonly sent: Moment }
  | { readonly is: 'other'; readonly lease: KubeObject | undefined };

class Elector {
  readonly finished: Promise<void>;
  readonly #client: LeaseClient;
  readonly #options: ElectionOptions;
  readonly #times: LeaseTimes;
  readonly #clock: Clock;
  #seen: Seen | undefined;
  #term: Term | undefined;
  #closing = false;
  #wake: () => void = () => undefined;

  constructor(client: LeaseClient, options: ElectionOptions) {
    this.#client = client;
    this.#options = options;
    this.#times = checked({ ...TIMES, ...options.times });
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.finished = this.#run();
  }

  fence(): void {
    if (this.#term === undefined) throw new NotLeading(`the Lease ${this.#options.name} is not held`);
    const { monotonic, wall } = this.#moment();
    const { sent } = this.#term;
    // A suspended machine's monotonic clock stands still: the wall clock then tells. Where it has only jumped, the next renewal opens the fence again.
    const age = Math.max(monotonic - sent.monotonic, wall - sent.wall);
    if (age >= this.#times.renewDeadline) {
      throw new NotLeading(`the Lease ${this.#options.name} was last renewed ${Math.round(age / 1000)} s ago`);
    }
  }

  isLeading(): boolean {
    return this.#term !== undefined;
  }

  holder(): string {
    return this.#seen?.record.holder ?? '';
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#wake();
    await this.finished;
  }

  async #run(): Promise<void> {
    try {
      while (!this.#closing) {
        await this.#round();
        if (!this.#closing) await this.#wait(this.#untilNextRound());
      }
    } finally {
      const wasLeading = this.#term !== undefined;
      this.#endTerm('the process ends');
      if (wasLeading) await this.#release();
    }
  }

  async #round(): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#limited(this.#answerLimit(), (signal) => this.#takeOrRenew(signal));
    } catch (error) {
      this.#report(error);
      if (this.#isOverdue()) this.#endTerm('the Lease could not be renewed in time');
      return;
    }
    if (answer.lease !== undefined) this.#see(answer.lease);
    if (answer.is === 'other') this.#endTerm(`the Lease is held by ${this.holder()}`);
    else if (this.#term !== undefined) this.#term.sent = answer.sent;
    else if (!this.#closing) this.#beginTerm(answer.sent);
  }

  /** Changes nothing of ours: it may be left behind when it takes too long. */
  async #takeOrRenew(signal: AbortSignal): Promise<Answer> {
    const known = this.#term === undefined ? undefined : this.#seen?.lease;
    if (known !== undefined) {
      try {
        return await this.#write(known, signal);
      } catch (error) {
        if (outcomeOf(error) !== 'conflict' && outcomeOf(error) !== 'gone') throw error;
      }
    }
    const lease = await this.#read(signal);
    signal.throwIfAborted();
    if (!this.#mayTake(lease)) return { is: 'other', lease };
    try {
      return await this.#write(lease, signal);
    } catch (error) {
      if (outcomeOf(error) !== 'conflict' && outcomeOf(error) !== 'exists') throw error;
      const winner = await this.#read(signal);
      if (this.#mayTake(winner)) throw error;
      return { is: 'other', lease: winner };
    }
  }

  async #read(signal: AbortSignal): Promise<KubeObject | undefined> {
    try {
      return await this.#client.get(RESOURCES.lease, this.#name(), signal);
    } catch (error) {
      if (outcomeOf(error) === 'gone') return undefined;
      throw error;
    }
  }

  /** Judged by when the Lease was seen to change, not by the time that another machine's clock wrote into it. */
  #mayTake(lease: KubeObject | undefined): boolean {
    const record = lease === undefined ? this.#seen?.record : readLease(lease);
    if (record === undefined || record.holder === '' || record.holder === this.#options.identity) return true;
    if (this.#seen === undefined || !isSameRecord(record, this.#seen.record)) return false;
    return this.#clock.monotonic() - this.#seen.at >= record.durationSeconds * 1000;
  }

  async #write(before: KubeObject | undefined, signal: AbortSignal): Promise<Answer> {
    const { identity } = this.#options;
    const [seconds, now] = [this.#times.leaseDuration / 1000, this.#clock.now()];
    const record = before === undefined ? undefined : readLease(before);
    const isOurs = record?.holder === identity;
    const next = isOurs ? renewed(record, seconds, now) : taken(record, identity, seconds, now);
    const sent = this.#moment();
    const object = leaseObject(this.#name(), before, next);
    const lease = await (before === undefined
      ? this.#client.create(RESOURCES.lease, object, { signal })
      : this.#client.replace(RESOURCES.lease, object, { signal }));
    return { is: 'held', lease, sent };
  }

  #see(lease: KubeObject): void {
    const record = readLease(lease);
    const isSame = this.#seen !== undefined && isSameRecord(record, this.#seen.record);
    this.#seen = { lease, record, at: isSame && this.#seen ? this.#seen.at : this.#clock.monotonic() };
  }

  #beginTerm(sent: Moment): void {
    this.#term = { end: new AbortController(), sent };
    this.#options.onStartedLeading(this.#term.end.signal);
  }

  #endTerm(reason: string): void {
    if (this.#term === undefined) return;
    const { end } = this.#term;
    this.#term = undefined;
    end.abort(new NotLeading(reason));
    this.#options.onStoppedLeading(reason);
  }

  /** Best effort: who cannot be told waits for the Lease to run out. */
  async #release(): Promise<void> {
    try {
      await this.#limited(this.#times.retryPeriod, async (signal) => {
        const lease = await this.#read(signal);
        signal.throwIfAborted();
        if (lease === undefined || readLease(lease).holder !== this.#options.identity) return;
        const object = leaseObject(this.#name(), lease, released(readLease(lease)));
        await this.#client.replace(RESOURCES.lease, object, { signal });
      });
    } catch (error) {
      this.#report(error);
    }
  }

  /** @throws what is a fault of ours */
  #report(error: unknown): void {
    if (outcomeOf(error) === undefined) throw error;
    this.#options.onProblem?.(error as Error);
  }

  #isOverdue(): boolean {
    return this.#term !== undefined && this.#untilOverdue(this.#term) <= 0;
  }

  #untilOverdue({ sent }: Term): number {
    return sent.monotonic + this.#times.renewDeadline - this.#clock.monotonic();
  }

  /** A leader is told in time that it could not renew; one that was asleep for too long has one quick try. */
  #answerLimit(): number {
    const { renewDeadline, retryPeriod } = this.#times;
    const left = this.#term === undefined ? renewDeadline : this.#untilOverdue(this.#term);
    return left <= 0 ? retryPeriod : Math.min(renewDeadline / 2, left);
  }

  #untilNextRound(): number {
    const { retryPeriod } = this.#times;
    if (this.#term !== undefined) return Math.min(retryPeriod, Math.max(0, this.#untilOverdue(this.#term)));
    const { at = 0, record } = this.#seen ?? {};
    const runsOut = record === undefined ? 0 : at + record.durationSeconds * 1000 - this.#clock.monotonic();
    const wait = jittered(retryPeriod, this.#options.random);
    return runsOut > 0 ? Math.min(wait, runsOut) : wait;
  }

  async #limited<T>(milliseconds: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const cut = new AbortController();
    const { promise, reject } = Promise.withResolvers<never>();
    const cancel = this.#clock.after(milliseconds, () => {
      cut.abort();
      reject(new NoAnswer(`Lease ${this.#options.name}: no answer within ${Math.round(milliseconds)} ms`));
    });
    try {
      return await Promise.race([work(cut.signal), promise]);
    } finally {
      cancel();
    }
  }

  async #wait(milliseconds: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#clock.after(milliseconds, resolve);
    this.#wake = resolve;
    await promise;
    cancel();
  }

  #moment(): Moment {
    return { monotonic: this.#clock.monotonic(), wall: this.#clock.now().getTime() };
  }

  #name(): { namespace: string; name: string } {
    return { namespace: this.#options.namespace, name: this.#options.name };
  }
}

function isSameRecord(a: LeaseRecord, b: LeaseRecord): boolean {
  return (
    a.holder === b.holder &&
    a.renewTime === b.renewTime &&
    a.acquireTime === b.acquireTime &&
    a.transitions === b.transitions &&
    a.durationSeconds === b.durationSeconds
  );
}

function checked(times: LeaseTimes): LeaseTimes {
  const { leaseDuration, renewDeadline, retryPeriod } = times;
  if (leaseDuration % 1000 !== 0) throw new Error(`a Lease lasts whole seconds, not ${leaseDuration} ms`);
  const isOrdered = leaseDuration > renewDeadline && renewDeadline >= 2 * retryPeriod && retryPeriod > 0;
  if (!isOrdered) throw new Error('leaseDuration must be above renewDeadline, and that at least twice retryPeriod');
  return times;
}
