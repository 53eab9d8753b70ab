import { expect, test } from 'vitest';
import { PodAddresses } from './pod-addresses.ts';

const node = { name: 'node-1', zone: 'a', address: '10.244.0.11', podPrefix: '10.244.1' };

test('no two pods have one address, and a full node says so', () => {
  const addresses = new PodAddresses(node);
  const taken = Array.from({ length: 253 }, () => addresses.take());
  expect(new Set(taken).size).toBe(253);
  expect(() => addresses.take()).toThrow('node-1 has no address left');
  addresses.giveBack('10.244.1.77');
  expect(addresses.take()).toBe('10.244.1.77');
});

test('an address that was given back is not the next one: clients may still know it', () => {
  const addresses = new PodAddresses(node);
  const first = addresses.take();
  addresses.giveBack(first);
  expect(addresses.take()).not.toBe(first);
});
