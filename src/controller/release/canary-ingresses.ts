import type { Rollout } from '../../api/generated.ts';
import { ANNOTATIONS } from '../../api/names.ts';
import { mergePatch } from '../../json/merge-patch.ts';
import { isMap, type Json, type JsonMap, member, stringAt } from '../../json/value.ts';
import { outcomeOf } from '../../kube/api-error.ts';
import { resourceVersionOf } from '../../kube/client.ts';
import { RESOURCES } from '../../kube/resource.ts';
import type { Script } from '../../lua/script.ts';
import { scriptHashesOf, type Write } from '../../rewrite/decide.ts';
import { directiveKey } from '../../rewrite/directive.ts';
import type { Operation } from '../../rewrite/operations.ts';
import { isOwnKey } from '../../rewrite/own-keys.ts';
import { canaryIngress } from '../../rollout/canary-ingress.ts';
import { type Beneficiary, ownMarks } from '../../rollout/made-for.ts';
import { type Api, FIELD_MANAGER, TryAgain } from '../api.ts';
import type { Decide } from '../dry-run.ts';
import { contentOf } from '../seen.ts';
import type { GatewayObject } from './gateways.ts';
import { createOwn } from './own-objects.ts';
import { Denied } from './steer.ts';

/** The canary Ingresses beside stable ones: objects of Sluice's own, which follow their stable Ingress. */
export type CanaryIngresses = {
  /**
   * Makes the canary Ingress of an object what the directive says, or removes it where there is none.
   * @throws Denied where it cannot be made, TryAgain where the stable Ingress has changed
   */
  write(object: GatewayObject, directive: string | undefined, rollout: Rollout, namespace: string): Promise<void>;
};

export type CanaryIngressOptions = {
  readonly api: Api;
  readonly decide: Decide;
  readonly script: (hash: string) => Script | undefined;
};

export function createCanaryIngresses({ api, decide, script }: CanaryIngressOptions): CanaryIngresses {
  /** What the class's script makes of a new canary Ingress: as if it were created with the directive on it. */
  async function rewritten(base: JsonMap, key: string, directive: string): Promise<JsonMap> {
    const metadata = mapAt(base, 'metadata');
    const annotations = { ...mapAt(metadata, 'annotations'), [key]: directive };
    const incoming = { ...base, metadata: { ...metadata, annotations } };
    const write: Write = { operation: 'CREATE', incoming, byController: true };
    const scripts = scriptHashesOf(write).flatMap((hash) => script(hash) ?? []);
    const { verdict } = await decide(write, scripts);
    if (verdict.verdict === 'denied') throw new Denied(`Ingress ${labelOf(base)}: ${verdict.message}`);
    return verdict.verdict === 'untouched' ? incoming : applied(incoming, verdict.operations);
  }

  return {
    async write(object, directive, rollout, namespace) {
      const { placed, seen, canary } = object;
      const name = rollout.metadata.name ?? '';
      if (directive === undefined) {
        if (canary === undefined) return;
        try {
          await api.delete(RESOURCES.ingress, { namespace, name: canary.name }, { uid: canary.uid });
        } catch (error) {
          if (outcomeOf(error) !== 'gone') throw error;
        }
        return;
      }
      if (canary?.made?.by === directive && canary.made.from === seen.content) return;
      const stable = await api.get(RESOURCES.ingress, { namespace, name: placed.target.name });
      if (contentOf(stable['metadata']) !== seen.content)
        throw new TryAgain(`Ingress ${labelOf(stable)} has changed meanwhile`);
      const base = canaryIngress(stable, placed.target.routes);
      if (base === undefined) {
        const services = placed.target.routes.map(({ stableService }) => stableService).join(', ');
        throw new Denied(`Ingress ${labelOf(stable)}: none of its paths leads to Service ${services}`);
      }
      const beneficiary = { namespace, name, uid: rollout.metadata.uid ?? '' };
      const plain = await rewritten(base, directiveKey(name), directive);
      const whole = marked(plain, beneficiary, directive, seen.content);
      if (canary === undefined) {
        await createOwn(api, RESOURCES.ingress, whole);
        return;
      }
      const present = await api.get(RESOURCES.ingress, { namespace, name: canary.name });
      const patch = mergePatch(written(present), written(whole));
      if (patch === undefined) return;
      const metadata = { ...mapAt(patch, 'metadata'), resourceVersion: resourceVersionOf(present) };
      const body = { ...patch, metadata };
      const options = { fieldManager: FIELD_MANAGER, isAnswerRead: false } as const;
      await api.patch(RESOURCES.ingress, { namespace, name: canary.name }, 'merge', body, options);
    },
  };
}

/** The parts of a canary Ingress that are ours to write: all of them but what the API server adds. */
function written(object: JsonMap): JsonMap {
  const metadata = mapAt(object, 'metadata');
  const { labels = {}, annotations = {} } = metadata;
  return { metadata: { labels, annotations }, spec: object['spec'] ?? {} };
}

/** It is written as it is to be, so that nothing has to be rewritten at admission; it says whose it is and of what. */
function marked(object: JsonMap, rollout: Beneficiary, by: string, from: string): JsonMap {
  const metadata = mapAt(object, 'metadata');
  const own = ownMarks(rollout, 'Ingress', stringAt(metadata, 'name') ?? '');
  const annotations = Object.entries(mapAt(metadata, 'annotations')).filter(([key]) => !isOwnKey(key));
  return {
    ...object,
    metadata: {
      ...metadata,
      labels: { ...mapAt(metadata, 'labels'), ...own.labels },
      annotations: {
        ...Object.fromEntries(annotations),
        ...own.annotations,
        [ANNOTATIONS.madeBy]: by,
        [ANNOTATIONS.madeFrom]: from,
      },
    },
  };
}

/** Operations of a rewrite replace `/spec`, `/metadata/labels` and `/metadata/annotations` whole. */
function applied(object: JsonMap, operations: readonly Operation[]): JsonMap {
  let result = object;
  for (const operation of operations) {
    const [, first = '', second] = operation.path.split('/');
    const value: Json = operation.op === 'remove' ? {} : operation.value;
    result = { ...result, [first]: second === undefined ? value : { ...mapAt(result, first), [second]: value } };
  }
  return result;
}

function mapAt(object: JsonMap, key: string): JsonMap {
  const value = member(object, key);
  return isMap(value) ? value : {};
}

function labelOf(object: JsonMap): string {
  return `${stringAt(object, 'metadata', 'namespace')}/${stringAt(object, 'metadata', 'name')}`;
}
