import { createHash } from 'node:crypto';
import { ANNOTATIONS, LABELS } from '../api/names.ts';
import { parseJson } from '../json/text.ts';
import { isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import { directiveKey, glanceAt } from '../rewrite/directive.ts';
import { ownOf } from '../rewrite/own-keys.ts';
import { madeFor } from '../rollout/made-for.ts';

/** A directive that an object carries. */
export type CarriedDirective = {
  /** The annotation's key. */
  readonly key: string;
  readonly text: string;
  /** `namespace/name` and uid of the Rollout that it is for; undefined when the text says neither, or says another key's. */
  readonly rollout: { readonly key: string; readonly uid: string } | undefined;
  /** True when it rewrites nothing, and can be taken away at any time. */
  readonly isArmed: boolean;
  /** The content hash of the script that it names. */
  readonly script: string | undefined;
};

/** An object as it is kept in memory: that it is there, and what Sluice has put on it. Specs are read when needed. */
export type Seen = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** The same text as long as spec, labels and annotations are the same; empty for kinds of which nobody asks. */
  readonly content: string;
  readonly isDeleting: boolean;
  readonly directives: readonly CarriedDirective[];
  readonly hasOriginal: boolean;
  /** Label `rollouts.kruise.io/workload-type`, empty without. */
  readonly workloadType: string;
  /** Of a Deployment: the number that its native controller gave the ReplicaSet of its template; empty before. */
  readonly nativeRevision: string;
  /** Of an object of ours: the Rollout that it is for (`namespace/name`), the directive that it was made by, and the content of what it follows. */
  readonly made: { readonly rollout: string; readonly by: string; readonly from: string } | undefined;
};

const NO_DIRECTIVES: readonly CarriedDirective[] = [];

/** Takes what is kept of an object, as it arrives; of gateway objects also what tells a new content from a new status. */
export function seen(object: JsonMap, kind: string, isGateway = false): Seen {
  const metadata = member(object, 'metadata');
  const namespace = stringAt(metadata, 'namespace') ?? '';
  const directives = [...ownOf(object).directives].map(([key, text]) => carried(key, text, namespace));
  return {
    namespace,
    name: stringAt(metadata, 'name') ?? '',
    uid: stringAt(metadata, 'uid') ?? '',
    resourceVersion: stringAt(metadata, 'resourceVersion') ?? '',
    content: isGateway ? contentOf(metadata) : '',
    isDeleting: stringAt(metadata, 'deletionTimestamp') !== undefined,
    directives: directives.length === 0 ? NO_DIRECTIVES : directives,
    hasOriginal: stringAt(metadata, 'annotations', ANNOTATIONS.original) !== undefined,
    workloadType: stringAt(metadata, 'labels', LABELS.workloadType) ?? '',
    nativeRevision: stringAt(metadata, 'annotations', ANNOTATIONS.nativeRevision) ?? '',
    made: madeOf(metadata, kind),
  };
}

function madeOf(metadata: Json | undefined, kind: string): Seen['made'] {
  const rollout = madeFor(metadata, kind);
  if (rollout === undefined) return undefined;
  const [by, from] = [ANNOTATIONS.madeBy, ANNOTATIONS.madeFrom].map((key) => stringAt(metadata, 'annotations', key));
  return { rollout, by: by ?? '', from: from ?? '' };
}

/** API servers count generations of the spec alone; where they do not (Services), each version may be another content. */
export function contentOf(metadata: Json | undefined): string {
  const generation = member(metadata, 'generation');
  if (typeof generation !== 'number' || generation === 0) return stringAt(metadata, 'resourceVersion') ?? '';
  const written = JSON.stringify([generation, member(metadata, 'labels'), member(metadata, 'annotations')]);
  return createHash('sha256').update(written).digest('base64');
}

function carried(key: string, text: string, objectNamespace: string): CarriedDirective {
  const { isArmed, hash } = glanceAt(text);
  return { key, text, rollout: rolloutOf(key, text, objectNamespace), isArmed, script: hash };
}

/** A Rollout acts in its own namespace, under the key of its own name: a text that says otherwise was forged or copied. */
function rolloutOf(key: string, text: string, objectNamespace: string): CarriedDirective['rollout'] {
  const rollout = member(parsed(text), 'rollout');
  const [namespace, name, uid] = ['namespace', 'name', 'uid'].map((field) => stringAt(rollout, field));
  if (namespace === undefined || name === undefined || uid === undefined) return undefined;
  if (directiveKey(name) !== key || namespace !== objectNamespace) return undefined;
  return { key: `${namespace}/${name}`, uid };
}

function parsed(text: string): Json {
  try {
    const value = parseJson(text);
    return isMap(value) ? value : null;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return null; // not a directive: the caller says so
  }
}

/** Whether two states of one object are the same in everything that is kept but the resourceVersion: only status differs. */
export function isSameButVersion(a: Seen, b: Seen): boolean {
  return (
    a.uid === b.uid &&
    a.content === b.content &&
    a.isDeleting === b.isDeleting &&
    a.hasOriginal === b.hasOriginal &&
    a.workloadType === b.workloadType &&
    a.nativeRevision === b.nativeRevision &&
    a.made?.rollout === b.made?.rollout &&
    a.made?.by === b.made?.by &&
    a.made?.from === b.made?.from &&
    a.directives.length === b.directives.length &&
    a.directives.every(({ key, text }, i) => key === b.directives[i]?.key && text === b.directives[i]?.text)
  );
}
