import { describe, expect, test } from 'vitest';
import { agentWords } from './agent';
import { ending, expiry } from './expiry';
import { offered } from './scopes';

const NOW = Date.parse('2026-03-01T12:00:00Z');

describe('expiry', () => {
	test('a period counts from now, never is left out', () => {
		expect(expiry('30', '', NOW)).toBe('2026-03-31T12:00:00.000Z');
		expect(expiry('never', '', NOW)).toBeUndefined();
	});

	test('a date ends with its day', () => {
		const end = expiry('date', '2026-03-05', NOW);
		expect(new Date(end ?? '').getDate()).toBe(5);
		expect(new Date(end ?? '').getHours()).toBe(23);
	});

	test('what is no date, or over, is refused', () => {
		expect(expiry('date', '', NOW)).toBeNull();
		expect(expiry('date', '2026-02-01', NOW)).toBeNull();
	});

	test('a key that has ended or is about to', () => {
		expect(ending(null, NOW)).toBeNull();
		expect(ending('2026-03-01T11:59:59Z', NOW)).toBe('ended');
		expect(ending('2026-03-05T00:00:00Z', NOW)).toBe('soon');
		expect(ending('2027-01-01T00:00:00Z', NOW)).toBeNull();
	});
});

describe('scopes', () => {
	const names = (admin: boolean, bound: boolean) => offered(admin, bound).map(({ scope }) => scope);

	test('the instance is for who has it, and for no key of one app', () => {
		expect(names(true, false)).toContain('instance:admin');
		expect(names(true, true)).not.toContain('instance:admin');
		expect(names(false, false)).not.toContain('instance:admin');
		expect(names(false, false)).toHaveLength(6);
	});
});

describe('agentWords', () => {
	test('browsers name others too', () => {
		expect(agentWords('Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0')).toBe('Firefox on Linux');
		expect(
			agentWords('Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0')
		).toBe('Edge on Windows');
		expect(
			agentWords('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1')
		).toBe('Safari on iOS');
	});

	test('a program is its first word', () => {
		expect(agentWords('curl/8.5.0')).toBe('curl/8.5.0');
		expect(agentWords('picloud/0.1.0 (linux)')).toBe('picloud/0.1.0');
		expect(agentWords(null)).toBe('A program without a name');
	});
});
