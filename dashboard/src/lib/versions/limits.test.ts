import { expect, it } from 'vitest';
import type { Limit, ScriptLimits } from '$lib/api';
import { boundText, changedLimits, LIMITS, limitText, mostOf } from './limits';

const limit: Limit = { name: 'fuel', level: 'script', unit: '', default: 500_000_000, floor: 1_000_000, ceiling: 50_000_000_000, about: '' };
const limits: ScriptLimits = {
	fuel: 500_000_000, memory_mb: 32, timeout_ms: 10_000, request_body_bytes: 1_048_576, response_body_bytes: 4_194_304, log_line_bytes: 8192,
	log_bytes: 262_144, host_calls: 1000, outbound_requests: 20, event_depth: 16
};

it('reads limits in their units', () => {
	expect(LIMITS.map(({ name }) => limitText(name, limits[name]))).toEqual(['500 M', '32 MiB', '10 s', '1\u202f000', '20', '1 MiB', '4 MiB', '8 KiB', '256 KiB', '16']);
	expect(LIMITS.map(({ name }) => name).sort()).toEqual(Object.keys(limits).sort());
});

it('tells what can be asked for, and what the quota leaves of it', () => {
	expect(boundText('fuel', limit, undefined)).toBe('500 M unless asked; 1 M to 50 G.');
	expect(boundText('fuel', limit, 10_000_000_000)).toBe('500 M unless asked; 1 M to 50 G, of which the app\u2019s quota allows 10 G.');
	expect([mostOf(limit, 5), mostOf(limit, undefined), mostOf(undefined, 7)]).toEqual([5, 50_000_000_000, 7]);
});

it('names the limits that differ', () => {
	expect(changedLimits(limits, { ...limits, memory_mb: 64 })).toEqual([{ name: 'memory_mb', title: 'Memory', before: '32 MiB', after: '64 MiB' }]);
});
