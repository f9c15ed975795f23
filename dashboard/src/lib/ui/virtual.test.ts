import { expect, test } from 'vitest';
import { moved, reveal, visible } from './virtual';

test('only what is seen is drawn, and a little more', () => {
	expect(visible(10_000, 30, 0, 300, 5)).toEqual({ first: 0, end: 15 });
	expect(visible(10_000, 30, 3000, 300, 5)).toEqual({ first: 95, end: 115 });
	expect(visible(10_000, 30, 299_900, 300, 5)).toEqual({ first: 9991, end: 10_000 });
	expect(visible(0, 30, 0, 300)).toEqual({ first: 0, end: 0 });
	// Scrolled past the end of a list that became shorter.
	expect(visible(3, 30, 9000, 300, 5)).toEqual({ first: 3, end: 3 });
});

test('a row is brought into view, and no further', () => {
	expect(reveal(0, 30, 90, 300)).toBe(0);
	expect(reveal(5, 30, 90, 300)).toBe(90);
	expect(reveal(20, 30, 90, 300)).toBe(330);
});

test('keys move within the list', () => {
	expect(['ArrowDown', 'ArrowUp', 'PageDown', 'PageUp', 'Home', 'End', 'a'].map((key) => moved(key, 5, 20, 10))).toEqual([
		6, 4, 15, 0, 0, 19, null
	]);
	expect(moved('ArrowDown', 19, 20, 10)).toBe(19);
});
