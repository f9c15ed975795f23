/** What a slug must be, told while one types. The server has the last word. Pure. */

const CHARS_MAX = 63;
const RESERVED = ['admin', 'api', 'www'];

/** What is wrong with a slug, in words; undefined where nothing is, or nothing is typed yet. */
export function slugFault(slug: string): string | undefined {
	if (slug === '') return undefined;
	if (/[A-Z]/.test(slug)) return 'Lower-case letters only: it becomes part of an address.';
	if (!/^[a-z0-9-]+$/.test(slug)) return 'Only a–z, 0–9 and -.';
	if (slug.startsWith('-') || slug.endsWith('-')) return 'No - at either end.';
	if (slug.length > CHARS_MAX) return `At most ${CHARS_MAX} characters; this has ${slug.length}.`;
	if (RESERVED.includes(slug)) return `${slug} is reserved. Take another.`;
	if (slug.startsWith('xn--') || /^v\d+--/.test(slug)) return 'It may not begin like an encoded name or a preview.';
	return undefined;
}
