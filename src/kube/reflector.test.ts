import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { at, stringAt } from '../json/value.ts';
import type { Client, KubeObject } from './client.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import { RESOURCES } from './resource.ts';
import { type Fault, SimulatedApi } from './simulated-api.testing.ts';
import type { Change } from './store.ts';

const QUICK = { leastWait: 5, mostWait: 40, refusedWait: 20_000, silence: 20_000, steady: 20_000 };
const textOf = (object: KubeObject): string => stringAt(object, 'data', 'text') ?? '';

let api: SimulatedApi;
let client: Client;

beforeEach(async () => {
  api = new SimulatedApi();
  client = await api.open();
});

afterEach(() => api.close());

function reflect(options: Partial<ReflectorOptions<string>> = {}): Reflector<string> & { changes: Change<string>[] } {
  const pace = { ...QUICK, ...options.pace };
  const reflector = new Reflector({ client, resource: RESOURCES.configMap, trim: textOf, ...options, pace });
  const changes: Change<string>[] = [];
  reflector.store.onChange((change) => changes.push(change));
  onTestFinished(async () => {
    reflector.close();
    await reflector.finished.catch(() => undefined);
  });
  return Object.assign(reflector, { changes });
}

/** What is in the store, by name. */
function contents({ store }: Reflector<string>): Record<string, string | undefined> {
  return Object.fromEntries([...store.keys()].sort().map((key) => [key.replace('default/', ''), store.get(key)]));
}

function stored(): Record<string, string> {
  return Object.fromEntries([...api.objects].sort().map(([name, object]) => [name, textOf(object)]));
}

const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 10_000, interval: 5 });

/** Only the first request that fits has this fault. */
function once(fault: Fault, fits: (query: URLSearchParams) => boolean = () => true): void {
  let isOver = false;
  api.fault = ({ query }) => {
    if (isOver || !fits(query)) return undefined;
    isOver = true;
    return fault;
  };
}

const isReopened = (query: URLSearchParams) => query.has('resourceVersion');
const ways = [
  ['as a watch', true],
  ['in pages', false],
] as const;

describe.each(ways)('a list that comes %s', (_name, canWatchList) => {
  beforeEach(() => {
    api.canWatchList = canWatchList;
  });

  test('fills the store, and the watch after it keeps it right', async () => {
    for (let i = 0; i < 1200; i++) api.put(`o-${i}`, 'x'.repeat(i));
    const reflector = reflect();
    await reflector.synced();
    expect(contents(reflector)).toEqual(stored());
    api.put('o-1', 'ümläut 😀');
    api.delete('o-2');
    api.put('new', '');
    await eventually(() => expect(contents(reflector)).toEqual(stored()));
    expect(reflector.changes.slice(1200)).toEqual([
      { key: 'default/o-1', before: 'x', after: 'ümläut 😀' },
      { key: 'default/o-2', before: 'xx', after: undefined },
      { key: 'default/new', before: undefined, after: '' },
    ]);
    expect(reflector.state()).toMatchObject({ state: 'synced', message: '' });
  });

  test('of nothing is a list, too', async () => {
    const reflector = reflect();
    await reflector.synced();
    expect(reflector.store.size).toBe(0);
  });

  test.each([0, 1, 300, 5000])('cut after %i bytes is begun again', async (cutAfter) => {
    for (let i = 0; i < 100; i++) api.put(`o-${i}`, 'text');
    once({ cutAfter }, (query) => query.get('sendInitialEvents') === String(canWatchList) || !query.has('watch'));
    const reflector = reflect();
    await reflector.synced();
    expect(contents(reflector)).toEqual(stored());
  });

  test('again, after the resourceVersion was forgotten, is told as differences only', async () => {
    api.put('stays', '1');
    api.put('changes', '1');
    api.put('goes', '1');
    const reflector = reflect();
    await reflector.synced();
    const before = reflector.changes.length;
    api.fault = ({ query }) => (isReopened(query) ? { expireInStream: true } : { status: 500 });
    api.endWatches('cut');
    await eventually(() => expect(reflector.state().state).toBe('failing'));
    api.put('changes', '2');
    api.delete('goes');
    api.put('comes', '1');
    api.compact();
    api.fault = () => undefined;
    await eventually(() => expect(reflector.changes.length).toBe(before + 3));
    const sorted = reflector.changes.slice(before).sort((a, b) => a.key.localeCompare(b.key));
    expect(sorted).toEqual([
      { key: 'default/changes', before: '1', after: '2' },
      { key: 'default/comes', before: undefined, after: '1' },
      { key: 'default/goes', before: '1', after: undefined },
    ]);
  });
});

