import { measureAdmission } from './admission.ts';
import { measureConversion } from './conversion.ts';
import { measureLint } from './lint.ts';
import { linesOf, type Measurement } from './measurement.ts';
import { type Options, type Part, readOptions } from './options.ts';
import { measureRewrite } from './rewrite.ts';
import { renderTable } from './table.ts';

type Measure = (progress: (line: string) => void) => Promise<Measurement[]>;

const MEASURES: Record<Part, Measure> = {
  a: measureRewrite,
  b: measureAdmission,
  c: measureConversion,
  d: measureLint,
};

/** `npm run bench`: measures, prints the table (or JSON) on standard output and everything else on standard error. */
async function main({ json, parts }: Options): Promise<void> {
  const measurements: Measurement[] = [];
  for (const part of parts) {
    measurements.push(...(await MEASURES[part]((line) => process.stderr.write(`${line}\n`))));
  }
  const { stdout } = process;
  stdout.write(json ? `${JSON.stringify(linesOf(measurements), null, 2)}\n` : renderTable(measurements, stdout.isTTY));
}

await main(readOptions(process.argv.slice(2)));
