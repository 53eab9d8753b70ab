import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Measurement } from './measurement.ts';
import { median } from './statistics.ts';

const ROUNDS = 21;
const WARM_UP = 3;

const COMMAND = path('../bin/sluice.js');
/** The example that the project began with: a Rollout, a VirtualService, a DestinationRule, a ConfigMap with its script. */
const EXAMPLE = path('../test/fixtures/seed-000');

/** Part (d): from the start to the end of `sluice lint`, against a Node that does nothing. */
export function measureLint(progress: (line: string) => void): Promise<Measurement[]> {
  progress('(d) sluice lint');
  const sides = { ours: [COMMAND, 'lint', '-f', EXAMPLE], other: ['-e', '0'] };
  const times = { ours: [] as number[], other: [] as number[] };
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const [ours, other] = [timed(sides.ours), timed(sides.other)];
    if (round < 0) continue;
    times.ours.push(ours);
    times.other.push(other);
  }
  return Promise.resolve([
    {
      name: '(d) sluice lint of the first example',
      ours: median(times.ours),
      other: median(times.other),
      unit: 'ms',
      goal: { bound: 'at most', ratio: 6 },
    },
  ]);
}

/** Runs this very Node with these arguments; gives milliseconds. @throws when it does not end well. */
function timed(args: readonly string[]): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const milliseconds = performance.now() - started;
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with code ${status}: ${stderr.toString()}`);
  return milliseconds;
}

function path(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