describe('a watch', () => {
  test('that is cut in the middle of a line goes on where it was, and misses nothing', async () => {
    const reflector = reflect();
    await reflector.synced();
    api.put('before', '1');
    await eventually(() => expect(reflector.store.size).toBe(1));
    const version = api.objects.get('before');
    api.sendRaw(Buffer.from('{"type":"ADDED","object":{"metadata":{"na'));
    api.endWatches('cut');
    api.put('after', '1');
    await eventually(() => expect(contents(reflector)).toEqual(stored()));
    expect(api.requests[1]?.query.get('resourceVersion')).toBe(at(version, ['metadata', 'resourceVersion']));
    expect(reflector.changes).toHaveLength(2);
  });

  test('takes characters and lines that come in pieces', async () => {
    const reflector = reflect();
    await reflector.synced();
    const metadata = { name: 'a', namespace: 'default', uid: 'u', resourceVersion: '7' };
    const line = Buffer.from(`${JSON.stringify({ type: 'ADDED', object: { metadata, data: { text: '😀é\n' } } })}\n`);
    for (const byte of line) {
      api.sendRaw(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(() => expect(contents(reflector)).toEqual({ a: '😀é\n' }));
  });

  test('that ends is reopened at once from the last bookmark, and nothing fails', async () => {
    const reflector = reflect({ pace: { leastWait: 60_000, mostWait: 60_000 } });
    const states: string[] = [];
    reflector.onState(({ state }) => states.push(state));
    await reflector.synced();
    api.put('a', '1');
    api.delete('a');
    api.bookmark();
    await eventually(() => expect(reflector.changes).toHaveLength(2));
    api.compact(); // only the bookmark is recent enough
    api.endWatches('end');
    await eventually(() => expect(api.requests).toHaveLength(2));
    api.put('b', '1');
    await eventually(() => expect(reflector.changes).toHaveLength(3));
    expect(api.requests).toHaveLength(2);
    expect(states).toEqual(['synced']);
  });

  test('that ends as soon as it begins is not reopened without end', async () => {
    const reflector = reflect({ pace: { leastWait: 30, mostWait: 100 } });
    await reflector.synced();
    api.fault = () => ({ endAfterEvents: 0 });
    api.endWatches('end');
    api.put('a', '1'); // whoever watches from before gets this one, once
    await eventually(() => expect(contents(reflector)).toEqual({ a: '1' }));
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(api.requests.length).toBeLessThan(40);
  });

  test('that says nothing is cut and opened again', async () => {
    const reflector = reflect({ pace: { silence: 150 } });
    await reflector.synced();
    once({ silent: true }, isReopened);
    api.endWatches('cut');
    await eventually(() => expect(api.requests.filter(({ query }) => isReopened(query))).toHaveLength(1));
    api.put('a', '1'); // nobody hears of it
    await eventually(() => expect(contents(reflector)).toEqual({ a: '1' }));
  });

  test('asks the server to end it after 5 to 10 minutes, and for bookmarks', async () => {
    await reflect().synced();
    const { query } = api.requests[0] ?? { query: new URLSearchParams() };
    expect(Number(query.get('timeoutSeconds'))).toBeGreaterThanOrEqual(300);
    expect(Number(query.get('timeoutSeconds'))).toBeLessThanOrEqual(600);
    expect(query.get('allowWatchBookmarks')).toBe('true');
  });

  test('whose end is not there for an API that knows no initial events is replaced by pages', async () => {
    api.ignoresWatchList = true;
    api.put('a', '1');
    const reflector = reflect({ pace: { silence: 150 } });
    await reflector.synced();
    expect(contents(reflector)).toEqual({ a: '1' });
    expect(api.requests[1]?.query.get('limit')).toBeDefined();
  });

  test('asks for metadata only where that suffices', async () => {
    api.canWatchList = false;
    await reflect({ metadataOnly: true }).synced();
    await eventually(() => expect(api.requests).toHaveLength(3));
    expect(api.requests[1]?.accept).toBe('application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1');
    expect(api.requests[2]?.accept).toBe('application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1');
  });
});

describe('pages', () => {
  beforeEach(() => {
    api.canWatchList = false;
  });

  test('hold fewer objects the larger these are', async () => {
    for (let i = 0; i < 60; i++) api.put(`o-${i}`, 'x'.repeat(200_000));
    const reflector = reflect();
    await reflector.synced();
    expect(reflector.store.size).toBe(60);
    const limits = api.requests.flatMap(({ query }) => Number(query.get('limit') ?? 0) || []);
    expect(limits[0]).toBe(10);
    for (const limit of limits.slice(1)) expect(limit).toBeLessThanOrEqual(10);
  });

  test('are begun again when their snapshot was forgotten on the way', async () => {
    for (let i = 0; i < 30; i++) api.put(`o-${i}`, '');
    let isOver = false;
    api.fault = ({ query }) => {
      if (!query.has('continue') || isOver) return undefined;
      isOver = true;
      api.put('o-new', '');
      api.compact();
      return undefined;
    };
    const reflector = reflect();
    await reflector.synced();
    expect(contents(reflector)).toEqual(stored());
  });
});

describe('refusals', () => {
  test('500s are told, tried again with growing waits, and forgotten', async () => {
    api.put('a', '1');
    let failures = 6;
    api.fault = () => (failures-- > 0 ? { status: 500 } : undefined);
    const reflector = reflect();
    const states: string[] = [];
    reflector.onState(({ state }) => states.push(state));
    await reflector.synced();
    expect(states).toEqual(['failing', 'synced']);
    expect(api.requests).toHaveLength(7);
  });

  test('a Retry-After is obeyed', async () => {
    once({ status: 429, retryAfter: 1 });
    await reflect().synced();
    const [first, second] = api.requests;
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(990);
  });

  test.each([
    [404, 'notServed'],
    [403, 'forbidden'],
  ])('%i is a state, and retry() asks again at once', async (status, state) => {
    api.put('a', '1');
    api.fault = () => ({ status });
    const reflector = reflect();
    await eventually(() => expect(reflector.state().state).toBe(state));
    expect(reflector.state().message).toContain(`${status} on demand`);
    expect(reflector.hasSynced()).toBe(false);
    api.fault = () => undefined;
    reflector.retry();
    await reflector.synced();
    expect(contents(reflector)).toEqual({ a: '1' });
  });

  test.each([404, 403])(
    '%i after a list leaves what was there: only a list may say that objects are gone',
    async (status) => {
      api.put('a', '1');
      const reflector = reflect();
      await reflector.synced();
      api.fault = () => ({ status });
      api.endWatches('cut');
      await eventually(() => expect(reflector.state().state).toMatch(/notServed|forbidden/));
      expect(contents(reflector)).toEqual({ a: '1' });
      api.delete('a');
      api.fault = () => undefined;
      reflector.retry();
      await eventually(() => expect(contents(reflector)).toEqual({}));
    },
  );

  test('of a watch again and again end in a new list: its resourceVersion may be the reason', async () => {
    const reflector = reflect();
    await reflector.synced();
    api.fault = ({ query }) => (isReopened(query) ? { status: 504 } : undefined);
    api.endWatches('cut');
    await eventually(() => expect(api.requests.filter(({ query }) => query.has('sendInitialEvents'))).toHaveLength(2));
    await eventually(() => expect(reflector.state().state).toBe('synced'));
  });
});

test.each([429, 503])(
  'a server that is busy (%i) is not asked for everything anew, however often it says so',
  async (status) => {
    const reflector = reflect();
    await reflector.synced();
    let refusals = 12;
    api.fault = ({ query }) => (isReopened(query) && refusals-- > 0 ? { status } : undefined);
    api.endWatches('cut');
    await eventually(() => expect(refusals).toBeLessThan(0));
    await eventually(() => expect(reflector.state().state).toBe('synced'));
    expect(api.requests.filter(({ query }) => !isReopened(query))).toHaveLength(1);
  },
);

test('an API that ends a watch of initial events without their end is asked for pages', async () => {
  api.ignoresWatchList = true;
  api.put('a', '1');
  const reflector = reflect();
  await eventually(() => expect(api.watches).toBe(1));
  api.bookmark();
  api.endWatches('end');
  await reflector.synced();
  expect(contents(reflector)).toEqual({ a: '1' });
});

test.each([
  ['no JSON', '<html>502</html>'],
  ['no event', '{"message":"bad gateway"}'],
  ['an event of an unknown type', '{"type":"GREETING","object":{}}'],
  ['an object without a uid', '{"type":"ADDED","object":{"metadata":{"name":"b","resourceVersion":"7"}}}'],
])('a line that is %s fails the watch, which is opened again, and ends nothing', async (_, line) => {
  api.put('a', '1');
  const reflector = reflect();
  await reflector.synced();
  const states: string[] = [];
  reflector.onState(({ state, message }) => states.push(`${state} ${message}`));
  api.sendRaw(Buffer.from(`${line}\n`));
  await eventually(() => expect(states.some((state) => state.startsWith('failing'))).toBe(true));
  api.put('c', '3');
  await eventually(() => expect(contents(reflector)).toEqual({ a: '1', c: '3' }));
});

describe('faults of ours', () => {
  test('an error of trim ends the reflector, and everybody who waits is told', async () => {
    api.put('a', '1');
    const reflector = reflect({
      trim: () => {
        throw new TypeError('no such thing');
      },
    });
    await expect(reflector.synced()).rejects.toThrow('no such thing');
    await expect(reflector.finished).rejects.toThrow('no such thing');
  });

  test('an error of a listener does, too', async () => {
    const reflector = reflect();
    await reflector.synced();
    reflector.store.onChange(() => {
      throw new TypeError('no such thing');
    });
    api.put('a', '1');
    await expect(reflector.finished).rejects.toThrow('no such thing');
  });

  test('closing before all was seen rejects who waits, and nothing is left open', async () => {
    api.fault = () => ({ status: 500 });
    const reflector = reflect();
    reflector.close();
    await expect(reflector.synced()).rejects.toThrow('was closed before all objects were seen');
    await reflector.finished;
    const other = reflect();
    api.fault = () => undefined;
    await other.synced();
    other.close();
    await other.finished;
    await eventually(() => expect(api.watches).toBe(0));
  });
});

test('an object that was made again while nobody looked is told with both', async () => {
  api.put('a', 'old');
  const reflector = reflect();
  await reflector.synced();
  api.fault = () => ({ status: 500 });
  api.endWatches('cut');
  await eventually(() => expect(reflector.state().state).toBe('failing'));
  api.delete('a');
  api.put('a', 'new');
  api.compact();
  api.fault = () => undefined;
  await eventually(() => expect(reflector.changes).toHaveLength(2));
  expect(reflector.changes[1]).toEqual({ key: 'default/a', before: 'old', after: 'new' });
  expect(reflector.store.entry('default/a')?.uid).toBe(stringAt(api.objects.get('a'), 'metadata', 'uid'));
});

test('other work has its turn while many objects come at once', async () => {
  for (let i = 0; i < 400; i++) api.put(`o-${i}`, 'x');
  const reflector = reflect({
    trim: (object) => {
      const end = performance.now() + 0.5;
      while (performance.now() < end);
      return textOf(object);
    },
  });
  let turns = 0;
  const count = (): void => {
    turns += 1;
    if (!reflector.hasSynced()) setImmediate(count);
  };
  count();
  await reflector.synced();
  expect(turns).toBeGreaterThan(10); // 200 ms of work, 10 ms at a time
});

type Act = { readonly name: number } & (
  | { readonly put: string }
  | { readonly act: 'delete' | 'compact' | 'end' | 'cut' | 'bookmark' | 'wait' }
);

const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ name: fc.nat(8), put: fc.string({ unit: 'grapheme', maxLength: 4 }) }),
  fc.record({ name: fc.nat(8), act: fc.constantFrom('delete', 'compact', 'end', 'cut', 'bookmark', 'wait') }),
);

