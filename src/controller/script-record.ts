import { equal } from '../json/equal.ts';
import { parseJson } from '../json/text.ts';
import { isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import { outcomeOf } from '../kube/api-error.ts';
import { resourceVersionOf } from '../kube/client.ts';
import { RESOURCES } from '../kube/resource.ts';
import { type Api, FIELD_MANAGER, TryAgain } from './api.ts';

/**
 * What is remembered of a script of the user's ConfigMap beyond this process: the hash of its last text that compiled,
 * and the hashes of texts that people have been told about (broken, or hidden by a shipped script).
 */
export type Remembered = { readonly good?: string; readonly toldBroken?: string; readonly toldShadowed?: string };

/** By the ConfigMap's keys. */
export type ScriptRecord = Readonly<Record<string, Remembered>>;

/** The ConfigMap in our namespace that holds it, one key for each script, as JSON. */
export const SCRIPT_RECORD_NAME = 'sluice-script-record';

/** The record. Only the leader writes it, and somebody may delete it: it is read each time. */
export type RecordStore = {
  read(): Promise<ScriptRecord>;
  /** Writes what has changed. */
  write(record: ScriptRecord): Promise<void>;
};

export function createRecordStore(api: Api, namespace: string): RecordStore {
  const name = { namespace, name: SCRIPT_RECORD_NAME };
  let known: { record: ScriptRecord; resourceVersion: string | undefined } | undefined;

  async function load(): Promise<NonNullable<typeof known>> {
    try {
      const object = await api.get(RESOURCES.configMap, name);
      return { record: decoded(member(object, 'data')), resourceVersion: resourceVersionOf(object) };
    } catch (error) {
      if (outcomeOf(error) !== 'gone') throw error;
      return { record: {}, resourceVersion: undefined };
    }
  }

  function store(before: NonNullable<typeof known>, record: ScriptRecord): Promise<JsonMap> {
    const options = { fieldManager: FIELD_MANAGER };
    if (before.resourceVersion === undefined) {
      const metadata = { ...name, labels: { 'app.kubernetes.io/part-of': 'sluice' } };
      const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: encoded(record) };
      return api.create(RESOURCES.configMap, object, options);
    }
    const gone = Object.keys(before.record).filter((key) => !Object.hasOwn(record, key));
    const data = { ...encoded(record), ...Object.fromEntries(gone.map((key) => [key, null])) };
    const body = { metadata: { resourceVersion: before.resourceVersion }, data };
    return api.patch(RESOURCES.configMap, name, 'merge', body, options);
  }

  return {
    async read() {
      known = await load();
      return known.record;
    },
    async write(record) {
      known ??= await load();
      if (equal(record as Json, known.record as Json)) return;
      try {
        known = { record, resourceVersion: resourceVersionOf(await store(known, record)) };
      } catch (error) {
        const outcome = outcomeOf(error);
        known = undefined; // somebody else wrote or deleted it: read again
        if (outcome === 'conflict' || outcome === 'exists' || outcome === 'gone') {
          throw new TryAgain(`ConfigMap ${SCRIPT_RECORD_NAME} has changed meanwhile`, { cause: error });
        }
        throw error;
      }
    },
  };
}

function encoded(record: ScriptRecord): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, entry]) => [key, JSON.stringify(entry)]));
}

function decoded(data: Json | undefined): ScriptRecord {
  return Object.fromEntries(
    Object.entries(isMap(data) ? data : {}).map(([key, text]) => [
      key,
      remembered(typeof text === 'string' ? text : ''),
    ]),
  );
}

/** A text that somebody has spoilt remembers nothing: the worst is that people are told again. */
function remembered(text: string): Remembered {
  let value: Json;
  try {
    value = parseJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return {};
  }
  const [good, toldBroken, toldShadowed] = ['good', 'toldBroken', 'toldShadowed'].map((key) => stringAt(value, key));
  return {
    ...(good === undefined ? {} : { good }),
    ...(toldBroken === undefined ? {} : { toldBroken }),
    ...(toldShadowed === undefined ? {} : { toldShadowed }),
  };
}
