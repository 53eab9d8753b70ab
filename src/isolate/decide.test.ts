import { expect, test } from 'vitest';
import { encodeDirective, FORMAT } from '../rewrite/directive.ts';
import { createRewriter } from '../rewrite/rewriter.ts';
import { decideInput, judge, runDecide } from './decide.ts';

const armed = encodeDirective({
  format: FORMAT,
  rollout: { namespace: 'shop', name: 'web', uid: 'uid' },
  revision: '',
  step: 0,
  continues: false,
  action: { type: 'armed', style: 'canary' },
});

const deployment = (image: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { replicas: 4, template: { spec: { containers: [{ name: 'web', image }] } } },
});

test.each([
  ['named by a Rollout', new Map([['directive.sluice.dev/web', armed]]), 'rewritten'],
  ['that no Rollout names', undefined, 'untouched'],
])('a new template of a workload %s is judged in a thread as it is judged here', (_, naming, verdict) => {
  const write = {
    operation: 'UPDATE',
    incoming: deployment('web:2'),
    live: deployment('web:1'),
    byController: false,
    fieldManager: 'kubectl',
    ...(naming === undefined ? {} : { naming }),
  } as const;
  const here = judge(
    write,
    createRewriter(() => undefined),
  );
  const there = runDecide(decideInput(write, []), () => {
    throw new Error('it takes no script');
  });
  expect(here.verdict.verdict).toBe(verdict);
  expect(JSON.parse(there)).toEqual(here);
});
