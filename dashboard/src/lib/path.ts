import type { App, Route } from '$lib/api';

/** Where the login page is, coming back to `from` afterwards. */
export function loginPath(from: URL): string {
	const next = from.pathname + from.search + from.hash;
	return next === '/' ? '/login' : `/login?next=${encodeURIComponent(next)}`;
}

/** The page to open after login: a path of this origin and no other address, whatever the link said. */
export function afterLogin(next: string | null): string {
	if (next === null || !next.startsWith('/')) return '/';
	const base = 'http://dashboard.invalid';
	try {
		const url = new URL(next, base);
		return url.origin === base && !/^\/login\/?$/.test(url.pathname) ? url.pathname + url.search + url.hash : '/';
	} catch {
		return '/';
	}
}

/** A slug to start from for an app's name: one DNS label. The server has the last word. */
export function slugFrom(name: string): string {
	return name
		.normalize('NFKD')
		.replace(/\p{M}/gu, '')
		.toLowerCase()
		.replace(/[^a-z0-9]+/g, '-')
		.replace(/^-+/, '')
		.slice(0, 63)
		.replace(/-+$/, '');
}

/** A route's address when a browser's GET can follow it: a literal path, GET or any method, any host of the app. */
export function openable(route: Pick<Route, 'path' | 'method' | 'host'>, base: string): string | null {
	if (route.host !== null || (route.method !== null && route.method !== 'GET')) return null;
	if (/\/:|\*/.test(route.path)) return null;
	return base.replace(/\/$/, '') + route.path;
}

/** The URL that an app of this slug would get, told from another app; null without one. */
export function urlFor(slug: string, other: Pick<App, 'slug' | 'host' | 'url'> | undefined): string | null {
	if (!other?.host.startsWith(`${other.slug}.`)) return null;
	return other.url.replace(`://${other.slug}.`, `://${slug}.`);
}
