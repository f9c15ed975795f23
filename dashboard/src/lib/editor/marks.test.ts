import { expect, it } from 'vitest';
import { marksOf, placeOf } from './marks';

const source = 'let a = 1;\n    fail(a);\n\n"\u{1f600}" + b';
const at = (line: number, column?: number | null) => {
	const place = placeOf(source, { line, column });
	return place === null ? null : source.slice(place.from, place.to);
};

it('finds the word at a column, and the line without one', () => {
	expect(at(1, 5)).toBe('a');
	expect(at(2, 5)).toBe('fail');
	expect(at(2)).toBe('fail(a);');
	expect(at(2, null)).toBe('fail(a);');
});

it('counts characters', () => {
	expect(at(4, 7)).toBe('b');
});

it('stays inside the source', () => {
	expect(at(1, 99)).toBe(';');
	expect(at(3, 1)).toBe('');
	expect(at(99, 3)).toBe('"\u{1f600}" + b');
	expect(at(0)).toBe(null);
	expect(placeOf('', { line: 1, column: 1 })).toEqual({ from: 0, to: 0 });
});

it('puts what has no place at the first line', () => {
	expect(marksOf([{ message: 'too long' }])).toEqual([{ line: 1, column: undefined, message: 'too long', severity: 'error' }]);
});
