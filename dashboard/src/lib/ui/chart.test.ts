import { expect, test } from 'vitest';
import { area, every, largest, line, nearest, ticks } from './chart';

test('an axis has round figures and holds the largest value', () => {
	expect(ticks(0)).toEqual([0, 1]);
	expect(ticks(Number.NaN)).toEqual([0, 1]);
	expect(ticks(4)).toEqual([0, 1, 2, 3, 4]);
	expect(ticks(97)).toEqual([0, 25, 50, 75, 100]);
	expect(ticks(0.3)).toEqual([0, 0.1, 0.2, 0.3]);
	expect(ticks(1000, 4, 1024)).toEqual([0, 250, 500, 750, 1000]);
	expect(ticks(1024, 4, 1024)).toEqual([0, 256, 512, 768, 1024]);
	expect(ticks(1.5 * 1024 ** 2, 4, 1024)).toEqual([0, 0.5 * 1024 ** 2, 1024 ** 2, 1.5 * 1024 ** 2]);
	for (const max of [1, 7, 13, 999, 1_234_567, 0.0042]) expect(ticks(max).at(-1)).toBeGreaterThanOrEqual(max);
});

test('stacked values add up', () => {
	const series = [
		{ name: 'a', values: [1, 5, null], color: 1 as const },
		{ name: 'b', values: [4, 1], color: 2 as const }
	];
	expect(largest(series, false)).toBe(5);
	expect(largest(series, true)).toBe(6);
	expect(largest([], true)).toBe(0);
});

test('a line breaks where nothing is known', () => {
	const x = (at: number) => at * 10;
	const y = (value: number) => 100 - value;
	expect(line([1, null, 3, 4], x, y)).toBe('M0 99M20 97L30 96');
	expect(area([1, 2, null, 3], x, y, 100)).toBe('M0 100L0 99L10 98L10 100ZM30 100L30 97L30 100Z');
	expect(area([], x, y, 100)).toBe('');
});

test('labels keep apart, and a pointer finds its value', () => {
	expect(every(24, 640)).toBe(3);
	expect(every(5, 640)).toBe(1);
	expect([nearest(0, 100, 10), nearest(55, 100, 10), nearest(500, 100, 10), nearest(-4, 100, 10)]).toEqual([0, 5, 9, 0]);
});
