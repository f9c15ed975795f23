import { describe, expect, test } from 'vitest';
import type { Limit } from '$lib/api';
import { amount, exactly, found } from './limits';
import { given, mayChange } from './roles';

const limit = (name: string, level: Limit['level'], unit: string, about: string): Limit => ({
	name,
	level,
	unit,
	about,
	default: 1,
	ceiling: 2
});

describe('limits', () => {
	test('amounts are in the unit that people read', () => {
		expect(amount(1_048_576, 'bytes')).toBe('1 MiB');
		expect(amount(32, 'MiB')).toBe('32 MiB');
		expect(amount(300_000, 'ms')).toBe('5 min');
		expect(amount(604_800, 's')).toBe('7 d');
		expect(amount(50_000_000_000, 'fuel')).toBe('50 G fuel');
		expect(amount(50, '%')).toBe('50 %');
		expect(exactly(1_048_576, 'bytes')).toBe('1\u202f048\u202f576 bytes');
	});

	test('every word must be found, in name, unit or meaning', () => {
		const all = [
			limit('timeout_ms', 'script', 'ms', 'wall clock of one invocation'),
			limit('timeout_ms', 'app', 'ms', 'what a script may ask for'),
			limit('kv_key_bytes', 'platform', 'bytes', 'one KV key')
		];
		expect(found(all, '', '')).toHaveLength(3);
		expect(found(all, 'wall CLOCK', '')).toEqual([all[0]]);
		expect(found(all, 'kv key', '')).toEqual([all[2]]);
		expect(found(all, 'timeout', 'app')).toEqual([all[1]]);
		expect(found(all, 'nothing', '')).toEqual([]);
	});
});

describe('roles', () => {
	test('owners are changed and made by owners only', () => {
		expect(mayChange('admin', 'owner')).toBe(false);
		expect(mayChange('owner', 'owner')).toBe(true);
		expect(mayChange('member', 'member')).toBe(false);
		expect(given('admin').map(({ role }) => role)).toEqual(['member', 'admin']);
		expect(given('owner')).toHaveLength(3);
	});
});
