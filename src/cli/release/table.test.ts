import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Cell, type Paint, table, treeLines, UNPAINTED } from './table.ts';

const MARKED: Paint = (style, text) => `<${style}>${text}</>`;

test('columns are as wide as their widest field, and nothing trails', () => {
  expect(
    table(
      [
        ['NAME', 'STEP', 'AGE'],
        ['web', '', '4d'],
        ['checkout', '1/3', ''],
      ],
      UNPAINTED,
    ),
  ).toEqual(['NAME       STEP   AGE', 'web               4d', 'checkout   1/3']);
});

test('a style takes no room, and an empty field none of it', () => {
  const rows: Cell[][] = [
    [{ text: 'a', style: 'red' }, 'x'],
    [{ text: '', style: 'red' }, 'y'],
    [{ text: 'long', style: undefined }, 'z'],
  ];
  expect(table(rows, MARKED)).toEqual(['<red>a</>      x', '       y', 'long   z']);
});

test('each column begins in the same place on every line, whatever the fields', () => {
  const field = fc.string({ unit: fc.constantFrom('a', 'b', '-'), minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.array(fc.tuple(field, field, field), { minLength: 1 }), (rows) => {
      const lines = table(rows, UNPAINTED);
      const places = lines.map((line, i) => [line.indexOf(`   ${rows[i]?.[1]}`, rows[i]?.[0].length)]);
      expect(new Set(places.map(String)).size).toBe(1);
      for (const line of lines) expect(line).toBe(line.trimEnd());
    }),
  );
});

test('a tree has guides to what belongs together, and texts of several lines keep them', () => {
  expect(
    treeLines({
      text: 'root\nmore',
      branches: [
        { text: 'a', branches: [{ text: 'b\n  c' }] },
        { text: 'd', branches: [{ text: 'e\nf', branches: [{ text: 'g' }] }] },
      ],
    }),
  ).toEqual(['root', '│  more', '├─ a', '│  └─ b', '│       c', '└─ d', '   └─ e', '      │  f', '      └─ g']);
});
