import { join } from 'node:path';
import { CHECKOUT } from '../settings.ts';

/** What stands for a container image: programs of this checkout, run by this Node. */
export type Image = {
  /** The image's ENTRYPOINT. */
  readonly entrypoint: readonly string[];
  /** The image's ENV; `podIP` because a process has to bind to the address of its pod. */
  readonly env: (podIP: string) => Readonly<Record<string, string>>;
};

const IMAGES: Readonly<Record<string, Image>> = {
  sluice: { entrypoint: [process.execPath, join(CHECKOUT, 'bin/sluice.js')], env: () => ({ NODE_ENV: 'production' }) },
  echo: {
    entrypoint: [process.execPath, join(CHECKOUT, 'test/cluster/echo.ts')],
    env: (podIP) => ({ HOST: podIP }),
  },
  nginx: {
    entrypoint: [process.execPath, join(CHECKOUT, 'test/cluster/nginx.ts')],
    env: (podIP) => ({ HOST: podIP }),
  },
  // One of the test cluster's own programs, or what else is in its cache: the container's command says which.
  program: { entrypoint: [], env: () => ({}) },
};

/** Finds an image by the last part of its repository: `registry.example/team/sluice:1.2@sha256:…` is `sluice`. */
export function imageOf(reference: string): Image | undefined {
  const [name = ''] = (reference.split('/').at(-1) ?? '').split(/[:@]/);
  return Object.hasOwn(IMAGES, name) ? IMAGES[name] : undefined;
}
