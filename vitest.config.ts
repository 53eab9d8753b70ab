import { defineConfig } from 'vitest/config';
import { runFolder } from './test/cluster/settings.ts';

const unit = {
  extends: true as const,
  test: {
    name: 'unit',
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts'],
    exclude: ['test/e2e/**'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
};

/** In a real cluster, one for all files; they run one after the other, as the machine is small. */
const e2e = {
  extends: true as const,
  test: {
    name: 'e2e',
    include: ['test/e2e/**/*.test.ts'],
    globalSetup: ['test/cluster/global-setup.ts'],
    fileParallelism: false,
    // Tests that say so play in namespaces of their own, and wait more than they compute.
    maxConcurrency: 8,
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
};

export default defineConfig({
  test: {
    setupFiles: ['test/seed.ts'],
    // A cluster can only be inside the namespaces that `npm run test:e2e` makes.
    projects: runFolder() === undefined ? [unit] : [unit, e2e],
  },
});
