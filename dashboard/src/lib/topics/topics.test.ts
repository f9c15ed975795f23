import { describe, expect, test } from 'vitest';
import { access, address, examples, lives, maker, written } from './topics';

test('topics are written with anything between them, and count once', () => {
	expect(written(' orders.paid, news.*\nnews.*,,orders ')).toEqual(['orders.paid', 'news.*', 'orders']);
	expect(written(' \n,')).toEqual([]);
});

test('a topic is one part of its address, behind the path of the app', () => {
	expect(address('http://shop.localhost:8080/', 'orders/ü ?')).toBe('http://shop.localhost:8080/realtime/topics/orders%2F%C3%BC%20%3F');
	expect(address('https://example.com/shop', 'a')).toBe('https://example.com/shop/realtime/topics/a');
});

describe('examples', () => {
	test('need a token where the topic does', () => {
		const open = examples('http://a', { name: 'news', access: 'public' });
		expect(open.command).toBe(`curl -N 'http://a/realtime/topics/news'`);
		expect(open.program).toContain('app.subscribe("news"))');
		const closed = examples('http://a', { name: 'news', access: 'token' });
		expect(closed.command).toContain('-H "authorization: Bearer $TOKEN" ');
		expect(closed.program).toContain('app.subscribe("news", { token }))');
	});

	test('are right for any name', () => {
		const { command, program } = examples('http://a', { name: `it's "x"`, access: 'public' });
		expect(command).toBe(`curl -N 'http://a/realtime/topics/it'\\''s%20%22x%22'`);
		expect(program).toContain(`app.subscribe("it's \\"x\\""))`);
	});
});

test('who made a token has a name as long as there is one', () => {
	const people = new Map([['u1', 'ada']]);
	const scriptOf = (id: string) => `script ${id}`;
	expect(maker({ made_by: null, made_by_script: 's1' }, scriptOf, people)).toEqual({ kind: 'script', name: 'script s1' });
	expect(maker({ made_by: 'u1', made_by_script: null }, scriptOf, people)).toEqual({ kind: 'person', name: 'ada' });
	expect(maker({ made_by: 'u2', made_by_script: null }, scriptOf, people)).toEqual({ kind: 'person', name: 'a person' });
	expect(maker({ made_by: null, made_by_script: null }, scriptOf, people).kind).toBe('nobody');
});

test('every access has its words, and no life is longer than a day', () => {
	expect(Object.keys(access)).toEqual(['internal', 'public', 'token']);
	expect(Math.max(...lives.map(({ value }) => Number(value)))).toBe(86_400);
});
