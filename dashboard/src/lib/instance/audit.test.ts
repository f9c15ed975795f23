import { expect, test } from 'vitest';
import type { AuditEntry } from '$lib/api';
import { called, filtered, lines, nouns, who } from './audit';

const entry = (seq: number, action: string, more: Partial<AuditEntry> = {}): AuditEntry => ({
	seq,
	at: '2026-03-01T12:00:00Z',
	user_id: null,
	username: 'ada@example.com',
	credential: 'session',
	credential_id: null,
	address: '192.0.2.7',
	request_id: null,
	app_id: null,
	action,
	target: 'thing',
	before: null,
	after: null,
	hash: '00',
	...more
});

const log = [entry(3, 'script.publish', { app_id: 'one' }), entry(2, 'app.create', { app_id: 'two', target: 'shop' }), entry(1, 'script.create')];

test('a noun is whole, words may stand anywhere', () => {
	const of = (text: string, noun = '', app = '') => filtered(log, { text, noun, app }).map(({ seq }) => seq);
	expect(of('')).toEqual([3, 2, 1]);
	expect(of('', 'script')).toEqual([3, 1]);
	expect(of('', '', 'two')).toEqual([2]);
	expect(of('SHOP ada')).toEqual([2]);
	expect(of('192.0.2.7 publish')).toEqual([3]);
	expect(of('nobody')).toEqual([]);
	expect(nouns(log)).toEqual(['app', 'script']);
});

test('a target is called by its name where the entry tells it', () => {
	expect(called(entry(1, 'app.update', { before: { slug: 'shop' }, after: { slug: 'store' } }))).toBe('store');
	expect(called(entry(1, 'app.delete', { before: { slug: 'shop' } }))).toBe('shop');
	expect(called(entry(1, 'session.create', { after: { user_agent: 'curl' } }))).toBe('thing');
});

test('the operator has no name', () => {
	expect(who(entry(1, 'a.b', { username: null, credential: 'operator' }))).toBe('operator');
});

test('two states are comparable: keys are in order, what is not there is empty', () => {
	expect(lines({ b: [{ d: 1, c: 2 }], a: null })).toBe(lines({ a: null, b: [{ c: 2, d: 1 }] }));
	expect(lines(null)).toBe('');
});
