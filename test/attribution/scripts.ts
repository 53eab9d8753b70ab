import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { loadLibrary } from '../../src/lua/library.ts';
import { makeScript, type Script } from '../../src/lua/script.ts';
import { createRewriter, type Rewriter } from '../../src/rewrite/rewriter.ts';
import type { Kind } from './kinds.ts';

const library = loadLibrary();
const folder = `${import.meta.dirname}/scripts`;

const own = globSync(`${folder}/*.lua`).map((file) => {
  const kind = basename(file, '.lua');
  return [kind, makeScript(kind, readFileSync(file, 'utf8'), library.modules)] as const;
});

const byKind = new Map<string, Script>([
  ...[...library.scripts].map(([key, script]) => [basename(key), script] as const),
  ...own,
]);

const byHash = new Map([...byKind.values()].map((script) => [script.hash, script]));

/** The hash of the script that rewrites a kind: the shipped one, or the one for tests beside this file. */
export function scriptHash(kind: Kind): string {
  return byKind.get(kind.name)?.hash ?? '';
}

/** A rewriter that knows all these scripts. */
export function testRewriter(memoBytes?: number): Rewriter {
  return createRewriter((hash) => byHash.get(hash), memoBytes);
}
