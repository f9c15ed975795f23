import { expect, it } from 'vitest';
import type { AppQuota, Limit } from '$lib/api';
import { inUnit, rows } from './quota';

it('figures are told in their unit', () => {
	expect(inUnit(1_073_741_824, 'bytes')).toBe('1 GiB');
	expect(inUnit(10_000, 'ms')).toBe('10 s');
	expect(inUnit(500_000_000, 'fuel')).toBe('500 M');
});

it('bounds stand in the order of the document, with what is set and used', () => {
	const limit = (name: string, level: Limit['level'] = 'app'): Limit => ({ name, level, about: name, unit: 'bytes', default: 1, ceiling: 9 });
	const quota = { quota: { file_bytes: 2, data_bytes: 1 }, set: { file_bytes: 2 }, used: { data_bytes: 0, file_bytes: 1 } } as unknown as AppQuota;
	const found = rows(quota, [limit('data_bytes'), limit('file_bytes', 'platform'), limit('file_bytes')]);
	expect(found.map(({ name, set, used }) => [name, set, used])).toEqual([['data_bytes', false, 0], ['file_bytes', true, 1]]);
});
