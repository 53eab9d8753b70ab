import { customScriptKey, ingressScriptKey, SCRIPT_CONFIG_MAP, scriptNameOf } from '../api/names.ts';
import { findScript, type Library, type ScriptRequest, type UserScripts } from '../lua/library.ts';
import { makeScript, type Script, ScriptError } from '../lua/script.ts';
import { PINNED_LIMIT, pinnedSize } from '../rollout/pinned-script.ts';
import { type RecordEvent, type Regarding, TryAgain } from './api.ts';
import type { Pins } from './pins.ts';
import type { RecordStore, Remembered, ScriptRecord } from './script-record.ts';
import type { ScriptConfigMap } from './user-scripts.ts';

/** Which script an object gets, and what people must know about it. */
export type ScriptChoice =
  | { readonly state: 'ready'; readonly script: Script }
  /** The user's text is broken: `message` names script and line; `lastGood` goes on being used, where there is one. */
  | { readonly state: 'broken'; readonly key: string; readonly message: string; readonly lastGood: Script | undefined }
  /** Neither shipped nor in the ConfigMap, where its key would be `key`. */
  | { readonly state: 'missing'; readonly key: string };

/** A check of one text: why it cannot be used, or nothing. */
export type CheckScript = (script: Script) => Promise<string | undefined>;

/** The scripts that Rollouts can use: those that are shipped, and the user's, checked, with the last good text of each. */
export type ScriptBook = {
  /** Reads the ConfigMap as it is now. Until this has been done once, {@link ScriptBook.choose} knows nothing. */
  update(): Promise<{
    readonly changed: boolean;
    /** Some text could not be compiled in time, which says nothing of it: it has to be tried again. */
    readonly isDoubtful: boolean;
  }>;
  choose(request: ScriptRequest): ScriptChoice | undefined;
  /** The key of the user's script that a shipped one hides, if Rollouts that want this object were to use it. */
  shadowed(request: ScriptRequest): string | undefined;
  /** People are to be told of this hidden script: done with the next update. True when that is new. */
  tellShadowed(key: string): boolean;
  /** Whether the script is the last good text of some key that the ConfigMap has. */
  keeps(hash: string): boolean;
};

export type ScriptBookOptions = {
  readonly library: Library;
  readonly namespace: string;
  readonly configMap: () => ScriptConfigMap | undefined;
  readonly check: CheckScript;
  readonly pins: Pins;
  readonly record: RecordStore;
  readonly event: RecordEvent;
};

type Verdict = { readonly script: Script; readonly problem: string | undefined; readonly isDoubtful: boolean };

export function createScriptBook(options: ScriptBookOptions): ScriptBook {
  const { library, configMap, pins, record, event, namespace } = options;
  const check = checkOnce(options.check);
  let current:
    | { user: UserScripts | undefined; verdicts: ReadonlyMap<string, Verdict>; record: ScriptRecord }
    | undefined;
  const toTell = new Set<string>();

  async function update(): ReturnType<ScriptBook['update']> {
    const stored = configMap();
    const verdicts = await judged(stored?.user, library, check);
    // Somebody may have deleted the record, too.
    const before = { ...current?.record, ...(await record.read()) };
    for (const { script, problem } of verdicts.values()) if (problem === undefined) await pins.ensure(script);
    const telling = new Set(toTell);
    const entries = [...verdicts].map(
      ([key, verdict]) => [key, remember(before[key] ?? {}, verdict, telling.has(key))] as const,
    );
    const after = {
      ...absent(before, verdicts),
      ...Object.fromEntries(entries.filter(([, entry]) => Object.keys(entry).length > 0)),
    };
    await record.write(after);
    for (const key of telling) toTell.delete(key);
    if (stored !== undefined) tell(stored, before, after, verdicts);
    const changed =
      current === undefined || isOther(current.verdicts, verdicts) || current.user?.override !== stored?.user.override;
    current = { user: stored?.user, verdicts, record: after };
    return { changed, isDoubtful: [...verdicts.values()].some((verdict) => verdict.isDoubtful) };
  }

  /** The last good texts of keys that are gone, as long as they are pinned: a ConfigMap that is replaced is gone for a moment. */
  function absent(before: ScriptRecord, verdicts: ReadonlyMap<string, Verdict>): ScriptRecord {
    const kept = Object.entries(before).filter(
      ([key, { good }]) => !verdicts.has(key) && good !== undefined && pins.get(good) !== undefined,
    );
    return Object.fromEntries(kept.map(([key, { good = '' }]) => [key, { good }]));
  }

  function remember(before: Remembered, { script, problem, isDoubtful }: Verdict, isTelling: boolean): Remembered {
    const good = problem === undefined ? script.hash : before.good;
    const toldShadowed = isTelling ? script.hash : before.toldShadowed;
    return {
      ...(good === undefined ? {} : { good }),
      ...(problem === undefined || isDoubtful ? {} : { toldBroken: script.hash }),
      ...(toldShadowed === undefined ? {} : { toldShadowed }),
    };
  }

  function tell(
    stored: ScriptConfigMap,
    before: ScriptRecord,
    after: ScriptRecord,
    verdicts: ReadonlyMap<string, Verdict>,
  ): void {
    const regarding: Regarding = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      namespace,
      name: SCRIPT_CONFIG_MAP.name,
      uid: stored.uid,
    };
    for (const [key, { toldBroken, toldShadowed, good }] of Object.entries(after)) {
      const problem = verdicts.get(key)?.problem;
      if (problem !== undefined && toldBroken !== before[key]?.toldBroken) {
        const rest = good === undefined ? 'there is no earlier text to use instead' : 'its last good text stays in use';
        event(regarding, {
          type: 'Warning',
          reason: 'ScriptBroken',
          action: 'CheckScripts',
          note: `${key}: ${problem}; ${rest}`,
        });
      }
      if (toldShadowed !== undefined && toldShadowed !== before[key]?.toldShadowed) {
        event(regarding, { type: 'Warning', reason: 'ScriptShadowed', action: 'CheckScripts', note: shadowNote(key) });
      }
    }
  }

  function choose(request: ScriptRequest): ScriptChoice | undefined {
    if (current === undefined) return undefined;
    const key = keyOf(request);
    const found = findScript(request, library, current.user);
    if (found === undefined) return { state: 'missing', key };
    const problem = found.from === 'configmap' ? current.verdicts.get(key)?.problem : undefined;
    if (problem === undefined) return { state: 'ready', script: found.script };
    const good = current.record[key]?.good;
    return { state: 'broken', key, message: problem, lastGood: good === undefined ? undefined : pins.get(good) };
  }

  return {
    update,
    choose,
    shadowed: (request) =>
      findScript(request, library, current?.user)?.shadows === 'configmap' ? keyOf(request) : undefined,
    tellShadowed(key) {
      const hash = current?.verdicts.get(key)?.script.hash;
      if (hash === undefined || current?.record[key]?.toldShadowed === hash || toTell.has(key)) return false;
      toTell.add(key);
      return true;
    },
    keeps: (hash) =>
      Object.entries(current?.record ?? {}).some(([key, { good }]) => good === hash && current?.verdicts.has(key)),
  };
}

