import { issueAuthority, issueServing, type RsaKeys, rsaKeys } from './generate.ts';
import type { Issuer } from './written.ts';

/**
 * Issues real certificates with keys that were made before and are used in turn: two certificates that are in use at the
 * same time never share one as long as the pool is larger than their number.
 */
export async function pooledIssuer(size = 8): Promise<Issuer> {
  const pool = await Promise.all(Array.from({ length: size }, rsaKeys));
  const next = takeTurns(pool);
  const nextAuthority = takeTurns(await Promise.all(Array.from({ length: size }, rsaKeys)));
  return {
    authority: (validity) => issueAuthority(validity, nextAuthority),
    serving: (authority, hosts, validity) => issueServing(authority, hosts, validity, next),
  };
}

function takeTurns(pool: readonly RsaKeys[]): () => Promise<RsaKeys> {
  let turn = 0;
  return () => {
    const keys = pool[turn++ % pool.length];
    return keys ? Promise.resolve(keys) : Promise.reject(new Error('a pool without keys'));
  };
}
