import { UsageError } from '../usage-error.ts';
import { RELEASE_EXIT } from './exit.ts';
import { Following, type StatusOptions } from './following.ts';
import { type Invocation, rolloutName } from './invocation.ts';
import { look } from './look.ts';
import { pictureOf } from './picture-of.ts';
import { print } from './show.ts';

/**
 * `sluice status`: shows a release once, while it goes on (`watch`), or at its end (`wait`).
 * @returns the exit code, see {@link RELEASE_EXIT}
 * @throws UsageError when there is no such Rollout, or the cluster cannot be read
 */
export async function status(text: string, options: StatusOptions, invocation: Invocation): Promise<number> {
  const name = rolloutName(text);
  if (options.timeout !== undefined && options.wait !== true) throw new UsageError('--timeout is for --wait: add it');
  // Also before watching: what is wrong is an error here, while watches try again and again.
  const picture = pictureOf(await look(invocation.requests, invocation.namespace, name), invocation.now());
  if (options.watch || options.wait) return await new Following(name, options, invocation).run();
  print(picture, options.output, invocation);
  return RELEASE_EXIT.done;
}
