import { ApiError, type Client } from '$lib/api';
import { routeName, type Shape } from './pattern';

/** Deletes a route that is known by what it matches: states of an app carry no ids. */
export async function removeRoute(api: Client, script_id: string, route: Shape): Promise<void> {
	const path = { script_id };
	let cursor: string | undefined;
	for (;;) {
		const page = await api.get('/api/v1/admin/scripts/{script_id}/routes', { path, query: { cursor, limit: 200 } });
		const found = page.items.find((other) => routeName(other) === routeName(route));
		if (found) {
			await api.delete('/api/v1/admin/scripts/{script_id}/routes/{route_id}', { path: { ...path, route_id: found.id } });
			return;
		}
		if (page.cursor === null) throw new ApiError(404, 'not_found', 'The route is gone already.');
		cursor = page.cursor;
	}
}
