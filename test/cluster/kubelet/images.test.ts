import { expect, test } from 'vitest';
import { imageOf } from './images.ts';

test.each(['sluice', 'sluice:1.0', 'ghcr.example/team/sluice:1.0', 'host:5000/sluice@sha256:0123'])(
  '%s runs this checkout',
  (reference) => {
    expect(imageOf(reference)?.entrypoint.at(-1)).toMatch(/bin\/sluice\.js$/);
  },
);

test.each(['httpd', 'sluice/httpd', 'my-sluice', 'constructor', ''])('%j is no image here', (reference) => {
  expect(imageOf(reference)).toBeUndefined();
});
