import { beforeAll, beforeEach, expect, test } from 'vitest';
import { issueLocal, type LocalCertificates, validFor } from './generate.ts';
import { MemorySecrets } from './memory-secrets.testing.ts';
import { SERVING_SECRET, servingDataOf } from './secrets.ts';
import type { KeyPair } from './source.ts';
import { watchedCertificates } from './watched-secret.ts';

let first: LocalCertificates;
let second: LocalCertificates;
let secrets: MemorySecrets;
let problems: string[];

beforeAll(async () => {
  const validity = validFor(1, new Date('2026-11-22T10:00:00Z'));
  [first, second] = await Promise.all([issueLocal(['one'], validity), issueLocal(['two'], validity)]);
});

beforeEach(() => {
  secrets = new MemorySecrets();
  problems = [];
});

const open = (signal?: AbortSignal) =>
  watchedCertificates({ secrets, onProblem: ({ message }) => problems.push(message), ...(signal && { signal }) });
const put = ({ authority, serving }: LocalCertificates, key = serving.key) =>
  secrets.put(SERVING_SECRET, servingDataOf({ ...serving, key }, authority.certificate));

test('a webhook that starts before the controller waits for the Secret, and says so', async () => {
  const opening = open();
  expect(problems).toEqual([expect.stringContaining(`there is no Secret ${SERVING_SECRET}`)]);
  put(first);
  expect((await opening).current()).toEqual({
    certificate: first.serving.certificate,
    key: first.serving.key,
    notAfter: new Date('2026-11-23T10:00:00Z'),
  });
});

test('the wait for the first pair can be called off', async () => {
  const abort = new AbortController();
  const opening = open(abort.signal);
  abort.abort(new Error('shut down'));
  await expect(opening).rejects.toThrow('shut down');
  await expect(open(AbortSignal.abort(new Error('shut down before')))).rejects.toThrow('shut down before');
});

test('each new pair is told once, and none after the end', async () => {
  put(first);
  const source = await open();
  const seen: KeyPair[] = [];
  source.onChange((pair) => seen.push(pair));
  put(first);
  put(second);
  expect(seen.map(({ certificate }) => certificate)).toEqual([second.serving.certificate]);
  source.close();
  put(first);
  expect(source.current().certificate).toBe(second.serving.certificate);
});

test('a key that does not fit, garbage and a deleted Secret leave the last good pair; no message holds a key', async () => {
  put(first);
  const source = await open();
  put(first, second.serving.key);
  put(first, second.serving.key);
  put(first, first.serving.key.slice(0, 500));
  secrets.put(SERVING_SECRET, undefined);
  expect(source.current().key).toBe(first.serving.key);
  expect(problems).toEqual([
    `the key in tls.key of the Secret ${SERVING_SECRET} does not belong to the certificate in tls.crt of the Secret ${SERVING_SECRET}`,
    expect.stringContaining(`tls.key of the Secret ${SERVING_SECRET}: `),
    expect.stringContaining(`there is no Secret ${SERVING_SECRET}`),
  ]);
  for (const line of first.serving.key.split('\n').filter((each) => each.length > 20 && !each.startsWith('-'))) {
    expect(problems.join()).not.toContain(line.trim());
  }
});
