import { ANNOTATIONS, canaryName, LABELS } from '../api/names.ts';
import { parseJson } from '../json/text.ts';
import { type Json, type JsonMap, stringAt } from '../json/value.ts';
import { rolloutLabel } from '../rewrite/directive.ts';

/** The Rollout that an object of ours is there for. */
export type Beneficiary = { readonly namespace: string; readonly name: string; readonly uid: string };

/** Labels and annotations that tell an object of ours from everybody else's. */
export type OwnMarks = { readonly labels: JsonMap; readonly annotations: JsonMap };

/**
 * What an object of Sluice's own bears from its creation on. The label is for people, who look for it, and holds a cut
 * name; the annotation is what counts. It names the object itself, so that it proves nothing on a copy.
 */
export function ownMarks({ namespace, name, uid }: Beneficiary, kind: string, objectName: string): OwnMarks {
  const text = JSON.stringify({ rollout: { namespace, name, uid }, object: { kind, name: objectName } });
  return { labels: { [LABELS.rollout]: rolloutLabel(name) }, annotations: { [ANNOTATIONS.madeFor]: text } };
}

/**
 * The Rollout (`namespace/name`) that an object of ours is there for; undefined for everything that Sluice has not made
 * itself. A label alone says nothing, since anybody may write one; and what was exported, renamed and applied again is
 * its owner's.
 */
export function madeFor(metadata: Json | undefined, kind: string): string | undefined {
  const text = stringAt(metadata, 'annotations', ANNOTATIONS.madeFor);
  const own = text === undefined ? null : parsed(text);
  const [namespace, name] = ['namespace', 'name'].map((field) => stringAt(own, 'rollout', field));
  if (namespace === undefined || name === undefined || namespace !== stringAt(metadata, 'namespace')) return undefined;
  const objectName = stringAt(metadata, 'name') ?? '';
  const isItself = stringAt(own, 'object', 'kind') === kind && stringAt(own, 'object', 'name') === objectName;
  return isItself && isNamedAsOurs(metadata, kind, objectName) ? `${namespace}/${name}` : undefined;
}

/** A canary Deployment also says whose pods it has: without that it is never taken for one, and never deleted. */
function isNamedAsOurs(metadata: Json | undefined, kind: string, name: string): boolean {
  const followed = followedName(name);
  if (followed === undefined || kind !== 'Deployment') return followed !== undefined;
  return stringAt(metadata, 'labels', LABELS.canaryDeployment) === workloadLabel(followed);
}

/** The name of what an object of ours stands beside; undefined for names that none of ours has. */
export function followedName(name: string): string | undefined {
  const end = canaryName('');
  return name.endsWith(end) ? name.slice(0, -end.length) : undefined;
}

/**
 * The label value by which pods of a canary Deployment say whose they are, and all that selects them: the name of the
 * workload, which may be longer than a value may be, cut as that of a Rollout.
 */
export function workloadLabel(workloadName: string): string {
  return rolloutLabel(workloadName);
}

function parsed(text: string): Json {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return null; // nothing that Sluice has written
  }
}
