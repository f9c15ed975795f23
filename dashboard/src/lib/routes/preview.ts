/** What would answer a request, in words, and what a new route would change about it. Pure. */
import type { ApiError, MatchedRequest, Route } from '$lib/api';
import { precedence, reason, routeName, type Shape } from './pattern';

export type Found = Extract<MatchedRequest, { route: Route }>;
export type NotFound = Exclude<MatchedRequest, { route: Route }>;

export function isFound(matched: MatchedRequest): matched is Found {
	return matched.matched && 'route' in matched;
}

/** A target as one types it, "GET /users/17?x=1": the path alone is matched. */
export function pathOf(typed: string): string {
	const path = typed.trim().split(/[?#]/)[0] ?? '';
	return path === '' ? '/' : path.startsWith('/') ? path : `/${path}`;
}

/** What a route that is being written would do to the request that it is tried with. */
export function consequence(route: Shape, matched: MatchedRequest): { tone: 'good' | 'info' | 'bad'; text: string } {
	if (!isFound(matched)) return { tone: 'good', text: 'Nothing answers it yet: the new route would.' };
	const other = matched.route;
	const order = precedence(route, other);
	const name = routeName(other);
	if (order < 0) return { tone: 'good', text: `${name} answers it now. The new route would take it over: ${reason(route, other)}.` };
	if (order > 0) return { tone: 'info', text: `${name} would go on answering it: ${reason(other, route)}.` };
	return { tone: 'bad', text: `${name} answers it, and neither would go first. Change one, or delete the other.` };
}

/** Why nothing would answer, in words. */
export function why({ reason, message }: { reason: string; message: string }): string {
	switch (reason) {
		case 'no_route':
			return 'No route: 404.';
		case 'method_not_allowed':
			return 'The path has a route, but not for this method: 405.';
		default:
			return `${message}.`.replace(/\.\.$/, '.');
	}
}

/** The route that is in the way of a new one, as a refusal names it. */
export function inTheWay(failure: ApiError): { id: string; script_id: string; shape: Shape } | null {
	const route = failure.detail('route');
	if (failure.status !== 409 || typeof route !== 'object' || route === null) return null;
	const { id, script_id, method, host, path } = route as Record<string, unknown>;
	if (typeof id !== 'string' || typeof script_id !== 'string' || typeof path !== 'string') return null;
	const shape = { method: typeof method === 'string' ? method : null, host: typeof host === 'string' ? host : null, path };
	return { id, script_id, shape };
}
