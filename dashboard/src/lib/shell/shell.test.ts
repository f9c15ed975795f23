import { expect, test } from 'vitest';
import { match, ranked } from './fuzzy';
import { isPressed, keyLabels } from './keys';
import { appNav, trail } from './nav';

test('letters are found in order', () => {
	expect(match('dl', 'Dead letters')?.at).toEqual([0, 5]);
	expect(match('xyz', 'Dead letters')).toBeNull();
	expect(match('', 'anything')?.at).toEqual([]);
	expect(match('let dead', 'Dead letters')?.at).toEqual([0, 1, 2, 3, 5, 6, 7]);
});

test('beginnings of words and closeness win', () => {
	const pages = ['Deployments', 'Dead letters', 'Domains', 'Secrets', 'Executions & logs', 'Usage & quota', 'orders-import'];
	const first = (query: string) => ranked(pages, query, (page) => page, 5)[0]?.item;
	expect(first('dl')).toBe('Dead letters');
	expect(first('dom')).toBe('Domains');
	expect(first('sec')).toBe('Secrets');
	expect(first('quo')).toBe('Usage & quota');
	expect(first('imp')).toBe('orders-import');
	expect(ranked(['Settings', 'Triggers'], 'cron', (page) => page, 5, (page) => (page === 'Triggers' ? 'cron events' : ''))).toEqual([
		{ item: 'Triggers', at: [], score: -10, order: 1 }
	]);
	expect(ranked(pages, ' ', (page) => page, 3)).toHaveLength(3);
});

test('keys have names and are told apart', () => {
	expect(keyLabels('mod+k', false)).toEqual(['Ctrl', 'K']);
	expect(keyLabels('mod+enter', true)).toEqual(['⌘', '↵']);
	const pressed = { key: 'k', ctrlKey: true, metaKey: false, altKey: false, shiftKey: false };
	expect(isPressed(pressed, 'mod+k', false)).toBe(true);
	expect(isPressed(pressed, 'mod+k', true)).toBe(false);
	expect(isPressed(pressed, 'k', false)).toBe(false);
	expect(isPressed({ ...pressed, key: '?', ctrlKey: false, shiftKey: true }, '?', false)).toBe(true);
	expect(isPressed({ ...pressed, key: 'N', ctrlKey: false, shiftKey: true }, 'n', false)).toBe(false);
});

test('a trail leads to where one is', () => {
	const app = { slug: 'shop', name: 'The shop' };
	expect(trail('/', {})).toEqual([]);
	expect(trail('/apps/shop', { app })).toEqual([{ text: 'The shop', href: '/apps/shop' }]);
	expect(trail('/apps/shop/dead-letters/0190', { app })).toEqual([
		{ text: 'The shop', href: '/apps/shop' },
		{ text: 'Dead letters', href: '/apps/shop/dead-letters' }
	]);
	expect(trail('/apps/shop/scripts/0190/versions', { app, script: { id: '0190', name: 'users' } })).toEqual([
		{ text: 'The shop', href: '/apps/shop' },
		{ text: 'Scripts', href: '/apps/shop/scripts' },
		{ text: 'users', href: '/apps/shop/scripts/0190' }
	]);
	expect(trail('/me/keys', {})).toEqual([{ text: 'You', href: '/me' }]);
	expect(trail('/instance/users', {})).toEqual([{ text: 'Instance', href: '/instance' }]);
});

test('every page of an app has a place of its own', () => {
	const paths = appNav.flatMap(({ items }) => items.map(({ path }) => path));
	expect(new Set(paths).size).toBe(paths.length);
});
