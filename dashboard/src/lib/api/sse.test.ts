import { expect, test } from 'vitest';
import { EventParser, waitMs } from './sse';

const STREAM = 'retry: 1000\nid: 1\n\n: a comment\nid: 2\nevent: line\ndata: {"a":\ndata: 1}\n\nevent: execution\ndata:x\r\n\r\n';

test('events end with an empty line and keep the last id', () => {
	const parser = new EventParser();
	expect(parser.push(STREAM)).toEqual([
		{ id: '2', event: 'line', data: '{"a":\n1}' },
		{ id: '2', event: 'execution', data: 'x' }
	]);
	expect(parser.retry_ms).toBe(1000);
});

test('however the text is cut, the events are the same', () => {
	const whole = new EventParser().push(STREAM);
	for (let size = 1; size < 12; size += 1) {
		const parser = new EventParser();
		const events = [];
		for (let at = 0; at < STREAM.length; at += size) events.push(...parser.push(STREAM.slice(at, at + size)));
		expect(events).toEqual(whole);
	}
});

test('an id alone is for the next connection, and one with NUL is none', () => {
	const parser = new EventParser();
	expect(parser.push('id: 5\n\nid: \0\n\n')).toEqual([]);
	expect(parser.id).toBe('5');
});

test('waits double from 0.2 s to 5 s', () => {
	expect([1, 2, 3, 4, 5, 6, 7, 100].map(waitMs)).toEqual([200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
});