/** The key under which the ConfigMap holds the script that is asked for. */
export function keyOf(request: ScriptRequest): string {
  return request.contract === 'ingress'
    ? ingressScriptKey(request.classType)
    : customScriptKey(request.kind, request.group || 'v1');
}

function shadowNote(key: string): string {
  return `${key} is not used: Sluice ships a script for this kind, which goes first; annotate the ConfigMap with sluice.dev/override: "true" to use this one`;
}

async function judged(
  user: UserScripts | undefined,
  library: Library,
  check: CheckScript,
): Promise<Map<string, Verdict>> {
  const verdicts = new Map<string, Verdict>();
  for (const [key, text] of Object.entries(user?.data ?? {})) {
    const name = scriptNameOf(key);
    if (name === undefined) continue;
    const script = makeScript(name, text, library.modules);
    verdicts.set(key, { script, ...(await verdictOn(script, check)) });
  }
  return verdicts;
}

/** A text that took too long keeps no other from being used. */
async function verdictOn(script: Script, check: CheckScript): Promise<Omit<Verdict, 'script'>> {
  try {
    return { problem: await check(script), isDoubtful: false };
  } catch (error) {
    if (!(error instanceof TryAgain)) throw error;
    return { problem: `${error.message}; it is tried again`, isDoubtful: true };
  }
}

/** Checks each text once: by name and content, as the name is in the message. */
function checkOnce(check: CheckScript): CheckScript {
  let known = new Map<string, string | undefined>();
  return async (script) => {
    const key = `${script.name}\n${script.hash}`;
    if (!known.has(key)) {
      if (known.size >= 1_000) known = new Map();
      known.set(key, tooLarge(script) ?? (await check(script)));
    }
    return known.get(key);
  };
}

function tooLarge(script: Script): string | undefined {
  const size = pinnedSize(script);
  if (size <= PINNED_LIMIT) return undefined;
  return `${script.name}: the script and its modules have ${size} bytes; at most ${PINNED_LIMIT} can be stored`;
}

function isOther(a: ReadonlyMap<string, Verdict>, b: ReadonlyMap<string, Verdict>): boolean {
  const isSame = (key: string, { script, problem }: Verdict) =>
    a.get(key)?.script.hash === script.hash && a.get(key)?.problem === problem;
  return a.size !== b.size || [...b].some(([key, verdict]) => !isSame(key, verdict));
}

/** Compiles a script where it can be stopped: the parser, too, is given hostile text. */
export function compileIn(run: (job: 'compile', input: string) => Promise<string>): CheckScript {
  return async (script) => {
    try {
      await run('compile', JSON.stringify(script));
      return undefined;
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      if (error.reason === 'time') throw new TryAgain(error.message, { cause: error }); // says nothing of the text
      return error.message;
    }
  };
}
