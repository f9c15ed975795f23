import { describe, expect, it } from 'vitest';
import { capabilities, idle, inWords, reaching, wrong } from './capabilities';

describe('patterns', () => {
	it('that mean nothing are refused before they are sent', () => {
		for (const [word, pattern] of [
			['kv', ''], ['kv', 'a*b'], ['kv', '**'], ['kv', 'k'.repeat(255)],
			['http', '*.*.example.com'], ['http', 'exa mple'], ['http', 'https://example.com'], ['http', 'example.com/path'],
			['dead_letters', 'orders'], ['dead_letters', 'a*'],
			['email', 'example.com'], ['email', '*.example.com'], ['email', 'shop-*@example.com'], ['email', 'shop@*'], ['email', '@example.com'], ['email', 'shop@']
		] as const) {
			expect([pattern, wrong(word, pattern, []) !== null]).toEqual([pattern, true]);
		}
	});

	it('that are in the examples are taken', () => {
		for (const { word, examples } of capabilities) {
			for (const pattern of examples) expect([word, pattern, wrong(word, pattern, [])]).toEqual([word, pattern, null]);
		}
	});

	it('are given once', () => {
		expect(wrong('kv', 'a', ['a'])).toContain('already');
		expect(wrong('kv', 'x', Array.from({ length: 100 }, (_, at) => `c${at}`))).toContain('At most');
	});

	it('are said in words', () => {
		const of = (word: string) => capabilities.find((one) => one.word === word)!;
		expect(inWords(of('kv'), 'tmp-*')).toBe('every collection that begins with tmp-');
		expect(inWords(of('kv'), 'carts')).toBe('the collection carts');
		expect(inWords(of('http'), '*.example.com')).toBe('hosts below example.com');
		expect(inWords(of('http'), '10.0.0.0/8')).toBe('addresses of the network 10.0.0.0/8');
		expect(inWords(of('email'), '*@example.com')).toBe('every address at example.com');
		expect(inWords(of('dead_letters'), '*')).toBe('all of them');
	});

	it('beside * are idle, but for networks', () => {
		expect(idle('http', ['*', 'a.example', '10.0.0.0/8'])).toEqual(['a.example']);
		expect(idle('kv', ['a', 'b*'])).toEqual([]);
	});
});

it('finds the scripts that reach something', () => {
	const scripts = [
		{ id: '1', name: 'a', capabilities: ['kv', 'dead-letters'] },
		{ id: '2', name: 'b', capabilities: ['http'] }
	];
	expect(reaching(scripts, 'dead_letters').map(({ name }) => name)).toEqual(['a']);
	expect(reaching(scripts, 'email')).toEqual([]);
});
