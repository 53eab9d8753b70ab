import { ANNOTATIONS } from '../../api/names.ts';
import { at, type Json, type JsonMap, stringAt } from '../../json/value.ts';
import { ApiError, outcomeOf } from '../../kube/api-error.ts';
import { type KubeObject, nameOf, resourceVersionOf } from '../../kube/client.ts';
import type { ObjectName, Resource } from '../../kube/resource.ts';
import type { Script } from '../../lua/script.ts';
import { scriptHashesOf, type Verdict, type Write } from '../../rewrite/decide.ts';
import { glanceAt } from '../../rewrite/directive.ts';
import { ownOf } from '../../rewrite/own-keys.ts';
import { type Api, FIELD_MANAGER, TryAgain } from '../api.ts';
import { disown, throughWebhook, writeDirectly } from '../direct-write.ts';
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
 *
 * An object whose directive is new and whose fields are still the old one's says no more what its owner's settings are.
 * So the webhook is asked first, by a dry run, and where it does not answer directive and fields go in one write. Should
 * it fall silent between the dry run and the write, the fields follow at once, judged by the object of before.
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
/** Each is a whole object, and is needed for as long as it takes to write it once more. */
const MOST_HALFWAY = 100;
/** So often the fields are sent after a directive, on an object that others write at the same time. */
const ATTEMPTS = 10;

export function createSteer({ api, decide, script }: SteerOptions): Steer {
  /** Uid → content of objects that were seen to be what their directives say; the latest last. */
  const verified = new Map<string, string>();
  /** Uid → the object as it was when it last agreed with its directives, while a write of ours may be half of one. */
  const halfway = new Map<string, KubeObject>();

  /** What is left to do for the webhook. @throws Denied where nothing can be done */
  async function judged(
    resource: Resource,
    incoming: JsonMap,
    live: JsonMap,
  ): Promise<Exclude<Verdict, { verdict: 'denied' }>> {
    const write: Write = { operation: 'UPDATE', incoming, live, byController: true };
    const scripts = scriptHashesOf(write).flatMap((hash) => script(hash) ?? []);
    const { verdict } = await decide(write, scripts);
    if (isOrphan(incoming)) throw new Denied(`${resource.kind} ${labelOf(incoming)}: ${orphanText()}`);
    if (verdict.verdict === 'denied') throw new Denied(`${resource.kind} ${labelOf(incoming)}: ${verdict.message}`);
    return verdict;
  }

  /**
   * What the webhook should have answered is carried out, if anything is left of it.
   * @param before the object as it was when it last agreed with its directives
   */
  async function settle(
    resource: Resource,
    object: KubeObject,
    before = halfway.get(uidOf(object)) ?? object,
  ): Promise<void> {
    const verdict = await judged(resource, object, before);
    const stored =
      verdict.verdict === 'untouched'
        ? await disown(api, resource, object)
        : await writeDirectly(api, resource, object, verdict.operations);
    inEffect(stored);
  }

  function inEffect(stored: KubeObject): void {
    halfway.delete(uidOf(stored));
    keep(verified, MOST_VERIFIED, uidOf(stored), contentOf(at(stored, ['metadata'])));
  }

  /** The write as the webhook answers it; nothing is stored. Undefined where that cannot be asked. */
  async function imagined(resource: Resource, before: KubeObject, body: JsonMap): Promise<KubeObject | undefined> {
    try {
      const options = { fieldManager: FIELD_MANAGER, dryRun: true };
      return await api.patch(resource, nameOf(before), 'merge', body, options);
    } catch (error) {
      // Another webhook for these objects that may have side effects, and says so.
      if (error instanceof ApiError && error.status === 400 && error.message.includes('dry run')) return undefined;
      throw error;
    }
  }

  /** Stores the write for the webhook to answer it, and sees to it that it was. */
  async function entrust(resource: Resource, before: KubeObject, body: JsonMap): Promise<void> {
    keep(halfway, MOST_HALFWAY, uidOf(before), before);
    let object: KubeObject;
    try {
      object = await api.patch(resource, nameOf(before), 'merge', body, { fieldManager: FIELD_MANAGER });
    } catch (error) {
      const outcome = outcomeOf(error);
      // Without an answer it may have been stored.
      if (outcome !== 'passing' && outcome !== undefined) halfway.delete(uidOf(before));
      throw error;
    }
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        return await settle(resource, object, before);
      } catch (error) {
        if (outcomeOf(error) !== 'conflict') throw error;
      }
      object = await api.get(resource, nameOf(before));
      if (uidOf(object) !== uidOf(before)) break;
    }
    throw new TryAgain(`${resource.kind} ${labelOf(before)} changes all the time`);
  }

  return {
    async write({ resource, name, key, text, content, without = [] }) {
      const before = await api.get(resource, name);
      if (contentOf(at(before, ['metadata'])) !== content)
        throw new TryAgain(`${resource.kind} ${labelOf(before)} has changed meanwhile`);
      if (stringAt(before, 'metadata', 'annotations', key) === text) return settle(resource, before);
      const agreed = halfway.get(uidOf(before));
      if (agreed !== undefined && resourceVersionOf(agreed) !== resourceVersionOf(before)) {
        await settle(resource, before);
        throw new TryAgain(`${resource.kind} ${labelOf(before)} has just become what its directives say`);
      }
      const gone = Object.fromEntries(without.map((each): [string, Json] => [each, null]));
      const annotations: { readonly [key: string]: Json } = { [key]: text ?? null, ...gone };
      const body = { metadata: { resourceVersion: resourceVersionOf(before), annotations } };
      const sent = await imagined(resource, before, body);
      const verdict = sent && (await judged(resource, sent, before));
      if (sent === undefined || verdict?.verdict !== 'rewritten') return entrust(resource, before, body);
      inEffect(await writeDirectly(api, resource, before, throughWebhook(before, sent, verdict.operations)));
    },
    async repair(resource, name) {
      await settle(resource, await api.get(resource, name));
    },
    isInEffect: (uid, content, isPlain = false) =>
      !halfway.has(uid) && (verified.get(uid) === content || (isPlain && !verified.has(uid))),
  };
}

/** Keeps a value as the latest; beyond so many the oldest are forgotten. */
function keep<T>(values: Map<string, T>, most: number, uid: string, value: T): void {
  values.delete(uid);
  values.set(uid, value);
  const [oldest] = values.keys();
  if (values.size > most && oldest !== undefined) values.delete(oldest);
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
