/** What a server says to the process that started it, once. */
export type ServerReady = { readonly port: number };

/** What it answers whenever it is asked: the CPU time of all its threads since it started. */
export type CpuTime = { readonly microseconds: number };

/** What the load generator is asked: how long and how much to send, and what. */
export type LoadRequest = {
  readonly port: number;
  readonly path: string;
  readonly bodies: readonly string[];
  readonly connections: number;
  readonly milliseconds: number;
  /** It stops at so many answers even when there is time left. */
  readonly requests: number;
};

/** What it answers: how many requests a second were answered, and percentiles of their time in milliseconds. */
export type LoadAnswer = {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
};
