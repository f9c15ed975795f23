import { expect, it } from 'vitest';
import type { RouteState } from '$lib/api';
import { answersTo, routesOf, triggersOf } from './reached';

const route = (path: string, script: string): RouteState => ({ path, script, method: 'GET', host: null, dispatch_mode: 'sync' });

it('routes are told by script, in the order of their paths', () => {
	const found = routesOf({ routes: [route('/b', 'one'), route('/c', 'two'), route('/a', 'one')] });
	expect(found.get('one')?.map(({ path }) => path)).toEqual(['/a', '/b']);
	expect(routesOf(null).size).toBe(0);
});

it('triggers are counted by kind', () => {
	const retry = { max_attempts: 1, backoff: 'constant', base_delay_ms: 1, max_delay_ms: 1 } as never;
	const trigger = (kind: string, script = 'one') => ({ kind, script, enabled: true, rule: {}, retry });
	expect(triggersOf([trigger('kv'), trigger('cron'), trigger('kv'), trigger('kv', 'two')], 'one')).toEqual(['2 kv', 'cron']);
});

it('a script is found by name, capability and path, by every word', () => {
	const script = { name: 'users', description: 'who is who', capabilities: ['docs'], kind: 'endpoint' };
	expect(answersTo(script, [route('/users/:id', 'users')], 'DOCS :id')).toBe(true);
	expect(answersTo(script, [], 'docs mail')).toBe(false);
	expect(answersTo(script, [], ' ')).toBe(true);
});
