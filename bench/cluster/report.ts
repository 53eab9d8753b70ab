import type { Crowd } from './crowd.ts';
import type { Latency } from './latency.ts';
import type { ReleaseTimes } from './release-latency.ts';
import type { Releasing } from './releasing.ts';
import type { SizeFigures } from './size.ts';

/** Rows of Markdown: the first is the head; columns but the first are figures. */
function markdown(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((row) => (row[column] ?? '').length)));
  const cell = (text: string, column: number) =>
    column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0);
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |\n`;
  const rule = `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |\n`;
  const [head = [], ...rest] = rows;
  return `${line(head)}${rule}${rest.map(line).join('')}\n`;
}

/** What is to be reached. */
const GOALS = {
  ...{ calls: 1.5, apart: 1.02, readySeconds: 30, mebibytes: 500, block: 100 },
  ...{ begin: 2_000, approve: 500, crowdSeconds: 60, crowdWrites: 3, crowdMebibytes: 400, crowdRatio: 1.1 },
};

export function latencyTable(found: readonly Latency[]): string {
  const rows = found.flatMap(({ patch, times }) => [
    ratioRow(
      `${patch}, in a release, p50: Sluice against the bare webhook`,
      times.sluice.p50,
      times.bare.p50,
      GOALS.calls,
    ),
    ratioRow(
      `${patch}, in a release, p99: Sluice against the bare webhook`,
      times.sluice.p99,
      times.bare.p99,
      GOALS.calls,
    ),
    ratioRow(`${patch}, in a release, p50: the bare webhook against none`, times.bare.p50, times.none.p50),
    ratioRow(`${patch}, in a release, p99: the bare webhook against none`, times.bare.p99, times.none.p99),
    ratioRow(`${patch}, takes no part, p50: Sluice against none`, times.apart.p50, times.away.p50, GOALS.apart),
    ratioRow(`${patch}, takes no part, p99: Sluice against none`, times.apart.p99, times.away.p99, GOALS.apart),
  ]);
  const calls = found.map(({ patch, calls: { sluice, bare }, insideSluice, sluiceCpu }) => [
    patch,
    ...[bare, sluice, insideSluice, sluiceCpu].map(milliseconds),
  ]);
  return (
    markdown([['dry-run patch', 'with', 'without', 'ratio', 'goal', 'met'], ...rows]) +
    markdown([['one call, mean', 'bare', 'Sluice', 'of it in Sluice', 'CPU of Sluice'], ...calls])
  );
}

function ratioRow(name: string, ours: number, other: number, goal?: number): string[] {
  const ratio = ours / other;
  const judged = goal === undefined ? ['', ''] : [`≤ ${goal}`, ratio <= goal ? 'yes' : 'MISSED'];
  return [name, milliseconds(ours), milliseconds(other), ratio.toFixed(3), ...judged];
}

export function sizeTable(found: readonly SizeFigures[]): string {
  const rows = found.flatMap(({ title, goals, starts }) =>
    starts.map(
      ({ name, seenSeconds, seconds, memory, longestBlock, longestBusy, cpuSeconds, requests, bytesReceived }) => [
        `${title}: ${name}`,
        `${seenSeconds.toFixed(1)} s`,
        judged(seconds, goals ? GOALS.readySeconds : undefined, `${seconds.toFixed(1)} s`),
        judged(memory.mostRss, goals ? GOALS.mebibytes : undefined, `${memory.mostRss.toFixed(0)} MiB`),
        `${memory.rss.toFixed(0)} MiB`,
        judged(longestBusy, goals ? GOALS.block : undefined, `${longestBusy.toFixed(0)} ms`),
        `${longestBlock.toFixed(0)} ms`,
        `${cpuSeconds.toFixed(1)} s`,
        requests.toLocaleString('en-US'),
        `${(bytesReceived / 1e6).toFixed(1)} MB`,
      ],
    ),
  );
  const head = [
    'Rollouts',
    'seen',
    'ready',
    'RSS, most',
    'at rest',
    'block, CPU',
    'block',
    'CPU',
    'requests',
    'received',
  ];
  return markdown([head, ...rows]);
}

export function releasesTable(found: readonly ReleaseTimes[]): string {
  const cell = (value: number, goal: number) => judged(value, goal, `${value.toFixed(0)} ms`);
  const rows = found.map(({ style, releases, begin, approve }) => [
    style,
    String(releases),
    cell(begin.p50, GOALS.begin),
    cell(begin.p99, GOALS.begin),
    cell(approve.p50, GOALS.approve),
    cell(approve.p99, GOALS.approve),
  ]);
  const head = ['style', 'releases', 'template, p50', 'p99', 'approval, p50', 'p99'];
  return markdown([head, ...rows]);
}

export function releasingTable(found: Releasing): string {
  const { rollouts, steps, seconds, memory, reconcile, wait, writesBy } = found;
  const rows = [
    ['from the first write to the end of the last release', `${seconds.toFixed(1)} s`],
    ['writes for each step of each Rollout', found.writesPerStep.toFixed(2)],
    ['Events for each step of each Rollout', found.eventsPerStep.toFixed(2)],
    ['looks at Rollouts', found.reconciles.toLocaleString('en-US')],
    ['one look, p50 and p99', `${reconcile.p50.toFixed(0)} ms, ${reconcile.p99.toFixed(0)} ms`],
    ['wait for a worker, p50 and p99', `${wait.p50.toFixed(0)} ms, ${wait.p99.toFixed(0)} ms`],
    ['RSS, most and at the end', `${memory.mostRss.toFixed(0)} MiB, ${memory.rss.toFixed(0)} MiB`],
    ['CPU of the controller', `${found.cpuSeconds.toFixed(1)} s`],
    ['longest block, CPU', `${found.longestBusy.toFixed(0)} ms`],
    ...Object.entries(writesBy).map(([what, count]) => [`writes: ${what}`, count.toLocaleString('en-US')]),
  ];
  return markdown([[`${rollouts} Rollouts, ${steps} steps each`, ''], ...rows]);
}

export function crowdTable(found: Crowd): string {
  const { rollouts, createdSeconds, readySeconds, writesPerRollout, memory, writes } = found;
  const most = memory.mostRss;
  const rows = [
    ['all are created', `${createdSeconds.toFixed(1)} s`],
    ['all are Healthy', judged(readySeconds, GOALS.crowdSeconds, `${readySeconds.toFixed(1)} s`)],
    ['writes for each', judged(writesPerRollout, GOALS.crowdWrites, writesPerRollout.toFixed(2))],
    ['RSS, most', judged(most, GOALS.crowdMebibytes, `${most.toFixed(0)} MiB`)],
    ['CPU of the controller', `${found.cpuSeconds.toFixed(1)} s`],
    ['longest block, CPU', `${found.longestBusy.toFixed(0)} ms`],
  ];
  const ratios = writes.flatMap(({ what, crowded, alone }) => [
    ratioRow(`${what}, p50`, crowded.p50, alone.p50, GOALS.crowdRatio),
    ratioRow(`${what}, p99`, crowded.p99, alone.p99, GOALS.crowdRatio),
  ]);
  return (
    markdown([[`${rollouts.toLocaleString('en-US')} Rollouts at once`, ''], ...rows]) +
    markdown([
      ['dry-run patch', `beside ${rollouts.toLocaleString('en-US')}`, 'beside 1', 'ratio', 'goal', 'met'],
      ...ratios,
    ])
  );
}

function judged(value: number, goal: number | undefined, text: string): string {
  return goal === undefined || value <= goal ? text : `${text} MISSED`;
}

function milliseconds(value: number): string {
  return `${value.toFixed(2)} ms`;
}
