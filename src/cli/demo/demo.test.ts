import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadLibrary } from '../../lua/library.ts';
import { makeScript } from '../../lua/script.ts';
import { openTerminal, type Stream } from '../terminal.ts';
import { demo } from './command.ts';
import { runDemo } from './demo.ts';

function memory(): Stream & { text: string } {
  return {
    text: '',
    write(text: string) {
      this.text += text;
    },
  };
}

test('the demo plays a whole release, shows each stage and ends well', async () => {
  const stdout = memory();
  const surroundings = { stdout, stderr: memory(), env: {} } as unknown as Parameters<typeof openTerminal>[0];
  expect(await demo(openTerminal(surroundings), new Date())).toBe(0);
  expect(stdout.text).not.toContain('✗');
  expect(stdout.text).not.toContain('\u001b');
  for (const stage of [
    '1. The Rollout',
    '2. Step 1',
    '3. A timeout',
    '4. A retry',
    '5. A replace',
    '6. Step 2',
    '7. The end',
  ]) {
    expect(stdout.text).toContain(stage);
  }
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  const [, excerpt = 'no excerpt'] = /```console\n(2\. Step 1[^`]*)```/.exec(readme) ?? [];
  expect(stdout.text, 'the README shows what the demo prints').toContain(excerpt);
  expect(stdout.text).toMatch(/\n16 of 16 checks hold, \d+ reviews over HTTPS, [\d.]+ s\n$/);
});

test('a script that does nothing makes the demo fail: its checks look at the objects', async () => {
  const { scripts, modules } = loadLibrary();
  const idle = makeScript('idle', 'return obj.data', new Map());
  const library = { modules, scripts: new Map([...scripts].map(([key]) => [key, idle])) };
  const failed: string[] = [];
  const ignore = () => undefined;
  const screen = {
    heading: ignore,
    difference: ignore,
    warnings: ignore,
    check: (what: string, holds: boolean) => (holds ? undefined : failed.push(what)),
  };
  const outcome = await runDemo(screen, new Date(), library);
  expect(outcome.failed).toBe(failed.length);
  expect(failed).toContain('80 % stay with the stable version, 20 % go to the canary');
  expect(failed).toContain('requests with the header go to the canary');
});
