import { describe, expect, it } from 'vitest';
import type { DeadLetterEvent } from '$lib/api';
import { aboutSource, editable, isNarrow, letterFilter, reasonWords, replayedWords, subjectOf, told } from './letters';

const event = (source: string, about: unknown) => ({ id: 'e', op: 'x', depth: 1, time: '', source, [source]: about }) as unknown as DeadLetterEvent;

describe('an event that could not be delivered', () => {
	it('tells what it is about', () => {
		const queue = event('queue', { name: 'orders', message: { order: 17 } });
		expect(told(queue)).toEqual({ name: 'orders', message: { order: 17 } });
		expect(subjectOf(queue)).toBe('orders');
		expect(subjectOf(event('kv', { collection: 'users', key: 'ada' }))).toBe('users/ada');
		expect(subjectOf(event('http', { method: 'POST', path: '/reports' }))).toBe('POST /reports');
		expect(subjectOf(event('invoke', null))).toBe('');
		expect(aboutSource('queue').title).toBe('Queue');
		expect(aboutSource('odd').title).toBe('odd');
	});

	it('can be edited where it is a message and its trigger is there', () => {
		expect(editable({ event: event('queue', {}), trigger_id: 't' })).toBe(true);
		expect(editable({ event: event('queue', {}), trigger_id: null })).toBe(false);
		expect(editable({ event: event('kv', {}), trigger_id: 't' })).toBe(false);
	});

	it('says why no attempt is left', () => {
		expect(reasonWords({ reason: 'attempts_exhausted', attempts: 1 })).toBe('Its only attempt failed.');
		expect(reasonWords({ reason: 'attempts_exhausted', attempts: 3 })).toBe('All 3 attempts failed.');
	});
});

describe('lists of letters', () => {
	it('are of unresolved ones unless all are asked for', () => {
		expect(letterFilter(new URLSearchParams('unresolved=true&source=loud')).source).toBeUndefined();
		expect(letterFilter(new URLSearchParams()).unresolved).toBe(true);
		const filter = letterFilter(new URLSearchParams('state=all&source=queue&trigger=t'));
		expect(filter).toEqual({ unresolved: false, source: 'queue', script_id: undefined, trigger_id: 't' });
		expect([isNarrow(filter), isNarrow(letterFilter(new URLSearchParams()))]).toEqual([true, false]);
	});

	it('say what a replay came to', () => {
		expect(replayedWords({ replayed: 1, trigger_gone: 0, more: false })).toBe('1 letter is delivered again.');
		expect(replayedWords({ replayed: 100, trigger_gone: 2, more: true })).toContain('There are more');
	});
});
