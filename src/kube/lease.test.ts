import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringAt } from '../json/value.ts';
import { NotLeading, outcomeOf } from './api-error.ts';
import { type Election, electLeader } from './lease.ts';
import { readLease, renewed, taken } from './lease-record.ts';
import { type Fate, SimulatedLeases } from './simulated-leases.testing.ts';
import { SimulatedProcess, VirtualTime } from './simulated-process.testing.ts';

const QUICK: Fate = { there: 5, back: 5 };
const [LEASE_DURATION, RENEW_DEADLINE, RETRY_PERIOD] = [15_000, 10_000, 2_000];

type Node = {
  readonly process: SimulatedProcess;
  readonly election: Election;
  readonly terms: string[];
  fate: () => Fate;
};

function world(count: number, offsets: readonly number[] = [], random = Math.random) {
  const time = new VirtualTime();
  const leases = new SimulatedLeases(time);
  const nodes = Array.from({ length: count }, (_, index): Node => {
    const process = new SimulatedProcess(time, { booted: index * 977_000, wallOffset: offsets[index] ?? 0 });
    const terms: string[] = [];
    const node = { process, terms, fate: () => QUICK };
    const client = leases.client(process, () => node.fate());
    const election = electLeader(client, {
      namespace: 'sluice-system',
      name: 'sluice-controller',
      identity: `node-${index}`,
      clock: process,
      random,
      onStartedLeading: (signal) => {
        terms.push('start');
        signal.addEventListener('abort', () => terms.push('abort'));
      },
      onStoppedLeading: (reason) => terms.push(`stop: ${reason}`),
    });
    return Object.assign(node, { election });
  });
  return { time, leases, nodes };
}

/** Whether a write of this process would pass now. A process that is stalled would find out when it wakes. */
function passes({ process, election }: Node): boolean {
  if (!process.isAlive) return false;
  try {
    election.fence();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(NotLeading);
    return false;
  }
}

const leadersOf = (nodes: readonly Node[]): Node[] => nodes.filter(passes);

function only<T>(items: readonly T[]): T {
  expect(items).toHaveLength(1);
  return items[0] as T;
}

async function withLeader(count: number, offsets?: readonly number[]) {
  const made = world(count, offsets);
  await made.time.pass(1000);
  const leader = only(leadersOf(made.nodes));
  return { ...made, leader, others: made.nodes.filter((node) => node !== leader) };
}

describe('one leader', () => {
  test('the first one leads, and goes on leading', async () => {
    const { time, nodes, leader } = await withLeader(3);
    await time.pass(600_000, () => expect(leadersOf(nodes)).toEqual([leader]));
    expect(leader.terms).toEqual(['start']);
    expect(nodes.map(({ election }) => election.holder())).toEqual(Array(3).fill(leader.election.holder()));
  });

  test('a killed leader is replaced within leaseDuration and a retry', async () => {
    const { time, others, leader } = await withLeader(3);
    leader.process.kill();
    await time.pass(LEASE_DURATION + RETRY_PERIOD + 100);
    expect(leadersOf(others)).toHaveLength(1);
  });

  test('one that ends gives the Lease back: the next leads at its next look', async () => {
    const { time, leases, leader, others } = await withLeader(2);
    const closing = leader.election.close();
    await time.pass(RETRY_PERIOD + 100);
    await closing;
    expect(leader.terms).toEqual(['start', 'abort', 'stop: the process ends']);
    expect(leadersOf(others)).toHaveLength(1);
    expect(readLease(leases.stored ?? {}).transitions).toBe(1);
  });

  test('a Lease that was given back has no holder, and lasts a second', async () => {
    const { time, leases, leader } = await withLeader(1);
    const closing = leader.election.close();
    await time.pass(100);
    await closing;
    expect(readLease(leases.stored ?? {})).toMatchObject({ holder: '', durationSeconds: 1 });
  });

  test('one that ends while another leads leaves the Lease alone', async () => {
    const { time, leases, leader, others } = await withLeader(2);
    const closing = only(others).election.close();
    await time.pass(RETRY_PERIOD);
    await closing;
    expect(readLease(leases.stored ?? {}).holder).toBe(leader.election.holder());
    expect(passes(leader)).toBe(true);
  });

  test('clocks of machines that disagree by years matter to nobody', async () => {
    const year = 365 * 24 * 3_600_000;
    const { time, nodes, leader } = await withLeader(3, [-year, year, 5 * year]);
    await time.pass(120_000, () => expect(leadersOf(nodes)).toEqual([leader]));
  });

  test('a Lease that somebody deletes is made again by who holds it', async () => {
    const { time, leases, nodes, leader } = await withLeader(2);
    leases.stored = undefined;
    await time.pass(RETRY_PERIOD + 100, () => expect(leadersOf(nodes)).toEqual([leader]));
    expect(readLease(leases.stored ?? {}).holder).toBe(leader.election.holder());
    expect(leader.terms).toEqual(['start']);
  });

  test('a Lease that somebody deletes after its holder died is taken when it would have run out', async () => {
    const { time, leases, leader, others } = await withLeader(2);
    leader.process.kill();
    leases.stored = undefined;
    await time.pass(LEASE_DURATION + RETRY_PERIOD + 100);
    expect(leadersOf(others)).toHaveLength(1);
  });
});