const fault: fc.Arbitrary<Fault | undefined> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  fc.record({ cutAfter: fc.nat(1500) }),
  fc.record({ endAfterEvents: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ status: fc.constantFrom(500, 503, 410, 504) }),
  fc.constant<Fault>({ expireInStream: true }),
);

async function perform(step: Act): Promise<void> {
  if ('put' in step) api.put(`o-${step.name}`, step.put);
  else if (step.act === 'delete') api.delete(`o-${step.name}`);
  else if (step.act === 'compact') api.compact();
  else if (step.act === 'bookmark') api.bookmark();
  else if (step.act === 'wait') await new Promise((resolve) => setTimeout(resolve, 8));
  else api.endWatches(step.act);
}

test('whatever happens to connections, the store ends as the cluster, and the changes lead there', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(act, { maxLength: 40 }),
      fc.array(fault, { maxLength: 12 }),
      fc.boolean(),
      async (acts, faults, canWatchList) => {
        const rest = [...faults];
        api.canWatchList = canWatchList;
        api.fault = () => rest.shift();
        const reflector = new Reflector({
          client,
          resource: RESOURCES.configMap,
          trim: textOf,
          pace: { ...QUICK, leastWait: 1, mostWait: 4 },
        });
        const told = new Map<string, string>();
        reflector.store.onChange(({ key, before, after }) => {
          expect(told.get(key)).toBe(before);
          if (after === undefined) told.delete(key);
          else told.set(key, after);
        });
        for (const step of acts) await perform(step);
        await eventually(() => expect(contents(reflector)).toEqual(stored()));
        rest.length = 0;
        await reflector.synced();
        expect(Object.fromEntries(told)).toEqual(
          Object.fromEntries([...reflector.store.keys()].map((key) => [key, reflector.store.get(key)])),
        );
        reflector.close();
        await reflector.finished;
      },
    ),
    { numRuns: 60 },
  );
}, 120_000);
