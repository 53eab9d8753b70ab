import { cpus, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { bundle, PROGRAM } from '../../build/bundle.ts';
import { CHECKOUT, runFolder } from '../../test/cluster/settings.ts';
import { measureCrowd } from './crowd.ts';
import { measureLatency } from './latency.ts';
import { type Options, readOptions } from './options.ts';
import { measureReleases } from './release-latency.ts';
import { measureReleasing } from './releasing.ts';
import { crowdTable, latencyTable, releasesTable, releasingTable, sizeTable } from './report.ts';
import { measureSize, SIZES } from './size.ts';
import type { SluiceProgram } from './sluice-process.ts';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Runs in the namespaces of the test cluster. Each measurement gets a control plane of its own. */
async function main(options: Options): Promise<void> {
  const folder = runFolder();
  if (folder === undefined) throw new Error('this runs inside `npm run bench:cluster`');
  say(`load of the machine before: ${loadavg()[0]?.toFixed(1)} on ${cpus().length} cores`);
  const program = await programOf(options, folder);
  const { stdout } = process;
  if (options.parts.includes('latency')) {
    const found = await measureLatency({ folder: join(folder, 'latency'), program, rounds: options.rounds, say });
    stdout.write(options.json ? `${JSON.stringify(found)}\n` : latencyTable(found));
  }
  if (options.parts.includes('size')) {
    const sizes = SIZES(options.rollouts);
    const found = [];
    for (const size of sizes) {
      found.push(await measureSize({ folder: join(folder, `size-${sizes.indexOf(size)}`), program, size, say }));
    }
    stdout.write(options.json ? `${JSON.stringify(found)}\n` : sizeTable(found));
  }
  if (options.parts.includes('releases')) {
    const { releases } = options;
    const found = await measureReleases({ folder: join(folder, 'releases'), program, releases, say });
    stdout.write(options.json ? `${JSON.stringify(found)}\n` : releasesTable(found));
  }
  if (options.parts.includes('releasing')) {
    const rollouts = options.releasing;
    const found = await measureReleasing({ folder: join(folder, 'releasing'), program, rollouts, say });
    stdout.write(options.json ? `${JSON.stringify(found)}\n` : releasingTable(found));
  }
  if (options.parts.includes('crowd')) {
    const { crowd: rollouts, rounds } = options;
    const found = await measureCrowd({ folder: join(folder, 'crowd'), program, rollouts, rounds, say });
    stdout.write(options.json ? `${JSON.stringify(found)}\n` : crowdTable(found));
  }
}

async function programOf({ fromSources, profiles }: Options, folder: string): Promise<SluiceProgram> {
  const nodeFlags = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(profiles)}`];
  if (fromSources) return { path: join(CHECKOUT, 'bin/sluice.js'), nodeFlags };
  const built = join(folder, 'sluice');
  await bundle(built);
  return { path: join(built, PROGRAM), nodeFlags };
}

await main(readOptions(process.argv.slice(2)));
// What a stopped process has left open must not keep the cluster's namespaces alive.
process.exit();
