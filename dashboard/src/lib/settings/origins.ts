/** Origins that browsers may call an app from. Pure; the server has the last word. */

export const ORIGINS_MAX = 32;

/** Why a text is no origin as a browser sends it; null where it is one. */
export function wrong(origin: string, given: readonly string[]): string | null {
	if (origin === '') return 'Write an origin.';
	if (given.includes(origin)) return `${origin} is there already.`;
	if (given.length >= ORIGINS_MAX) return `At most ${ORIGINS_MAX} origins.`;
	if (origin === '*') return null;
	if (!/^https?:\/\//.test(origin)) return 'It begins with https:// or http://';
	if (origin !== origin.toLowerCase()) return 'Browsers send it in lower case.';
	if (/^https?:\/\/[^/]*\/./.test(origin)) return 'An origin has no path.';
	if (origin.endsWith('/')) return 'Without the slash at the end.';
	let url: URL;
	try {
		url = new URL(origin);
	} catch {
		return 'An origin is https://host, with :port where it is not the usual one.';
	}
	if (url.origin === origin) return null;
	return /:(80|443)$/.test(origin) ? 'Browsers leave out the usual port.' : 'An origin is https://host, with :port where it is not the usual one.';
}

/** A name from an address that somebody pasted: its origin. */
export function originOf(text: string): string {
	const trimmed = text.trim();
	if (trimmed === '*' || !/^https?:\/\//i.test(trimmed)) return trimmed;
	try {
		return new URL(trimmed).origin;
	} catch {
		return trimmed;
	}
}

/** The browser's word for an app of another slug at the same place: what the old address becomes. */
export function renamed(url: string, slug: string, to: string): string {
	return to === '' ? url : url.replace(`://${slug}.`, `://${to}.`);
}
