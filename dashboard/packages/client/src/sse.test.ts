import { expect, test } from 'vitest';
import { EVENT_CHARS_MAX, LINE_CHARS_MAX } from './limits.js';
import { EventParser, TooLong, type ServerEvent } from './sse.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const parsed = (text: string): ServerEvent[] => new EventParser().push(bytes(text));

const STREAM = '\ufeffretry: 1000\nid: 1\n\n: a comment\nid: 2\nevent: line\ndata: {"ü":\r\ndata:  𝄞}\n\nevent: execution\rdata:x\r\r\ndata\ndata\n\ndata: rest';
const EVENTS = [
	{ id: '2', event: 'line', data: '{"ü":\n 𝄞}' },
	{ id: '2', event: 'execution', data: 'x' },
	{ id: '2', event: 'message', data: '\n' }
];

test('events end with an empty line and keep the last id', () => {
	const parser = new EventParser();
	expect(parser.push(bytes(STREAM))).toEqual(EVENTS);
	expect([parser.retryMs, parser.id]).toEqual([1000, '2']);
});

test('however the bytes are cut, the events are the same', () => {
	const all = bytes(STREAM);
	for (let size = 1; size < 40; size += 1) {
		const parser = new EventParser();
		const events = [];
		for (let at = 0; at < all.length; at += size) events.push(...parser.push(all.subarray(at, at + size)));
		expect(events, `pieces of ${size}`).toEqual(EVENTS);
	}
});

test('a line that ends with CR is not waited on for an LF', () => {
	const parser = new EventParser();
	expect(parser.push(bytes('data: a\r\r'))).toEqual([{ id: '', event: 'message', data: 'a' }]);
	// The LF is of the line end that was.
	expect(parser.push(bytes('\ndata: b\r'))).toEqual([]);
	expect(parser.push(bytes('\n\r'))).toEqual([{ id: '', event: 'message', data: 'b' }]);
});

test('only the first mark of byte order is none of the text', () => {
	expect(parsed('\ufeffdata: a\n\n')).toHaveLength(1);
	expect(parsed('data: a\n\n\ufeffdata: b\n\n')).toHaveLength(1);
	expect(parsed('\ufeff\ufeffdata: a\n\n')).toHaveLength(0);
});

test('of a field the first space is none of the value, and one without a colon has none', () => {
	expect(parsed('data:a\n\n')[0]?.data).toBe('a');
	expect(parsed('data:  a\n\n')[0]?.data).toBe(' a');
	expect(parsed('data:a: b\n\n')[0]?.data).toBe('a: b');
	expect(parsed('data\n\n')[0]?.data).toBe('');
	expect(parsed('Data: a\n data: b\n\n')).toEqual([]);
});

test('an id holds from the empty line on; one with NUL is none, an empty one is', () => {
	const parser = new EventParser();
	parser.push(bytes('id: 5\n'));
	expect(parser.id).toBe('');
	parser.push(bytes('\nid: a\0\n\n'));
	expect(parser.id).toBe('5');
	parser.push(bytes('id\n\n'));
	expect(parser.id).toBe('');
});

test('the name of an event does not stay', () => {
	expect(parsed('event: a\n\ndata: b\n\n')).toEqual([{ id: '', event: 'message', data: 'b' }]);
});

test('a wait is digits alone', () => {
	for (const [text, wait] of [['10', 10], ['', null], ['-1', null], ['1.5', null], ['1x', null], ['9'.repeat(9), 999_999_999], ['9'.repeat(10), null]] as const) {
		const parser = new EventParser();
		parser.push(bytes(`retry:${text}\n`));
		expect(parser.retryMs, text).toBe(wait);
	}
});

test('what is no UTF-8 is replaced, and the stream goes on', () => {
	const parser = new EventParser();
	expect(parser.push(Uint8Array.of(...bytes('data: '), 0xff, ...bytes('\n\n')))[0]?.data).toBe('\ufffd');
});

test('a line has a bound, whole or in pieces', () => {
	const line = (chars: number) => `:${'x'.repeat(chars - 1)}`;
	expect(parsed(`${line(LINE_CHARS_MAX)}\ndata: a\n\n`)).toHaveLength(1);
	expect(() => parsed(`${line(LINE_CHARS_MAX + 1)}\n`)).toThrow(TooLong);
	const pieces = new EventParser();
	pieces.push(bytes(line(LINE_CHARS_MAX)));
	expect(() => pieces.push(bytes('x'))).toThrow(TooLong);
});

test('the data of an event has a bound, with the line ends between its lines', () => {
	const half = 'x'.repeat(EVENT_CHARS_MAX / 2);
	expect(parsed(`data:${half}\ndata:${half.slice(1)}\n\n`)[0]?.data).toHaveLength(EVENT_CHARS_MAX);
	expect(() => parsed(`data:${half}\ndata:${half}\n\n`)).toThrow(TooLong);
	// The next event begins anew.
	expect(parsed(`data:${half}\n\ndata:${half}\n\n`)).toHaveLength(2);
	expect(() => parsed('data\n'.repeat(EVENT_CHARS_MAX + 2))).toThrow(TooLong);
});

test('bytes that come one by one cost no more than their number', () => {
	const parser = new EventParser();
	const began = performance.now();
	for (let at = 0; at < 200_000; at += 1) parser.push(Uint8Array.of(0x78));
	expect(performance.now() - began).toBeLessThan(5000);
});
