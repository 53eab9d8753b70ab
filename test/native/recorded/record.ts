import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseJson } from '../../../src/json/text.ts';
import { type JsonMap, stringAt } from '../../../src/json/value.ts';
import type { SetWrite } from '../deployment.ts';
import { listAt, mapAt } from '../fields.ts';
import { casesOf, lineOf } from './cases.ts';

const FOLDER = import.meta.dirname;
/** The module that the test cluster's programs are built from: it has Kubernetes in the version of the tests. */
const MODULE = join(FOLDER, '../../cluster/programs/kubernetes');

export const RECORDED_SEED = 1;
export const RECORDED_COUNT = 400;
export const RECORDED_FILE = join(FOLDER, 'outcomes.txt');

/** Asks Kubernetes' own code what it makes of the cases. Needs Go, and some minutes the first time. */
function record(seed: number, count: number): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-recorder-'));
  try {
    for (const file of ['go.mod', 'go.sum']) copyFileSync(join(MODULE, file), join(folder, file));
    copyFileSync(join(FOLDER, 'recorder.go'), join(folder, 'main.go'));
    // The compiler takes a function without a body, linked to one that is not exported, only where there is assembly.
    writeFileSync(join(folder, 'empty.s'), '');
    const program = join(folder, 'recorder');
    const stdio = ['ignore', 'inherit', 'inherit'] as const;
    execFileSync('go', ['build', '-trimpath', '-o', program, '.'], { cwd: folder, stdio: [...stdio] });
    const input = casesOf(seed, count).map((one) => `${JSON.stringify(one)}\n`);
    const output = execFileSync(program, { input: input.join(''), maxBuffer: 2 ** 30 }).toString();
    return output
      .trim()
      .split('\n')
      .map((line) => recordedLine(parseJson(line) as JsonMap));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function recordedLine(recorded: JsonMap): string {
  const writes = listAt(recorded, 'writes') as unknown as readonly SetWrite[];
  return lineOf(writes, mapAt(recorded, 'status'), stringAt(recorded, 'revision') ?? '');
}

if (import.meta.main) writeFileSync(RECORDED_FILE, `${record(RECORDED_SEED, RECORDED_COUNT).join('\n')}\n`);
