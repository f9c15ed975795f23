import { expect, it } from 'vitest';
import { tokens } from './tokens';

const kinds = (source: string) => tokens(source).filter(({ kind }) => kind !== 'space').map(({ kind, text }) => `${kind} ${text}`);

it('leaves nothing out', () => {
	for (const source of ['', 'let a = 1', '`a ${`b ${1}` + "}"} c`;', '/* a /* b */', '"open\nx', "'", '#"raw "# x', '\u00fc \ud83d\ude00']) {
		expect(tokens(source).map(({ text }) => text).join('')).toBe(source);
	}
});

it('reads texts with their insides', () => {
	expect(kinds('`a ${#{b: "}"}} c` + x')).toEqual(['string `a ${#{b: "}"}} c`', 'operator +', 'word x']);
	expect(kinds('`a``b` c')).toEqual(['string `a``b`', 'word c']);
	expect(kinds(String.raw`"a\"b" 'c' '\n'`)).toEqual([String.raw`string "a\"b"`, "char 'c'", String.raw`char '\n'`]);
	expect(kinds('#"a "b" c"# d')).toEqual(['string #"a "b" c"#', 'word d']);
});

it('reads numbers, ranges and methods of numbers', () => {
	expect(kinds('1..=2 1.5e3 0xff 1.max(2)')).toEqual([
		'number 1', 'operator ..=', 'number 2', 'number 1.5e3', 'number 0xff', 'number 1', 'operator .', 'word max', 'open (', 'number 2', 'close )'
	]);
});

it('nests comments', () => {
	expect(kinds('/* a /* b */ c */ d // e')).toEqual(['comment /* a /* b */ c */', 'word d', 'comment // e']);
});
