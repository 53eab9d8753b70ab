import { ANNOTATIONS } from '../../api/names.ts';
import { at, type Json, type JsonMap, stringAt } from '../../json/value.ts';
import { resourceVersionOf } from '../../kube/client.ts';
import type { ObjectName, Resource } from '../../kube/resource.ts';
import type { Script } from '../../lua/script.ts';
import { scriptHashesOf, type Verdict, type Write } from '../../rewrite/decide.ts';
import { glanceAt } from '../../rewrite/directive.ts';
import { ownOf } from '../../rewrite/own-keys.ts';
import { type Api, FIELD_MANAGER, TryAgain } from '../api.ts';
import { writeDirectly } from '../direct-write.ts';
import type { Decide } from '../dry-run.ts';
import { contentOf } from '../seen.ts';

/** An object cannot become what a directive says; the message is for its Rollout's user. */
export class Denied extends Error {
  override readonly name = 'Denied';
}

/** One object that is to carry a directive of a Rollout, or none. */
export type Steering = {
  readonly resource: Resource;
  readonly name: ObjectName;
  readonly key: string;
  /** Undefined takes the directive off. */
  readonly text: string | undefined;
  /** What the object was when this was decided (see `contentOf`): on another one it may be wrong. */
  readonly content: string;
  /** Annotations of ours that go with it. */
  readonly without?: readonly string[];
};

/**
 * Puts directives on objects, and makes sure that the objects are what their directives say: it does what the webhook
 * would have done wherever that was not called.
 */
export type Steer = {
  /**
   * @throws Denied when admission refuses, and TryAgain when the object is another one by now
   */
  write(steering: Steering): Promise<void>;
  /** Puts an object right that was written past the webhook; edits made there are kept, as in any other write. */
  repair(resource: Resource, name: ObjectName): Promise<void>;
  /**
   * Whether the object was seen to be what its directives say, with this content. One without any is so at once, unless
   * we have written it before: then what a watch shows may be older than what we wrote.
   */
  isInEffect(uid: string, content: string, isPlain?: boolean): boolean;
};

export type SteerOptions = {
  readonly api: Api;
  readonly decide: Decide;
  /** Scripts by their hashes; undefined for one that is stored nowhere. */
  readonly script: (hash: string) => Script | undefined;
};

/** What is forgotten is looked at once more; far more objects than take part in releases at one time. */
const MOST_VERIFIED = 100_000;

export function createSteer({ api, decide, script }: SteerOptions): Steer {
  /** Uid → content of objects that were seen to be what their directives say; the latest last. */
  const verified = new Map<string, string>();

  async function judged(incoming: JsonMap, live: JsonMap): Promise<Verdict> {
    const write: Write = { operation: 'UPDATE', incoming, live, byController: true };
    const scripts = scriptHashesOf(write).flatMap((hash) => script(hash) ?? []);
    return (await decide(write, scripts)).verdict;
  }

  /** What the webhook should have answered is carried out, if anything is left of it. */
  async function settle(resource: Resource, after: JsonMap, before: JsonMap): Promise<void> {
    const verdict = await judged(after, before);
    if (isOrphan(after)) throw new Denied(`${resource.kind} ${labelOf(after)}: ${orphanText()}`);
    if (verdict.verdict === 'denied') throw new Denied(`${resource.kind} ${labelOf(after)}: ${verdict.message}`);
    const stored =
      verdict.verdict === 'untouched' ? after : await writeDirectly(api, resource, after, verdict.operations);
    remember(uidOf(stored), contentOf(at(stored, ['metadata'])));
  }

  function remember(uid: string, content: string): void {
    verified.delete(uid);
    verified.set(uid, content);
    const [oldest] = verified.keys();
    if (verified.size > MOST_VERIFIED && oldest !== undefined) verified.delete(oldest);
  }

  return {
    async write({ resource, name, key, text, content, without = [] }) {
      const before = await api.get(resource, name);
      if (contentOf(at(before, ['metadata'])) !== content)
        throw new TryAgain(`${resource.kind} ${labelOf(before)} has changed meanwhile`);
      if (stringAt(before, 'metadata', 'annotations', key) === text) return settle(resource, before, before);
      const gone = Object.fromEntries(without.map((each): [string, Json] => [each, null]));
      const annotations: { readonly [key: string]: Json } = { [key]: text ?? null, ...gone };
      const body = { metadata: { resourceVersion: resourceVersionOf(before), annotations } };
      const after = await api.patch(resource, name, 'merge', body, { fieldManager: FIELD_MANAGER });
      return settle(resource, after, before);
    },
    async repair(resource, name) {
      const object = await api.get(resource, name);
      return settle(resource, object, object);
    },
    isInEffect: (uid, content, isPlain = false) => verified.get(uid) === content || (isPlain && !verified.has(uid)),
  };
}

/** Rewritten, and what it was before is lost: nobody but its owner can say. */
function isOrphan(object: JsonMap): boolean {
  const { directives, original } = ownOf(object);
  return original === undefined && [...directives.values()].some((text) => glanceAt(text).continues);
}

function orphanText(): string {
  return `its annotation ${ANNOTATIONS.original} is missing, so that it is not rewritten; apply the object from its source again, without annotations of Sluice`;
}

function uidOf(object: JsonMap): string {
  return stringAt(object, 'metadata', 'uid') ?? '';
}

function labelOf(object: JsonMap): string {
  return `${stringAt(object, 'metadata', 'namespace')}/${stringAt(object, 'metadata', 'name')}`;
}
