import { describe, expect, it } from 'vitest';
import type { AppUsage } from '$lib/api';
import { byScript, countFrom, filled, firstOf, label, periodFrom, together } from './periods';

const used = (started_at: string, more: Partial<AppUsage> = {}): AppUsage => ({
	started_at,
	bytes_in: 1,
	bytes_out: 2,
	calls: 3,
	failed: 1,
	fuel: 10,
	host_calls: 0,
	log_bytes: 0,
	memory_peak_bytes: 100,
	refused: 0,
	wall_us: 5,
	...more
});
const NOW = Date.parse('2026-03-01T12:34:56Z');

describe('periods', () => {
	it('begin where the API cuts them, the one that runs being the last', () => {
		expect(new Date(firstOf('minute', 60, NOW)).toISOString()).toBe('2026-03-01T11:35:00.000Z');
		expect(new Date(firstOf('hour', 24, NOW)).toISOString()).toBe('2026-02-28T13:00:00.000Z');
		expect(new Date(firstOf('day', 30, NOW)).toISOString()).toBe('2026-01-31T00:00:00.000Z');
	});

	it('that nobody called in are there with zeros', () => {
		const first = firstOf('hour', 3, NOW);
		const all = filled([used('2026-03-01T11:00:00Z', { calls: 7 })], 'hour', 3, first);
		expect(all.map(({ calls }) => calls)).toEqual([0, 7, 0]);
		expect(all[0]?.started_at).toBe('2026-03-01T10:00:00.000Z');
	});

	it('take what the address says only where it is a choice', () => {
		expect(periodFrom('week')).toBe('hour');
		expect(countFrom('168', 'hour')).toBe(168);
		expect(countFrom('169', 'hour')).toBe(24);
		expect(countFrom(null, 'day')).toBe(30);
	});
});

describe('sums', () => {
	const items = [
		used('2026-03-01T10:00:00Z', { script_id: 'a', fuel: 5 }),
		used('2026-03-01T11:00:00Z', { script_id: 'b', fuel: 50, memory_peak_bytes: 900 }),
		used('2026-03-01T11:00:00Z', { script_id: 'a', fuel: 5 })
	];

	it('add everything but the peak, which is the highest', () => {
		const all = together(items);
		expect(all.calls).toBe(9);
		expect(all.memory_peak_bytes).toBe(900);
	});

	it('by script put first what burnt most', () => {
		expect(byScript(items).map(({ script_id, used: { fuel } }) => [script_id, fuel])).toEqual([['b', 50], ['a', 10]]);
	});
});

it('a day is labelled as it is counted, in UTC', () => {
	expect(label('2026-03-01T00:00:00Z', 'day')).toBe('03-01');
});
