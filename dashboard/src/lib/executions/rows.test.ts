import { describe, expect, it } from 'vitest';
import type { Followed } from '$lib/api';
import { appended, clock, dataText, endsOf, filtered, filterOf, levelOf, ROWS_MAX, widened } from './rows';

const line = (id: string, level = 'info') => ({ event: 'line', id, data: { level } }) as unknown as Followed;
const end = (id: string, outcome: string) => ({ event: 'execution', id, data: { outcome } }) as unknown as Followed;

describe('rows of a log', () => {
	it('are added behind, each once', () => {
		const rows = appended([line('1'), line('2')], [line('2'), line('3')]);
		expect(rows.map(({ id }) => id)).toEqual(['1', '2', '3']);
	});

	it('are ten thousand at most, the newest', () => {
		const many = Array.from({ length: ROWS_MAX }, (_, at) => line(String(at)));
		const rows = appended(many, [line('a'), line('b')]);
		expect(rows).toHaveLength(ROWS_MAX);
		expect([rows[0]?.id, rows.at(-1)?.id]).toEqual(['2', 'b']);
	});

	it('count as a level', () => {
		expect(levelOf(line('1', 'debug'))).toBe('debug');
		expect(levelOf(end('1', 'responded'))).toBe('info');
		expect(levelOf(end('1', 'fuel_exhausted'))).toBe('error');
		expect(levelOf({ event: 'dropped', id: '', data: { records: 1, lines: 2 } })).toBe('warn');
	});

	it('give the ends of executions, the newest first', () => {
		const ends = endsOf([end('1', 'responded'), line('2'), end('3', 'completed')]);
		expect(ends.map(({ outcome }) => outcome)).toEqual(['completed', 'responded']);
	});

	it('are looked for further back each time', () => {
		expect(widened(1_000_000, 1_010_000, 1)).toBe(940_000);
		expect(widened(1_000_000, 2_000_000, 4)).toBe(-3_000_000);
		expect(widened(1_000_000, 1_010_000, 1 / 64)).toBe(999_062);
		expect(widened(1_000_000, 1_010_000, 1e-9)).toBe(999_999);
	});

	it('show their data on one line', () => {
		expect([dataText(undefined), dataText(null), dataText('a'), dataText({ n: 1 })]).toEqual(['', '', 'a', '{"n":1}']);
		expect(clock('no time')).toBe('no time');
		expect(clock('2026-01-02T03:04:05.678Z')).toMatch(/^\d\d:\d\d:05\.678$/);
	});
});

describe('filters', () => {
	it('stand in the address', () => {
		const url = filtered(new URL('http://a/x?execution=1'), 'level', 'warn');
		expect(url.search).toBe('?execution=1&level=warn');
		expect(filtered(url, 'level', '').search).toBe('?execution=1');
		expect(filterOf(url.searchParams).level).toBe('warn');
	});

	it('that mean nothing are left out', () => {
		const odd = filterOf(new URLSearchParams('level=loud&since=yesterday&text='));
		expect([odd.level, odd.since, odd.text]).toEqual([undefined, undefined, undefined]);
	});
});