describe('the fence', () => {
  test('shuts at renewDeadline when answers stop coming, long before another leads', async () => {
    const { time, nodes, leader } = await withLeader(2);
    leader.fate = () => ({ ...QUICK, lost: 'request' });
    await time.pass(RENEW_DEADLINE);
    expect(leadersOf(nodes)).toEqual([]);
    expect(leader.terms.slice(1)).toEqual(['abort', 'stop: the Lease could not be renewed in time']);
    await time.pass(LEASE_DURATION - RENEW_DEADLINE + RETRY_PERIOD);
    expect(leadersOf(nodes)).toHaveLength(1);
  });

  test('is shut for a process that wakes from a stall, before anything else runs in it', async () => {
    const { time, leader } = await withLeader(2);
    leader.process.stall(60_000);
    await time.pass(59_999);
    expect(leader.terms).toEqual(['start']); // it has not noticed anything
    expect(passes(leader)).toBe(false);
    await time.pass(RETRY_PERIOD);
    expect(leader.terms[2]).toMatch(/^stop: the Lease is held by node-/);
  });

  test('is shut for a machine that was suspended, whose monotonic clock stood still', async () => {
    const { time, leader } = await withLeader(2);
    leader.process.suspend(60_000);
    await time.pass(60_000);
    expect(passes(leader)).toBe(false);
  });

  test('opens again with the next renewal when the wall clock has only jumped', async () => {
    const { time, leader } = await withLeader(2);
    leader.process.jump(3_600_000);
    expect(passes(leader)).toBe(false);
    await time.pass(RETRY_PERIOD + 100);
    expect(passes(leader)).toBe(true);
    expect(leader.terms).toEqual(['start']);
  });

  test('stays open when the wall clock jumps back, and others see the holder alive', async () => {
    const { time, nodes, leader } = await withLeader(2);
    leader.process.jump(-3_600_000);
    await time.pass(120_000, () => expect(leadersOf(nodes)).toEqual([leader]));
  });

  test('what it throws is a passing error', async () => {
    const { others } = await withLeader(2);
    expect(outcomeOf(new NotLeading('x'))).toBe('passing');
    expect(() => only(others).election.fence()).toThrow('the Lease sluice-controller is not held');
  });
});

test.each([
  ['a part of a second', { leaseDuration: 1500 }],
  ['a deadline after the end', { leaseDuration: 10_000 }],
  ['hardly a second try', { retryPeriod: 6_000 }],
])('times that cannot work are refused: %s', (_name, times) => {
  const { leases, nodes } = world(1);
  const client = leases.client(only(nodes).process, () => QUICK);
  const calls = { onStartedLeading: () => undefined, onStoppedLeading: () => undefined };
  expect(() => electLeader(client, { namespace: 'n', name: 'l', identity: 'i', times, ...calls })).toThrow(Error);
});

test('a renewal always changes the Lease, whatever the clock says', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  const first = taken(undefined, 'a', 15, now);
  const second = renewed(first, 15, new Date('2020-01-01T00:00:00Z'));
  expect(second.renewTime).toBe('2026-01-01T00:00:00.001000Z');
  expect(second.acquireTime).toBe(first.acquireTime);
});

