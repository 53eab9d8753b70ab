import { equal } from '../json/equal.ts';
import { at, isMap, member, stringAt } from '../json/value.ts';
import type { Findings } from './findings.ts';
import { refusedGateway } from './gateway-groups.ts';
import { canaryName } from './names.ts';
import { groupKind, itemsOf, type Part, partOf, type RolloutView } from './view.ts';
import { type FieldPath, fieldPath } from './violation.ts';

/** OpenKruise's rules for trafficRoutings, except that there may be several, and mistakes beyond them. */
export function checkRoutings(view: RolloutView, findings: Findings): void {
  const services = new Map<string, FieldPath>();
  const objects = new Map<string, FieldPath>();
  for (const routing of view.routings) {
    const service = partOf(routing, 'service');
    checkService(service, services, findings);
    if (generatesServices(view)) checkLength(service, findings);
    checkGrace(partOf(routing, 'gracePeriodSeconds'), findings);
    checkObjects(view, routing, objects, findings);
  }
  if (view.version === 'v1alpha1') checkOldNames(view, findings);
}

function checkService(service: Part, seen: Map<string, FieldPath>, findings: Findings): void {
  if (isName(service)) once(`Service ${service.value}`, service.path, seen, findings);
  else findings.deny(service.path, 'is missing or empty; write the name of the stable Service');
}

/** Names of Services are DNS labels (RFC 1123). */
const SERVICE_NAME_LIMIT = 63;

function checkLength({ value, path }: Part, findings: Findings): void {
  const most = SERVICE_NAME_LIMIT - canaryName('').length;
  if (typeof value !== 'string' || value.length <= most) return;
  findings.deny(
    path,
    `is too long by ${value.length - most} for its canary Service ${canaryName('<name>')}; name a Service of at most ${most} characters, or set disableGenerateCanaryService`,
  );
}

function generatesServices({ hub }: RolloutView): boolean {
  const strategy = at(hub, ['spec', 'strategy']);
  const active = member(strategy, 'canary') ?? member(strategy, 'blueGreen');
  return member(active, 'disableGenerateCanaryService') !== true;
}

function checkGrace({ value, path }: Part, findings: Findings): void {
  if (typeof value === 'number' && value < 0) findings.deny(path, `${value} seconds cannot be waited; write 0 or more`);
}

function checkObjects(view: RolloutView, routing: Part, seen: Map<string, FieldPath>, findings: Findings): void {
  const ingress = partOf(routing, 'ingress');
  const gateway = partOf(routing, 'gateway');
  const custom = partOf(routing, 'customNetworkRefs');
  const older = partOf(routing, 'networkRefs');
  const refs = [
    ...itemsOf(custom),
    ...(view.version === 'v1alpha1' && itemsOf(custom).length === 0 ? itemsOf(older) : []),
  ];
  if (!isMap(ingress.value) && !isMap(gateway.value) && refs.length === 0) {
    findings.deny(routing.path, 'names nothing that carries the traffic; write ingress, gateway or customNetworkRefs');
  }
  if (isMap(ingress.value)) checkName(partOf(ingress, 'name'), 'Ingress', seen, findings);
  if (isMap(gateway.value)) checkName(partOf(gateway, 'httpRouteName'), 'HTTPRoute', seen, findings);
  for (const ref of refs) checkRef(ref, seen, findings);
}

function checkName(name: Part, kind: string, seen: Map<string, FieldPath>, findings: Findings): void {
  const group = kind === 'Ingress' ? 'networking.k8s.io' : 'gateway.networking.k8s.io';
  if (isName(name)) once(`${kind}.${group} ${name.value}`, name.path, seen, findings);
  else findings.deny(name.path, `is missing or empty; write the name of the ${kind}`);
}

function checkRef(ref: Part, seen: Map<string, FieldPath>, findings: Findings): void {
  const missing = ['apiVersion', 'kind', 'name'].filter((field) => !isName(partOf(ref, field)));
  for (const field of missing)
    findings.deny([...ref.path, field], 'is missing or empty; write apiVersion, kind and name of the object');
  if (missing.length > 0) return;
  const [group = '', kind = ''] = groupKind(ref.value).split('/');
  const refusal = refusedGateway({ group, kind });
  if (refusal !== undefined)
    findings.deny([...ref.path, 'apiVersion'], `${kind} cannot carry traffic here: ${refusal}; name a gateway object`);
  once(`${kind}.${group} ${stringAt(ref.value, 'name')}`, ref.path, seen, findings);
}

/** Each Service and each object takes part once: two entries would write the same fields with different meanings. */
function once(what: string, path: FieldPath, seen: Map<string, FieldPath>, findings: Findings): void {
  const first = seen.get(what);
  if (first === undefined) seen.set(what, path);
  else findings.deny(path, `${what} is named by ${fieldPath(first)} already; name it once`);
}

function isName({ value }: Part): boolean {
  return typeof value === 'string' && value !== '';
}

/** The older names of v1alpha1: still understood, announced as deprecated, refused where they contradict the newer ones. */
function checkOldNames(view: RolloutView, findings: Findings): void {
  const disabled = member(view.active?.value, 'disableGenerateCanaryService');
  let wanted = typeof disabled === 'boolean' ? !disabled : undefined;
  for (const routing of view.routings) {
    const [older, newer] = [partOf(routing, 'networkRefs'), partOf(routing, 'customNetworkRefs')];
    if (older.value !== undefined) {
      findings.warn(older.path, 'is deprecated; write customNetworkRefs');
      if (newer.value !== undefined && !equal(newer.value, older.value))
        findings.deny(older.path, 'differs from customNetworkRefs beside it; write customNetworkRefs only');
    }
    const create = partOf(routing, 'createCanaryService');
    if (typeof create.value !== 'boolean') continue;
    const instead = `${fieldPath([...(view.active?.path ?? []), 'disableGenerateCanaryService'])}: ${!create.value}`;
    findings.warn(create.path, `is deprecated; write ${instead}`);
    if (wanted !== undefined && wanted !== create.value)
      findings.deny(
        create.path,
        `contradicts what is said elsewhere in this Rollout; write ${instead} or its opposite, once`,
      );
    wanted ??= create.value;
  }
}
