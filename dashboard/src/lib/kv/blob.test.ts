import { describe, expect, it } from 'vitest';
import { asText, dump, fromBase64, shown, toBase64, toHex, written } from './blob';

const all = Uint8Array.from({ length: 256 }, (_, at) => at);

describe('bytes', () => {
	it('come back as they were from every form that shows them', () => {
		for (const form of ['hex', 'base64'] as const) {
			expect(written(shown(all, form) ?? '', form).bytes).toEqual(all);
		}
		const text = new TextEncoder().encode('grüße 😀\n\ttab');
		expect(written(shown(text, 'text') ?? '', 'text').bytes).toEqual(text);
		expect(fromBase64(toBase64(all))).toEqual(all);
	});

	it('are no text where an editor would change them', () => {
		expect(asText(all)).toBeNull();
		expect(asText(new TextEncoder().encode('a\r\nb'))).toBeNull();
		expect(asText(Uint8Array.of(0xff, 0xfe))).toBeNull();
		expect(asText(new Uint8Array())).toBe('');
	});

	it('that are typed wrong are explained', () => {
		expect(written('0g', 'hex').wrong).toContain('g is no hex digit');
		expect(written('0', 'hex').wrong).toContain('two digits');
		expect(written('*', 'base64').wrong).toContain('no base64');
		expect(written('DE AD\nbe ef', 'hex').bytes).toEqual(Uint8Array.of(0xde, 0xad, 0xbe, 0xef));
	});

	it('are dumped with their place', () => {
		expect(toHex(Uint8Array.of(1, 255))).toBe('01 ff');
		const lines = dump(all.slice(48, 66)).split('\n');
		expect(lines[0]).toBe('000000  30 31 32 33 34 35 36 37 38 39 3a 3b 3c 3d 3e 3f  0123456789:;<=>?');
		expect(lines[1]).toMatch(/^000010 {2}40 41 {44}@A$/);
	});
});
