import { describe, expect, it } from 'vitest';
import type { Trigger } from '$lib/api';
import { bodyOf, emptyDraft } from './draft';
import { detail, isKind, opWords, patternWords, ruleOf, subject } from './kinds';
import { RETRY_DEFAULT, retryWords, wait, waits, waitWords, type Retry } from './retry';
import { byDay, fields, tickWords } from './ticks';

const retry: Retry = { max_attempts: 5, backoff: 'exponential', base_delay_ms: 1000, max_delay_ms: 5000, jitter: false };

describe('retry policies', () => {
	it('wait as the server does', () => {
		expect([1, 2, 3, 4, 5].map((failed) => wait(retry, failed))).toEqual([1000, 2000, 4000, 5000, null]);
		expect([1, 2, 3].map((failed) => wait({ ...retry, backoff: 'linear' }, failed))).toEqual([1000, 2000, 3000]);
		expect([1, 2, 3].map((failed) => wait({ ...retry, backoff: 'constant' }, failed))).toEqual([1000, 1000, 1000]);
		const many: Retry = { ...retry, max_attempts: 100, base_delay_ms: 86_400_000, max_delay_ms: 86_400_000 };
		expect(wait(many, 99)).toBe(86_400_000);
	});

	it('add up to when the last attempt is', () => {
		expect(waits(retry).map(({ after_ms }) => after_ms)).toEqual([1000, 3000, 7000, 12_000]);
		expect(waits({ ...retry, max_attempts: 1 })).toEqual([]);
	});

	it('read as sentences', () => {
		expect(retryWords(retry)).toBe('5 attempts, the last one within 12 s after the first. Then the event is a dead letter.');
		expect(retryWords({ ...retry, max_attempts: 1 })).toContain('One attempt');
		expect(waitWords(2000, true)).toBe('1 s to 2 s');
		expect(waitWords(2000, false)).toBe('2 s');
		expect(waitWords(0, true)).toBe('at once');
	});
});

describe('kinds', () => {
	const base = { script_id: 's' } as unknown as Trigger;
	const trigger = (own: object) => ({ ...base, ...own }) as Trigger;

	it('are told apart by their fields', () => {
		expect(ruleOf(trigger({ kind: 'files', collection: 'a*', ops: ['delete'] }))).toEqual({
			kind: 'files',
			collection: 'a*',
			ops: ['delete']
		});
		expect(ruleOf(trigger({ kind: 'queue', queue: 'orders' })).kind).toBe('queue');
		expect(subject(trigger({ kind: 'cron', schedule: '0 0 * * * *', timezone: 'UTC', next_tick_at: null }))).toBe('0 0 * * * *');
		const letters = trigger({ kind: 'dead_letter', filter: { source: 'queue', trigger_id: null, script_id: 'x' } });
		expect(detail(letters, () => 'orders')).toBe('of the source queue, of the script orders');
		expect(isKind('cron') && !isKind('http') && !isKind(null)).toBe(true);
	});

	it('say what a pattern covers', () => {
		expect(patternWords('*', 'topic')).toBe('Every topic.');
		expect(patternWords('orders.*', 'topic')).toBe('Topics that begin with "orders.".');
		expect(patternWords('users*', 'collection')).toBe('Collections that begin with "users".');
		expect(patternWords('users', 'collection')).toContain('no other');
		expect(opWords(['insert', 'update'])).toBe('insert and update');
		expect(opWords(['insert', 'update', 'delete'])).toBe('every write');
	});
});

describe('drafts', () => {
	it('send the fields of their kind and no other', () => {
		const draft = emptyDraft('Europe/Vienna', RETRY_DEFAULT);
		draft.script_id = 's';
		draft.collection = ' users* ';
		draft.ops.delete = false;
		expect(bodyOf('kv', draft)).toEqual({ script_id: 's', ...RETRY_DEFAULT, collection: 'users*', ops: ['insert', 'update'] });
		expect(bodyOf('cron', draft)).toMatchObject({ schedule: '0 30 2 * * *', timezone: 'Europe/Vienna' });
		expect(bodyOf('dead_letter', draft)).toEqual({ script_id: 's', ...RETRY_DEFAULT, filter: {} });
		draft.filter.source = 'queue';
		expect(bodyOf('dead_letter', draft)).toMatchObject({ filter: { source: 'queue' } });
		expect('topic' in bodyOf('queue', draft)).toBe(false);
	});
});

describe('ticks', () => {
	const now = Date.parse('2026-01-04T12:00:00Z');

	it('are told in the zone of the schedule', () => {
		const words = tickWords('2026-01-05T05:30:00Z', 'Europe/Vienna', now);
		// Versions of the browsers' tables differ in a comma.
		expect({ ...words, day: words.day.replace(',', '') }).toEqual({
			day: 'Monday 5 January 2026',
			time: '06:30',
			ahead: 'in 17 hours'
		});
		expect(tickWords('2026-01-05T05:30:07Z', 'No/Where', now).time).toBe('05:30:07');
	});

	it('of one day stand together', () => {
		const days = byDay(['2026-01-05T05:00:00Z', '2026-01-05T06:00:00Z', '2026-01-06T05:00:00Z'], 'UTC', now);
		expect(days.map(({ ticks }) => ticks.length)).toEqual([2, 1]);
	});

	it('come from six fields', () => {
		expect(fields('0 30 6 * * MON-FRI').at(-1)).toEqual({ name: 'day of week', text: 'MON-FRI' });
		expect(fields('0 30')[2]?.text).toBe('');
	});
});
