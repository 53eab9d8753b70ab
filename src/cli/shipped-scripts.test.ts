import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { expect, test } from 'vitest';
import { at, isList, type Json, type JsonMap, stringAt } from '../json/value.ts';
import { loadLibrary } from '../lua/library.ts';
import { runScript } from '../lua/run.ts';
import { makeScript, type Script } from '../lua/script.ts';
import { runCases } from './cases.ts';
import { findScripts } from './script-folders.ts';

const library = loadLibrary();

function shipped(name: string): Script {
  const script = library.scripts.get(name);
  if (script === undefined) throw new Error(`${name} is not shipped`);
  return script;
}

test('no shipped script or module writes a global', () => {
  const folder = mkdtempSync(join(tmpdir(), 'globals-'));
  try {
    cpSync(fileURLToPath(new URL('../../lua-scripts', import.meta.url)), folder, { recursive: true });
    for (const { file } of findScripts(folder).scripts) {
      const script = readFileSync(file, 'utf8');
      writeFileSync(
        file,
        `local known = {} for name in pairs(_G) do known[name] = true end
local result = (function() ${script}
end)()
for name in pairs(_G) do if not known[name] then error("writes the global " .. name, 0) end end
return result`,
      );
    }
    expect(runCases(folder).filter(({ failures }) => failures.length > 0)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

type Destination = { readonly service: string; readonly weight: number };

const destinations = fc
  .array(fc.record({ service: fc.constantFrom('svc', 'x', 'y'), weight: fc.integer({ min: 0, max: 300 }) }), {
    minLength: 2,
    maxLength: 6,
  })
  .filter((list) => share(list, 'svc') > 0);

function share(list: readonly Destination[], service: string): number {
  return list.reduce((sum, destination) => sum + (destination.service === service ? destination.weight : 0), 0);
}

function total(list: readonly Destination[]): number {
  return list.reduce((sum, { weight }) => sum + weight, 0);
}

const context = {
  stableService: 'svc',
  canaryService: 'svc-canary',
  rollout: { name: 'r', namespace: 'shop' },
  object: { apiVersion: 'v', kind: 'k', name: 'n', namespace: 'shop' },
  patchPodMetadata: { labels: {}, annotations: {} },
  step: 1,
};

function run(script: Script, spec: JsonMap, percent: number): Json {
  return runScript(script, { data: { spec }, canaryWeight: percent, stableWeight: 100 - percent, ...context }).value;
}

function readWeights(list: Json | undefined, name: (entry: Json) => string | undefined): Destination[] {
  return (isList(list) ? list : []).map((entry) => ({
    service: name(entry) ?? '',
    weight: Number(at(entry, ['weight']) ?? 0),
  }));
}

function split(list: readonly Destination[], percent: number): Destination[] {
  const route = list.map(({ service, weight }) => ({ destination: { host: service }, weight }));
  const result = run(shipped('networking.istio.io/VirtualService'), { http: [{ route }] }, percent);
  return readWeights(at(result, ['spec', 'http', 0, 'route']), (entry) => stringAt(entry, 'destination', 'host'));
}

function splitRefs(list: readonly Destination[], percent: number): Destination[] {
  const backendRefs = list.map(({ service, weight }) => ({ name: service, weight }));
  const result = run(shipped('gateway.networking.k8s.io/HTTPRoute'), { rules: [{ backendRefs }] }, percent);
  return readWeights(at(result, ['spec', 'rules', 0, 'backendRefs']), (entry) => stringAt(entry, 'name'));
}

test('VirtualService: weights add up to 100, or to the larger sum of the rule, and no share is off by more than rounding', () => {
  fc.assert(
    fc.property(destinations, fc.integer({ min: 0, max: 100 }), (list, percent) => {
      const after = split(list, percent);
      const scale = Math.max(100, total(list)) / total(list);
      expect(total(after)).toBe(Math.max(100, total(list)));
      list.forEach(({ service, weight }, i) => {
        const exact = weight * scale * (service === 'svc' ? 1 - percent / 100 : 1);
        expect(Math.abs((after[i]?.weight ?? Number.NaN) - exact)).toBeLessThan(1);
      });
      expect(Math.abs(share(after, 'svc-canary') - (share(list, 'svc') * scale * percent) / 100)).toBeLessThan(1);
    }),
  );
});

test('VirtualService: other Services keep their weight to the point when the weights add up to 100', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 99 }), fc.integer({ min: 0, max: 100 }), (other, percent) => {
      const after = split(
        [
          { service: 'svc', weight: 100 - other },
          { service: 'x', weight: other },
        ],
        percent,
      );
      expect(share(after, 'x')).toBe(other);
      expect(total(after)).toBe(100);
    }),
  );
});

