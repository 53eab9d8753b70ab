import { equal } from '../src/json/equal.ts';
import { declaredOf, scopeOf } from '../src/rewrite/declared.ts';
import { directiveKey, encodeDirective } from '../src/rewrite/directive.ts';
import { scriptInput } from '../src/rewrite/gateway.ts';
import { encodeOriginal } from '../src/rewrite/original.ts';
import { createRewriter, objectName } from '../src/rewrite/rewriter.ts';
import { buildGopherLua, type GopherLua, startGopherLua } from './gopher-lua.ts';
import { inThisThread, interleaved, type Side } from './interleave.ts';
import type { Measurement } from './measurement.ts';
import { ROLLOUT, shippedScript, stepDirective, virtualService } from './virtual-service.ts';

const PLAN = { rounds: 9, milliseconds: 100 };

/** Routes of the object, and the ratio to reach without anything remembered. */
const SIZES = [
  { routes: 1, cold: 0.2 },
  { routes: 10, cold: 0.4 },
  { routes: 100, cold: 0.8 },
  { routes: 1000, cold: 0.8 },
];
const REMEMBERED = 0.05;

/** Part (a): one rewrite of a VirtualService by its shipped script, against gopher-lua. */
export async function measureRewrite(progress: (line: string) => void): Promise<Measurement[]> {
  if (buildGopherLua() === 'no Go') {
    progress('WARNING: (a) IS SKIPPED: there is no `go` on this machine to build bench/gopher-lua with');
    return [];
  }
  const other = startGopherLua();
  try {
    const measurements: Measurement[] = [];
    for (const { routes, cold } of SIZES) {
      progress(`(a) rewrite of ${routes} routes`);
      measurements.push(...(await measureSize(other, routes, cold)));
    }
    return measurements;
  } finally {
    other.close();
  }
}

async function measureSize(other: GopherLua, routes: number, coldGoal: number): Promise<Measurement[]> {
  const { rewrite, remembered, theirs } = await preparedSides(other, routes);
  const times = await interleaved(
    {
      cold: rewrite,
      remembered,
      other: theirs,
      otherCompiled: (iterations) => other.measure(iterations, true),
    },
    PLAN,
  );
  const microseconds = (nanoseconds: number) => nanoseconds / 1000;
  const title = `(a) rewrite, ${routes} ${routes === 1 ? 'route' : 'routes'}`;
  const common = { unit: 'µs', other: microseconds(times.other) };
  return [
    {
      ...common,
      name: `${title}, cold`,
      ours: microseconds(times.cold),
      goal: { bound: 'at most', ratio: coldGoal },
      details: [
        {
          name: `${title}, cold, other without compiling`,
          ours: microseconds(times.cold),
          other: microseconds(times.otherCompiled),
          unit: 'µs',
        },
      ],
    },
    {
      ...common,
      name: `${title}, remembered`,
      ours: microseconds(times.remembered),
      goal: { bound: 'at most', ratio: REMEMBERED },
    },
  ];
}

/** Both sides of one size, proven to give the same object. */
async function preparedSides(
  other: GopherLua,
  routes: number,
): Promise<{ rewrite: Side; remembered: Side; theirs: Side }> {
  const script = shippedScript();
  const object = virtualService(routes);
  const name = objectName(object);
  const declared = declaredOf(object, scopeOf(object));
  const directive = stepDirective({ number: 1, weight: 20 }, script);
  const directives = new Map([[directiveKey(ROLLOUT.name), encodeDirective(directive)]]);
  if (directive.action.type !== 'gateway') throw new Error('the directive of a gateway object is of another type');
  const [route] = directive.action.routes;
  if (route === undefined) throw new Error('the directive names no Services');

  const scripts = (hash: string) => (hash === script.hash ? script : undefined);
  const cold = createRewriter(scripts, 0);
  const warm = createRewriter(scripts);
  const original = encodeOriginal(declared, name.apiVersion);
  const result = cold.rewrite(name, declared, directives, 'throw').declared;
  const theirs = await other.load(script, scriptInput(declared, directive, directive.action, route, name));
  if (theirs === undefined || !equal({ ...result }, theirs)) {
    throw new Error(`the two sides give different objects for ${routes} routes`);
  }
  return {
    rewrite: inThisThread(() => cold.rewrite(name, declared, directives, 'throw')),
    // As in an admission: the original's text has just been read, and its rewrite is looked up by it.
    remembered: withFreshTexts(original, (text) =>
      warm.rewrite(name, warm.original(text).declared, directives, 'throw'),
    ),
    theirs: (iterations) => other.measure(iterations, false),
  };
}

/** Gives each iteration a string of its own, which no one has hashed yet; making them is not measured. */
function withFreshTexts(text: string, work: (text: string) => unknown): Side {
  const bytes = Buffer.from(text);
  const BATCH = 100;
  return (iterations) => {
    let nanoseconds = 0n;
    for (let done = 0; done < iterations; done += BATCH) {
      const texts = Array.from({ length: Math.min(BATCH, iterations - done) }, () => bytes.toString());
      const started = process.hrtime.bigint();
      for (const fresh of texts) work(fresh);
      nanoseconds += process.hrtime.bigint() - started;
    }
    return Number(nanoseconds);
  };
}
