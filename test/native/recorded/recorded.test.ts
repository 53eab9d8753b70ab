import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { REVISION, syncDeployment } from '../deployment.ts';
import { annotation } from '../fields.ts';
import { casesOf, lineOf, NOW, type SyncCase } from './cases.ts';
import { RECORDED_COUNT, RECORDED_FILE, RECORDED_SEED } from './record.ts';

function modelled({ deployment, replicaSets, pods }: SyncCase): string {
  const { writes, status, revision } = syncDeployment(deployment, replicaSets, pods, NOW);
  return lineOf(writes, status, revision ?? annotation(deployment, REVISION) ?? '');
}

test('the model writes what the code of Kubernetes 1.36.3 wrote, in the same order (node test/native/recorded/record.ts)', () => {
  const recorded = readFileSync(RECORDED_FILE, 'utf8').trim().split('\n');
  const cases = casesOf(RECORDED_SEED, RECORDED_COUNT);
  expect(recorded).toHaveLength(RECORDED_COUNT);
  cases.forEach((one, i) => {
    expect(modelled(one), JSON.stringify(one)).toBe(recorded[i]);
  });
  for (const word of ['create', 'delete', 'nothing', '; ']) expect(recorded.join('\n')).toContain(word);
});