type Fault = { readonly at: number; readonly node: number } & (
  | { readonly do: 'kill' }
  | { readonly do: 'stall' | 'suspend' | 'jump' | 'cutOff' | 'deaf'; readonly by: number }
);

const COUNT = 3;
const FAULTY_MILLISECONDS = 120_000;

const fault: fc.Arbitrary<Fault> = fc
  .record({
    at: fc.integer({ min: 0, max: FAULTY_MILLISECONDS }),
    node: fc.integer({ min: 0, max: COUNT - 1 }),
    do: fc.constantFrom('kill', 'stall', 'suspend', 'jump', 'cutOff', 'deaf'),
    by: fc.integer({ min: 100, max: 40_000 }),
    back: fc.boolean(),
  })
  .map(({ at, node, do: act, by, back }) => {
    if (act === 'kill') return { at, node, do: act };
    return { at, node, do: act, by: act === 'jump' ? (back ? -by : by) * 1000 : by };
  });

/** Ways of calls: mostly quick, some slower than the Lease lives. */
const fate: fc.Arbitrary<Fate> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ there: fc.integer({ min: 1, max: 50 }), back: fc.integer({ min: 1, max: 50 }) }),
  },
  { weight: 2, arbitrary: fc.record({ there: fc.integer({ min: 1, max: 30_000 }), back: fc.constant(5) }) },
  { weight: 2, arbitrary: fc.record({ there: fc.constant(5), back: fc.integer({ min: 1, max: 30_000 }) }) },
  { weight: 1, arbitrary: fc.constant<Fate>({ ...QUICK, lost: 'request' }) },
  { weight: 1, arbitrary: fc.constant<Fate>({ ...QUICK, lost: 'answer' }) },
);

/**
 * A machine that sleeps and whose wall clock is set back between the same two renewals cannot know that it slept: no
 * fence sees that. Then the resourceVersion that each write carries is what is left.
 */
function withoutHiddenSleep(faults: readonly Fault[]): Fault[] {
  const sleepers = new Set(faults.filter((event) => event.do === 'suspend').map(({ node }) => node));
  return faults.filter((event) => event.do !== 'jump' || event.by > 0 || !sleepers.has(event.node));
}

function strike(node: Node, event: Fault, time: VirtualTime): void {
  const { process } = node;
  if (event.do === 'kill') process.kill();
  else if (event.do === 'stall') process.stall(event.by);
  else if (event.do === 'suspend') process.suspend(event.by);
  else if (event.do === 'jump') process.jump(event.by);
  else {
    const before = node.fate;
    const end = time.now + event.by;
    const lost = event.do === 'cutOff' ? 'request' : 'answer';
    node.fate = () => (time.now < end ? { ...QUICK, lost } : before());
  }
}

test('never do two fences pass at once, and in the end somebody leads: any faults, any interleaving', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fault, { maxLength: 8 }).map(withoutHiddenSleep),
      fc.infiniteStream(fate),
      fc.infiniteStream(fc.nat(1000)),
      fc.array(fc.integer({ min: -1e9, max: 1e9 }), { minLength: COUNT, maxLength: COUNT }),
      async (faults, fates, chances, offsets) => {
        const random = () => (chances.next().value ?? 0) / 1000;
        const { time, nodes, leases } = world(COUNT, offsets, random);
        let isFaulty = true;
        for (const node of nodes) node.fate = () => (isFaulty ? (fates.next().value ?? QUICK) : QUICK);
        for (const event of faults) {
          const node = nodes[event.node] as Node;
          // One process always lives, so that there can be a leader at the end.
          if (event.do !== 'kill' || event.node > 0) time.after(event.at, () => strike(node, event, time));
        }
        const atMostOne = () => expect(leadersOf(nodes).length).toBeLessThanOrEqual(1);
        await time.pass(FAULTY_MILLISECONDS + 60_000, atMostOne);
        isFaulty = false;
        await time.pass(2 * LEASE_DURATION, atMostOne);
        const leader = only(leadersOf(nodes));
        expect(stringAt(leases.stored, 'spec', 'holderIdentity')).toBe(leader.election.holder());
      },
    ),
    { numRuns: 60 },
  );
}, 120_000);
