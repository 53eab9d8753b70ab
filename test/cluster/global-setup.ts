import type { TestProject } from 'vitest/node';
import { type ClusterFacts, startCluster } from './start.ts';

declare module 'vitest' {
  interface ProvidedContext {
    readonly cluster: ClusterFacts;
  }
}

/** vitest's global setup of the project e2e: one cluster for the whole run. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const start = performance.now();
  const cluster = await startCluster();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  process.stderr.write(`test cluster: ready in ${seconds} s, logs in ${cluster.facts.folder}\n`);
  project.provide('cluster', cluster.facts);
  return () => cluster.stop();
}
