import { onTestFinished } from 'vitest';
import { openWorld, type World, type WorldOptions } from './world.ts';

/** A shop in memory for one test. */
export async function opened(options: WorldOptions): Promise<World> {
  const world = await openWorld(options);
  onTestFinished(() => world.close());
  return world;
}

/** Version v2 is released, and waits for an approval in step 1. */
export async function pausedAtStep1(options: WorldOptions): Promise<World> {
  const world = await opened(options);
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  return world;
}
