import { expect, test } from 'vitest';
import { highlight } from './rhai';

/** `kind:text` of everything that is not plain, by line. */
function seen(source: string): string[][] {
	return highlight(source).map((line) => line.filter((t) => t.kind !== 'plain').map((t) => `${t.kind}:${t.text}`));
}

test('a script of every kind of token', () => {
	expect(seen('let n = kv::collection("a\\"b").get(\'x\') ?? 0x1F; // end\nif n > 1.5e3 { throw `no` }')).toEqual([
		['keyword:let', 'name:kv', 'call:collection', 'string:"a\\"b"', 'call:get', "string:'x'", 'number:0x1F', 'comment:// end'],
		['keyword:if', 'number:1.5e3', 'keyword:throw', 'string:`no`']
	]);
});

test('a keyword before a parenthesis is no call', () => {
	expect(seen('if (a) { f(b) }')).toEqual([['keyword:if', 'call:f']]);
});

test('ranges are two numbers, maps and hashes are plain', () => {
	expect(seen('1..5 #{ a: 2 }')).toEqual([['number:1', 'number:5', 'number:2']]);
});

test('block comments nest and span lines', () => {
	expect(seen('/* a /* b\n*/ c */ 1')).toEqual([['comment:/* a /* b'], ['comment:*/ c */', 'number:1']]);
});

test('back-tick strings hold code with braces and strings of its own', () => {
	expect(seen('`a ${ #{x: `}`} } b` 1')).toEqual([['string:`a ${ #{x: `}`} } b`', 'number:1']]);
});

test('raw strings end at as many hashes as they began with', () => {
	expect(seen('##"a "# b"## 1')).toEqual([['string:##"a "# b"##', 'number:1']]);
});

test.each(['"open', "'", '`open ${', '/* open', '#"open', '\\ é 日本 \u0000', '"a\nb"', '', '\n\n', 'a\r\nb'])(
	'nothing of %j is lost, whatever is left open',
	(source) => {
		const text = highlight(source).map((line) => line.map((t) => t.text).join(''));
		expect(text.join('\n')).toBe(source.replaceAll('\r\n', '\n'));
	}
);
