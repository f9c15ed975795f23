import { ifAllowed, reading } from '$lib/load';
import { everyScript } from '$lib/scripts/all';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app, script } = event.params;
	return reading(event, async (api) => {
		const [scripts, grants, routes] = await Promise.all([
			everyScript(api, app),
			ifAllowed(api.get('/api/v1/admin/apps/{app}/grants', { path: { app } })),
			ifAllowed(api.get('/api/v1/admin/scripts/{script_id}/routes', { path: { script_id: script }, query: { limit: 100 } }))
		]);
		return { scripts, grants, routes: routes?.items ?? [] };
	});
};
