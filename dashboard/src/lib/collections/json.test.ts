import { describe, expect, it } from 'vitest';
import { compact, laidOut, member, notMap, place, read, tidy } from './json';

function wrong(text: string): string {
	const { mistake } = read(text);
	return mistake === null ? '' : place(mistake);
}

describe('JSON as it is written', () => {
	it('is read where the browser reads it, and refused where the browser refuses it', () => {
		const texts = [
			'{}', '[]', '""', '0', '-0.5e+3', 'true', 'null', ' { "a" : [ 1 , { } ] } ', '"\\u00e9\\n"', '[[[[]]]]', '"é"',
			'', ' ', '{', '[1', '{"a"}', '{"a":}', '{a:1}', "{'a':1}", '[1,]', '{"a":1,}', '01', '1.', '.5', '+1', 'tru', 'truely',
			'nulls', 'NaN', '"a', '"a\nb"', '"\\x"', '"\\u12"', '1 2', '[1 2]', '{"a":1 "b":2}', '// a', '#{}', '1e', '-', '{,}', '[,1]'
		];
		for (const text of texts) {
			let browser = true;
			try {
				JSON.parse(text);
			} catch {
				browser = false;
			}
			expect([text, read(text).mistake === null]).toEqual([text, browser]);
		}
	});

	it('says where it is wrong, and what to do', () => {
		expect(wrong('{\n  "a": 1,\n}')).toBe('line 2, column 9: Nothing follows this comma: take it out.');
		expect(wrong("{'a': 1}")).toBe('line 1, column 2: A name in double quotes should stand here.');
		expect(wrong("['a']")).toBe('line 1, column 2: Texts stand in double quotes.');
		expect(wrong('{"a": 1 "b": 2}')).toBe('line 1, column 9: A comma or } should stand here.');
		expect(wrong('{"a" 1}')).toBe('line 1, column 6: A colon should follow the name "a"');
		expect(wrong('[1, 02]')).toBe('line 1, column 5: 02 is no number in JSON.');
		expect(wrong('"é😀" x')).toBe('line 1, column 6: The value ends before this: nothing may follow it.');
		expect(wrong('["a')).toBe('line 1, column 2: This text has no closing quote.');
		expect(wrong('[1')).toBe('line 1, column 3: The text ends inside a list: ] is missing.');
		expect(wrong('{"a": 1, "a": 2}')).toBe('line 1, column 10: The name "a" stands here twice.');
		expect(wrong('[yes]')).toContain('yes is no value');
		expect(wrong('['.repeat(1000))).toContain('More than 200 levels');
	});

	it('is laid out as the browser does it', () => {
		const value = { a: [1, 'two', null, {}, []], b: { c: true } };
		expect(tidy(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
		expect(tidy('{ not json')).toBe('{ not json');
	});

	it('keeps numbers as they are written', () => {
		expect(tidy('[41.0,9007199254740993,1e3]')).toBe('[\n  41.0,\n  9007199254740993,\n  1e3\n]');
		const { node } = read('{"a":[1,2.0],"b":{}}');
		expect(node && compact(node)).toBe('{"a":[1,2.0],"b":{}}');
		expect(node && laidOut(node)).toContain('2.0');
	});

	it('gives one field of an answer', () => {
		expect(member('{"key":"k","value":{"n":1.0}}', 'value')).toBe('{\n  "n": 1.0\n}');
		expect(member('{"key":"k"}', 'value')).toBeNull();
		expect(member('[1]', 'value')).toBeNull();
	});

	it('knows a map', () => {
		expect(notMap('{"a": 1}')).toBeNull();
		expect(notMap('[1]')).toContain('{ … }');
		expect(notMap('{')).toContain('line 1');
	});
});
