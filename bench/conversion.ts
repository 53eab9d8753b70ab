import { convertObjects } from '../src/admission/convert.ts';
import { convertRollout } from '../src/api/conversion.ts';
import { type RolloutApiVersion, V1ALPHA1, V1BETA1 } from '../src/api/names.ts';
import { parseJson } from '../src/json/text.ts';
import type { Json } from '../src/json/value.ts';
import { interleaved, type Side } from './interleave.ts';
import type { Measurement } from './measurement.ts';
import { oldRollout } from './rollout.ts';

const PLAN = { rounds: 7, milliseconds: 150 };
const MANY = 10_000;

/** Part (c): conversions of Rollouts as `/convert` does them, against reading and writing the same bytes. */
export async function measureConversion(progress: (line: string) => void): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const count of [1, MANY]) {
    for (const desired of [V1BETA1, V1ALPHA1] as const) {
      const title = `(c) ${count.toLocaleString('en-US')} ${count === 1 ? 'Rollout' : 'Rollouts'} to ${short(desired)}`;
      progress(title);
      measurements.push(await measureCount(title, desired, count));
    }
  }
  return measurements;
}

async function measureCount(title: string, desired: RolloutApiVersion, count: number): Promise<Measurement> {
  const source = desired === V1BETA1 ? oldRollout() : convertRollout(oldRollout(), V1BETA1);
  const text = JSON.stringify(Array.from({ length: count }, () => source));
  const objects = parseJson(text) as readonly Json[]; // written a line above
  await checkConverted(desired, objects);
  const times = await interleaved(
    { ours: handler(desired, objects), other: inTurns(() => JSON.stringify(JSON.parse(text))) },
    PLAN,
  );
  const perSecond = (nanoseconds: number) => (count * 1e9) / nanoseconds;
  return { name: title, ours: perSecond(times.ours), other: perSecond(times.other), unit: 'conv/s' };
}

function handler(desiredApiVersion: RolloutApiVersion, objects: readonly Json[]): Side {
  return inTurns(() => convertObjects({ uid: 'bench', desiredApiVersion, objects }));
}

/** One after the other, each awaited: the other side too, so that both pay for it. */
function inTurns(work: () => unknown): Side {
  return async (iterations) => {
    const started = process.hrtime.bigint();
    for (let i = 0; i < iterations; i++) await work();
    return Number(process.hrtime.bigint() - started);
  };
}

async function checkConverted(desiredApiVersion: RolloutApiVersion, objects: readonly Json[]): Promise<void> {
  const answer = await convertObjects({ uid: 'bench', desiredApiVersion, objects });
  if (answer.verdict === 'converted' && answer.objects.length === objects.length) return;
  throw new Error(`the Rollouts were not converted: ${JSON.stringify(answer).slice(0, 500)}`);
}

function short(apiVersion: RolloutApiVersion): string {
  return apiVersion.slice(apiVersion.indexOf('/') + 1);
}
