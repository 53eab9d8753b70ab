/** What a ready webhook serves; undefined as long as it has not answered. */
export type Served = ReadonlySet<string> | undefined;

/** Which paths are to be called, and why the others are not. */
export type PathPlan = { readonly paths: ReadonlySet<string>; readonly waiting: ReadonlyMap<string, string> };

/**
 * A path is called once every ready webhook serves it, and no longer once none does: during an upgrade two versions of us
 * serve side by side, and a call that ends in a 404 refuses somebody's write. In between, and while no webhook is ready,
 * everything stays as it is: what is called protects objects in a release, and refusing some of their writes is better
 * than letting some pass unseen.
 *
 *                 every ready webhook serves it
 *    not called ──────────────────────────────► called
 *               ◄──────────────────────────────
 *                 there are ready webhooks, all have answered, none serves it
 *
 * @param wanted the paths of this version's templates
 * @param ready what each ready webhook serves
 * @param called the paths that are called now
 */
export function planPaths(wanted: readonly string[], ready: readonly Served[], called: ReadonlySet<string>): PathPlan {
  const paths = new Set<string>();
  const waiting = new Map<string, string>();
  for (const path of wanted) {
    const reason = whyNot(path, ready, called.has(path));
    if (reason === undefined) paths.add(path);
    else waiting.set(path, reason);
  }
  return { paths, waiting };
}

function whyNot(path: string, ready: readonly Served[], isCalled: boolean): string | undefined {
  const serving = ready.filter((served) => served?.has(path)).length;
  const silent = ready.filter((served) => served === undefined).length;
  if (ready.length > 0 && serving === ready.length) return undefined;
  if (ready.length > 0 && serving === 0 && silent === 0) return 'no ready webhook serves it';
  if (isCalled) return undefined;
  if (ready.length === 0) return 'no webhook is ready';
  if (silent > 0) return `${silent} of ${ready.length} ready webhooks have not said yet what they serve`;
  return `only ${serving} of ${ready.length} ready webhooks serve it`;
}
