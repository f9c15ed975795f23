import { expect, test } from 'vitest';
import { firstPassword, PASSWORD_CHARS_MIN } from './password';

const system = (bytes: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(bytes);

test('long enough, readable, another each time', () => {
	const one = firstPassword(system);
	expect(one).toMatch(/^([a-km-np-z2-9]{5}-){4}[a-km-np-z2-9]{5}$/);
	expect(one.length).toBeGreaterThanOrEqual(PASSWORD_CHARS_MIN);
	expect(firstPassword(system)).not.toBe(one);
});

test('bytes that would favour some letters are thrown away', () => {
	let round = 0;
	const password = firstPassword((bytes) => bytes.fill(round++ === 0 ? 255 : 1));
	expect(round).toBe(2);
	expect(password).toBe('bbbbb-bbbbb-bbbbb-bbbbb-bbbbb');
});
