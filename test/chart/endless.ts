import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonMap } from '../../src/json/value.ts';
import { makeScript } from '../../src/lua/script.ts';
import { directiveKey, encodeDirective, FORMAT } from '../../src/rewrite/directive.ts';

/** A user's script that never ends, for a kind that Sluice ships none for. */
const SCRIPT = makeScript('networking.istio.io/Sidecar', 'while true do end', new Map());

/** Writes the ConfigMap with the script; gives the file's path. */
export function endlessScript(folder: string): string {
  const file = join(folder, 'scripts.json');
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kruise-rollout-configuration', namespace: 'sluice-system' },
    data: { 'lua.traffic.routing.Sidecar.networking.istio.io': SCRIPT.text },
  };
  writeFileSync(file, JSON.stringify(configMap));
  return file;
}

/** The review of the controller's write that has an object rewritten by the script. */
export function endlessReview(): JsonMap {
  const type = { group: 'networking.istio.io', version: 'v1' };
  const object = (annotations: JsonMap): JsonMap => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: { name: 'web', namespace: 'shop', annotations },
    spec: {},
  });
  const directive = encodeDirective({
    format: FORMAT,
    rollout: { namespace: 'shop', name: 'web', uid: 'a-uid' },
    revision: 'r1',
    step: 1,
    continues: false,
    action: {
      type: 'gateway',
      contract: 'custom',
      script: { name: SCRIPT.name, hash: SCRIPT.hash },
      routes: [{ stableService: 'web', canaryService: 'web-canary' }],
      weight: 20,
    },
  });
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: 'u-1',
      kind: { ...type, kind: 'Sidecar' },
      resource: { ...type, resource: 'sidecars' },
      namespace: 'shop',
      name: 'web',
      operation: 'UPDATE',
      userInfo: { username: 'system:serviceaccount:sluice-system:sluice-controller' },
      object: object({ [directiveKey('web')]: directive }),
      oldObject: object({}),
    },
  };
}
