import { expect, it } from 'vitest';
import { hint, hostFault, isWildcard, proven } from './words';

it('a domain is a name alone', () => {
	for (const host of ['', 'example.com', '*.example.com', 'a.b.example.com']) expect(hostFault(host)).toBeUndefined();
	expect(hostFault('https://example.com')).toContain('without https');
	expect(hostFault('example.com/a')).toContain('path');
	expect(hostFault('example.com:80')).toContain('port');
	expect(hostFault('a.*.example.com')).toContain('beginning');
	expect(hostFault('localhost')).toContain('two labels');
});

it('what was not found comes with what to do', () => {
	expect(hint('dns', 'not_proven')).toContain('time to live');
	expect(hint('http', 'domain_taken')).toContain('release');
	expect(hint('dns', 'overloaded')).toBeNull();
	expect(proven('operator')).toContain('operator');
	expect(isWildcard({ host: '*.a.b' })).toBe(true);
});
