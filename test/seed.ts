import fc from 'fast-check';

/**
 * One seed for every property of a run, printed so that a failure can be run again:
 * `SLUICE_SEED=123 npx vitest run src/rewrite`.
 */
// biome-ignore lint/style/noProcessEnv: the one place where tests read their environment
const given = process.env['SLUICE_SEED'];
const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
fc.configureGlobal({ seed });
process.stderr.write(`fast-check seed ${seed}\n`);
