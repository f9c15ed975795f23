import { describe, expect, test } from 'vitest';
import type { Node } from '$lib/api';
import { isAlone, lacking, states, summary, unusual, versions } from './nodes';

const node = (name: string, more: Partial<Node> = {}): Node => ({
	id: name,
	name,
	version: '1.0.0',
	schema: 27,
	roles: ['ingress', 'api', 'workers'],
	state: 'serving',
	data: '0.0.0.0:8080',
	admin: '127.0.0.1:8081',
	started_at: '2026-01-02T03:04:05Z',
	seen_at: '2026-01-02T04:00:00Z',
	is_this: false,
	...more
});

test('a list is summed up by its states, the usual one first', () => {
	expect(summary([])).toBe('0 nodes');
	expect(summary([node('a')])).toBe('1 node, serving');
	expect(summary([node('a'), node('b')])).toBe('2 nodes, all serving');
	expect(summary([node('a', { state: 'gone' }), node('b'), node('c', { state: 'draining' }), node('d')])).toBe('4 nodes: 2 serving, 1 draining, 1 gone');
});

test('what is not as usual is explained, once and with a tone of its own', () => {
	expect(unusual([node('a')])).toEqual([]);
	expect(unusual([node('a', { state: 'gone' }), node('b', { state: 'silent' }), node('c', { state: 'gone' })])).toEqual(['silent', 'gone']);
	expect(new Set(Object.values(states).map(({ tone }) => tone)).size).toBe(4);
});

describe('roles', () => {
	test('are nobody’s when only nodes that do not serve have them', () => {
		const planes = node('a', { roles: ['ingress', 'api'] });
		expect(lacking([planes, node('b', { roles: ['workers'] })])).toEqual([]);
		for (const state of ['draining', 'silent', 'gone'] as const) {
			expect(lacking([planes, node('b', { roles: ['workers'], state })])).toEqual([{ role: 'workers', so: 'events and schedules may wait' }]);
		}
		expect(lacking([node('a', { state: 'draining' })]).map(({ role }) => role)).toEqual(['ingress', 'api', 'workers']);
	});
});

test('versions are those of nodes that are there, and differ by the schema too', () => {
	const old = node('a', { version: '0.9.0', schema: 26 });
	expect(versions([old, node('b'), node('c')])).toEqual(['0.9.0 (schema 26)', '1.0.0 (schema 27)']);
	expect(versions([{ ...old, state: 'gone' }, node('b')])).toEqual(['1.0.0 (schema 27)']);
	expect(versions([node('a'), node('b', { schema: 28 })])).toHaveLength(2);
});

test('a node is alone beside those that are gone', () => {
	expect(isAlone([node('a'), node('b', { state: 'gone' })])).toBe(true);
	expect(isAlone([node('a'), node('b', { state: 'silent' })])).toBe(false);
});