test('HTTPRoute: other Services keep their share of the rule exactly, the canary gets its part of the stable one', () => {
  fc.assert(
    fc.property(destinations, fc.integer({ min: 0, max: 100 }), (list, percent) => {
      const after = splitRefs(list, percent);
      for (const service of ['x', 'y']) {
        expect(share(after, service) * total(list)).toBe(share(list, service) * total(after));
      }
      const scale = total(after) / total(list);
      expect(Math.abs(share(after, 'svc-canary') - (share(list, 'svc') * scale * percent) / 100)).toBeLessThan(1);
    }),
  );
});

/** Gives what an expression of the quoting module returns: a text, or the reason for refusing. */
function quote(expression: string, input: JsonMap): { text?: string; reason?: string } {
  const chunk = `local quote = require("quote")
local text, reason = ${expression}
return {text = text, reason = reason}`;
  return runScript(makeScript('quote', chunk, library.modules), input).value as { text?: string; reason?: string };
}

const cookieName = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}$/);
const cookieValue = fc
  .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
  .filter((text) => !/[;\p{Cc}]/u.test(text));

function cookiePattern(type: string, name: string, value: string): string {
  const { text } = quote('quote.cookie_header({obj})', { type, name, value });
  return text ?? '';
}

function holds(pattern: string, header: string): boolean {
  return RE2JS.compile(pattern).matcher(header).find();
}

test('a cookie is found wherever it stands in the header, and nothing else is taken for it', () => {
  fc.assert(
    fc.property(cookieName, cookieValue, cookieValue, (name, value, other) => {
      const pattern = cookiePattern('Exact', name, value);
      for (const header of ['@', 'a=1; @', '@; b=2', 'a=1;@;b=2', 'a=@2; @']) {
        expect(
          holds(
            pattern,
            header.replaceAll('@', () => `${name}=${value}`),
          ),
        ).toBe(true);
      }
      for (const header of [`z${name}=${value}`, `${name}=${value}z`, `a=${name}=${value}`, `b=${value}`]) {
        expect(holds(pattern, header)).toBe(header === `${name}=${value}`);
      }
      expect(holds(pattern, `${name}=${other}`)).toBe(other === value);
    }),
  );
});

test.each([
  ['.*', 'a b', true],
  ['a.*b', 'axb', true],
  ['a.*b', 'ax; c=b', false],
  ['[^x]+', 'ab', true],
  ['[^x]+z', 'a; c=z', false],
  ['^a|b$', 'b', true],
  ['^a|b$', 'ab', false],
  ['(?i)ABC', 'abc', true],
  ['\\S+\\D', 'a1b', true],
  ['\\S+b', 'a;c=b', false],
  ['[]x]+', ']x', true],
  ['[a\\]]+', 'a]', true],
  ['[[:alpha:]-]+', 'a-b', true],
  ['v[0-9]+', 'v12', true],
])('a cookie pattern %s speaks of the whole value only: %s', (pattern, value, matches) => {
  expect(holds(cookiePattern('RegularExpression', 'c', pattern), `a=1; c=${value}`)).toBe(matches);
});

test.each([
  ['a^b', '^ may only stand where'],
  ['(^a)', '^ may only stand where'],
  ['a$b', '$ may only stand where'],
  ['\\Qa;b\\E', '\\Q cannot be used'],
  ['\\pL', '\\p cannot be used'],
  ['a;b', 'a semicolon ends'],
  ['[;]', 'a semicolon ends'],
  ['[!-~]', 'holds the semicolon'],
  ['[\\D]', 'may hold a semicolon'],
  ['[[:punct:]]', 'may hold a semicolon'],
  ['[[:^alpha:]]', 'may hold a semicolon'],
  ['[a', 'does not end'],
])('a cookie pattern %s that could reach beyond the value is refused', (pattern, reason) => {
  const refused = quote('quote.cookie_header({obj})', { type: 'RegularExpression', name: 'c', value: pattern });
  expect(refused).toEqual({ reason: expect.stringContaining(reason) });
});

test('what is quoted for RE2, PCRE and JSON means the text itself', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 20 }),
      fc.string({ unit: 'grapheme', maxLength: 20 }),
      (text, other) => {
        const re2 = RE2JS.compile(`^${quote('quote.re2(obj.text)', { text }).text}$`, RE2JS.DOTALL);
        expect([re2.matcher(text).find(), re2.matcher(other).find()]).toEqual([true, text === other]);
        // ingress-nginx compares bytes
        const bytes = (value: string) => Buffer.from(value, 'utf8').toString('latin1');
        const pcre = quote('quote.pcre(obj.text)', { text }).text ?? '';
        expect(pcre).toMatch(/^[\w./:~^$[\](){}*+?|&=\\-]*$/);
        expect(new RegExp(`^${pcre}$`, 's').test(bytes(text))).toBe(true);
        expect(new RegExp(`^${pcre}$`, 's').test(bytes(other))).toBe(text === other);
        expect(JSON.parse(quote('quote.json(obj.text)', { text }).text ?? '')).toBe(text);
      },
    ),
  );
});
