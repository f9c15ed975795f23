import { expect, it } from 'vitest';
import { missing, notGranted } from './reach';

it('names what the app lacks', () => {
	expect(notGranted(['kv', 'http', 'log'], { kv: ['*'], http: [] })).toEqual(['http']);
	expect(notGranted(['http'], null)).toEqual([]);
	expect(missing(['tax', 'mail'], ['tax'])).toEqual(['mail']);
});
