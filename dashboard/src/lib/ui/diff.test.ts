import { expect, test } from 'vitest';
import { difference, folded, parseUnified } from './diff';

const short = (lines: { kind: string; text: string }[]) =>
	lines.map(({ kind, text }) => `${{ same: ' ', added: '+', removed: '-', hunk: '@' }[kind] ?? '?'}${text}`);

test('a unified difference keeps its line numbers', () => {
	const lines = parseUnified('--- a\n+++ b\n@@ -2,3 +2,3 @@\n x\n-y\n+z\n w\n\\ No newline at end of file\n');
	expect(short(lines)).toEqual(['@@@ -2,3 +2,3 @@', ' x', '-y', '+z', ' w']);
	expect(lines.map(({ before, after }) => [before, after])).toEqual([[null, null], [2, 2], [3, null], [null, 3], [4, 4]]);
	expect(parseUnified('')).toEqual([]);
});

test('a removed line that looks like a head is a removed line', () => {
	expect(short(parseUnified('@@ -1 +1 @@\n--- a\n+++ b\n'))).toEqual(['@@@ -1 +1 @@', '--- a', '+++ b']);
});

test('texts are held against each other', () => {
	expect(short(difference('a\nb\nc\n', 'a\nc\nd\n'))).toEqual([' a', '-b', ' c', '+d']);
	expect(short(difference('', 'a'))).toEqual(['+a']);
	expect(short(difference('a\nb', ''))).toEqual(['-a', '-b']);
	expect(difference('', '')).toEqual([]);
	expect(difference('same\n', 'same\n').every(({ kind }) => kind === 'same')).toBe(true);
});

test('both sides are whole in it, whatever they are', () => {
	const one = 'q w e r t y q w e'.split(' ').join('\n');
	const two = 'w e y t q q e r'.split(' ').join('\n');
	const lines = difference(one, two);
	expect(lines.filter(({ before }) => before !== null).map(({ text }) => text).join('\n')).toBe(one);
	expect(lines.filter(({ after }) => after !== null).map(({ text }) => text).join('\n')).toBe(two);
});

test('a very long difference is still one', () => {
	const one = Array.from({ length: 3000 }, (_, i) => `a${i}`).join('\n');
	const two = Array.from({ length: 3000 }, (_, i) => `b${i}`).join('\n');
	expect(difference(one, two)).toHaveLength(6000);
});

test('equal stretches fold', () => {
	const text = Array.from({ length: 20 }, (_, i) => `l${i}`).join('\n');
	const lines = folded(difference(text, text.replace('l10', 'x')), 2);
	expect(short(lines)).toEqual(['@8 equal lines', ' l8', ' l9', '-l10', '+x', ' l11', ' l12', '@7 equal lines']);
});
