import { Pause } from '../../kube/pause.ts';
import { openProgress, type Progress } from '../progress.ts';
import { UsageError } from '../usage-error.ts';
import { conclusionOf, type End } from './conclusion.ts';
import { RELEASE_EXIT } from './exit.ts';
import { Follower } from './follow.ts';
import type { Invocation } from './invocation.ts';
import type { Picture } from './picture.ts';
import { pictureOf } from './picture-of.ts';
import { openScreen, type Screen } from './screen.ts';
import { linesOf, print } from './show.ts';
import { transitions } from './transitions.ts';
import { isUnderWay, verdictOf } from './verdict.ts';

export type StatusOptions = {
  readonly watch?: boolean;
  readonly wait?: boolean;
  /** Of `wait`, in seconds; 0 has no end, and 10 minutes are the default. */
  readonly timeout?: number;
  readonly output: 'text' | 'json';
};

/** Between two drawings: faster than this nobody reads. */
const DRAW_EVERY_MS = 50;
const TIMEOUT_SECONDS = 600;
const SECOND_MS = 1_000;
/** The longest that a timer can wait. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Shows a release while it goes on: drawn anew on a terminal, a line for each transition into a pipe; or, with `wait`
 * alone, not before its end.
 */
export class Following {
  readonly #name: string;
  readonly #options: StatusOptions;
  readonly #invocation: Invocation;
  readonly #progress: Progress;
  readonly #pause = new Pause();
  readonly #stopping = new AbortController();
  /** Seconds; 0 has no end. */
  readonly #timeout: number;
  /** By the monotonic clock. */
  readonly #deadline: number;
  #hasChanged = false;
  #shown: Picture | undefined;
  #trouble: string | undefined;
  #wasRunning = false;

  constructor(name: string, options: StatusOptions, invocation: Invocation) {
    this.#name = name;
    this.#options = options;
    this.#invocation = invocation;
    this.#progress = openProgress(invocation.terminal.err);
    this.#timeout = options.timeout ?? TIMEOUT_SECONDS;
    const isBounded = options.wait === true && this.#timeout > 0;
    this.#deadline = isBounded ? performance.now() + this.#timeout * SECOND_MS : Number.POSITIVE_INFINITY;
  }

  /** @returns the exit code. @throws UsageError when the Rollout goes away under somebody who only watches */
  async run(): Promise<number> {
    const { requests, namespace, surroundings, terminal } = this.#invocation;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      surroundings.signals.on(signal, () => this.#stopping.abort());
    }
    const { watch, output } = this.#options;
    const isDrawn = watch === true && output === 'text' && terminal.out.isTerminal;
    const screen = isDrawn ? openScreen(surroundings) : undefined;
    const follower = new Follower(requests, namespace, this.#name, () => this.#wake());
    let end: End;
    try {
      end = await Promise.race([this.#untilEnd(follower, screen), follower.failed]);
    } finally {
      this.#stopping.abort();
      follower.close();
      screen?.leave();
      this.#progress.end();
    }
    const isToldAlready = watch === true && !isDrawn;
    if (this.#shown !== undefined && !isToldAlready) print(this.#shown, output, this.#invocation);
    return this.#conclude(end);
  }

  async #untilEnd(follower: Follower, screen: Screen | undefined): Promise<End> {
    for (;;) {
      this.#hasChanged = false;
      const observed = follower.observed();
      if (observed === 'gone') return 'gone';
      if (screen === undefined) this.#complain(follower.trouble());
      if (observed !== 'unknown') {
        const picture = pictureOf(observed, this.#invocation.now());
        this.#show(picture, follower.trouble(), screen);
        this.#wasRunning ||= isUnderWay(picture);
        const verdict = verdictOf(picture, this.#wasRunning);
        if (this.#options.wait && verdict !== 'running') return verdict;
      }
      if (this.#stopping.signal.aborted) return 'interrupted';
      if (performance.now() >= this.#deadline) return 'timeout';
      await this.#nextMoment(screen);
    }
  }

  /** Waits for a change, for the next second where time is shown, or for the end of all patience. */
  async #nextMoment(screen: Screen | undefined): Promise<void> {
    const { signal } = this.#stopping;
    if (screen !== undefined) await new Pause().wait(DRAW_EVERY_MS, signal);
    if (this.#hasChanged) return;
    const showsTime = screen !== undefined || this.#invocation.terminal.err.isTerminal;
    const left = Math.max(0, this.#deadline - performance.now());
    await this.#pause.wait(Math.min(left, showsTime ? SECOND_MS : LONGEST_MS), signal);
  }

  #wake(): void {
    this.#hasChanged = true;
    this.#pause.wake();
  }

  #show(picture: Picture, trouble: string | undefined, screen: Screen | undefined): void {
    const before = this.#shown;
    this.#shown = picture;
    if (screen !== undefined) {
      const { terminal, surroundings } = this.#invocation;
      const lines = linesOf(picture, terminal, surroundings.programName);
      screen.draw(trouble === undefined ? lines : [...lines, terminal.out.paint('red', trouble)]);
    } else if (this.#options.watch) this.#tell(before, picture);
    else this.#progress.at(picture.waits[0]?.text ?? 'waiting');
  }

  /** Says once that what is shown may be old. */
  #complain(trouble: string | undefined): void {
    if (trouble !== undefined && trouble !== this.#trouble) {
      this.#progress.end();
      this.#invocation.terminal.err.line(`the cluster cannot be watched, and is tried again: ${trouble}`);
    }
    this.#trouble = trouble;
  }

  #tell(before: Picture | undefined, picture: Picture): void {
    const { terminal, now } = this.#invocation;
    const lines = transitions(before, picture);
    if (lines.length === 0) return;
    if (this.#options.output === 'json') terminal.out.line(JSON.stringify(picture));
    else
      for (const line of lines) terminal.out.line(`${now().toISOString().slice(0, 19)}Z ${line.replaceAll('\n', ' ')}`);
  }

  #conclude(end: End): number {
    const { namespace, terminal, surroundings } = this.#invocation;
    const rollout = `Rollout ${namespace}/${this.#name}`;
    if (this.#options.wait !== true) {
      if (end === 'gone') throw new UsageError(`${rollout} has been deleted`);
      return RELEASE_EXIT.done;
    }
    const { programName } = surroundings;
    const [wasRunning, timeout] = [this.#wasRunning, this.#timeout];
    const { code, text } = conclusionOf(end, this.#shown, { wasRunning, timeout, programName });
    terminal.err.line(`${rollout}: ${text}`);
    return code;
  }
}
