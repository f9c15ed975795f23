import { ifAllowed, reading } from '$lib/load';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { script } = event.params;
	const asked = Number(event.url.searchParams.get('version'));
	return reading(event, async (api) => {
		const routes = await ifAllowed(api.get('/api/v1/admin/scripts/{script_id}/routes', { path: { script_id: script }, query: { limit: 100 } }));
		return { routes: routes?.items ?? [], version: Number.isInteger(asked) && asked > 0 ? asked : null };
	});
};
