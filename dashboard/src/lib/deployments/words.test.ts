import { describe, expect, it } from 'vitest';
import { cause, gains, summary } from './words';

describe('deployments in words', () => {
	it('tell the cause, also one that is not known', () => {
		expect(cause('route.create')).toBe('a route was added');
		expect(cause('domain.prove_it')).toBe('domain prove it');
	});

	it('count changes', () => {
		expect(summary([])).toBe('no difference');
		expect(summary([{ action: 'add' }, { action: 'add' }, { action: 'remove' }])).toBe('2 new, 1 goes');
		expect(summary([{ action: 'remove' }, { action: 'remove' }])).toBe('2 go');
	});

	it('name what is gained once, with the capability of a grant', () => {
		const script = { action: 'change' as const, thing: 'script' as const, name: 'a', gained: ['http', 'kv'] };
		const other = { action: 'add' as const, thing: 'script' as const, name: 'b', gained: ['kv'] };
		const grant = { action: 'change' as const, thing: 'grant' as const, name: 'http', gained: ['api.example.com'] };
		expect(gains([script, other, grant])).toEqual(['http', 'kv', 'http: api.example.com']);
	});
});
