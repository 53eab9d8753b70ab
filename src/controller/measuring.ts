import type { Measure } from '../release/measures.ts';
import type { Style } from '../rewrite/directive.ts';

/**
 * What the controller works on: one Rollout, one TrafficRouting, the user's scripts, or pinned scripts that nothing uses any
 * more.
 */
export const WORKS = ['rollout', 'routing', 'scripts', 'pins'] as const;
export type Work = (typeof WORKS)[number];

/** How a piece of work ends: `again`: something was not there yet, or had changed in between; `failed`: anything else. */
export const RESULTS = ['done', 'again', 'failed'] as const;
export type Result = (typeof RESULTS)[number];

/** Told of what takes time, in milliseconds; never throws. */
export type Measuring = {
  /** A part of a release has come to its end. */
  released(style: Style, measure: Measure): void;
  worked(work: Work, result: Result, milliseconds: number): void;
  /** A key waited so long for a worker. */
  waited(milliseconds: number): void;
};

/** For where nobody reads metrics. */
export const UNMEASURED: Measuring = {
  released: () => undefined,
  worked: () => undefined,
  waited: () => undefined,
};
