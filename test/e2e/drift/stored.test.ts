import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Rollout } from '../../../src/api/generated.ts';
import { conditionTerms } from '../../../src/api/matches.ts';
import { ANNOTATIONS } from '../../../src/api/names.ts';
import { readCase, type ScriptCase } from '../../../src/cli/case-file.ts';
import { findScripts, type ScriptFolder } from '../../../src/cli/script-folders.ts';
import { type Json, type JsonMap, stringAt } from '../../../src/json/value.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import { Discovery } from '../../../src/kube/discovery.ts';
import type { Resource } from '../../../src/kube/resource.ts';
import { type Declared, declaredOf, scopeOf } from '../../../src/rewrite/declared.ts';
import { directiveKey, encodeDirective } from '../../../src/rewrite/directive.ts';
import { decodeOriginal } from '../../../src/rewrite/original.ts';
import { createRewriter, objectName } from '../../../src/rewrite/rewriter.ts';
import { canaryIngress } from '../../../src/rollout/canary-ingress.ts';
import { stepDirective, stepsOf } from '../../../src/rollout/directives.ts';
import { type Target, targetsOf } from '../../../src/rollout/targets.ts';
import { cluster } from '../../cluster/cluster.ts';
import { type Installed, installSluice } from '../installed.ts';

const server = cluster();
const discovery = new Discovery({ client: server.client });
let sluice: Installed;

beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio', 'httpRoute'] });
  await sluice.rest();
});
afterAll(async () => {
  discovery.close();
  await sluice.uninstall();
});

const { scripts } = findScripts('lua-scripts');

describe.each(scripts.map((folder) => [folder.script.name, folder] as const))('%s', (_, folder) => {
  test.each(folder.cases.map((file) => [basename(file), file] as const))(
    'the API server stores what the script makes, unchanged: %s',
    async (_name, file) => {
      const read = readCase(file);
      if ('problems' in read) throw new Error(read.problems.join('\n'));
      await play(folder, read);
    },
  );
});

/**
 * Creates the original of a case, sets the directive of each step as the controller does, and looks at what is stored;
 * a step that asks for nothing takes the directive away.
 */
async function play(folder: ScriptFolder, { rollout, original, expected }: ScriptCase): Promise<void> {
  expect(expected.length, 'steps that are looked at').toBe(stepsOf(rollout).length);
  expect(expected.length).toBeGreaterThan(0);
  const namespace = await server.namespace();
  const target = targetFor(rollout, folder, original);
  const source = target.request.contract === 'ingress' ? canaryIngress(original, target.routes) : original;
  if (source === undefined) throw new Error('there is nothing that a server could store');
  const resource = await resourceOf(source);
  const { managedFields: _, ...metadata } = (source['metadata'] ?? {}) as JsonMap;
  const created = await server.client.create(resource, {
    ...source,
    apiVersion: `${resource.group}/${resource.version}`,
    metadata: { ...metadata, namespace },
  });
  const name = { namespace, name: objectName(source).name };
  const key = directiveKey(rollout.metadata.name ?? '');
  let continues = false;
  for (const [index, expectation] of expected.entries()) {
    const text = directiveOf(rollout, index + 1, target, folder, continues);
    const patch = { metadata: { annotations: { [key]: text ?? null } } };
    const writing = sluice.controller.patch(resource, name, 'merge', patch, { fieldManager: 'sluice-controller' });
    if ('error' in expectation) {
      const refusal = await writing.then(
        () => 'taken',
        (error: unknown) => (error instanceof ApiError ? error.message : Promise.reject(error)),
      );
      expect(refusal).toContain(expectation.error);
      continue;
    }
    const stored = await writing;
    continues = text !== undefined;
    const made = text === undefined ? declaredOf(created, scopeOf(created)) : rewritten(folder, stored, key, text);
    expect(comparable(declaredOf(stored, scopeOf(stored))), `step ${index + 1}`).toEqual(comparable(made));
  }
}

/** What the script makes of the original that is saved with the object. */
function rewritten({ script }: ScriptFolder, stored: JsonMap, key: string, text: string): Declared {
  const rewriter = createRewriter((hash) => (hash === script.hash ? script : undefined), 0);
  const saved = decodeOriginal(stringAt(stored, 'metadata', 'annotations', ANNOTATIONS.original) ?? '').declared;
  return rewriter.rewrite(objectName(stored), saved, new Map([[key, text]]), 'throw').declared;
}

function targetFor(rollout: Rollout, { request, script }: ScriptFolder, original: JsonMap): Target {
  const served = targetsOf(rollout).filter((each) => JSON.stringify(each.request) === JSON.stringify(request));
  const target = served.find(({ name }) => name === objectName(original).name) ?? served[0];
  if (target === undefined) throw new Error(`no target of ${script.name}`);
  return target;
}

async function resourceOf(object: JsonMap): Promise<Resource> {
  const [group = ''] = String(object['apiVersion']).split('/');
  const resource = await discovery.find(group, String(object['kind']));
  if (resource === undefined) throw new Error(`${String(object['kind'])} is not served`);
  return resource;
}

function directiveOf(
  rollout: Rollout,
  step: number,
  target: Target,
  { script }: ScriptFolder,
  continues: boolean,
): string | undefined {
  const { matches, violations } = conditionTerms(stepsOf(rollout)[step - 1]?.matches as Json | undefined, ['matches']);
  if (violations.length > 0) throw new Error(`step ${step} is refused before there is a directive`);
  const directive = stepDirective(rollout, step, target, script, matches, { revision: 'v2', continues });
  return directive && encodeDirective(directive);
}

/** Labels and annotations of a restore and of a first write may be empty or absent. */
function comparable({ spec = null, labels = {}, annotations = {} }: Declared): JsonMap {
  return { spec, labels, annotations };
}
