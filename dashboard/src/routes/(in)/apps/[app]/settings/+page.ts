import { reading } from '$lib/load';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app } = event.params;
	return reading(event, async (api) => {
		const [{ etag }, scripts] = await Promise.all([
			api.answer('get', '/api/v1/admin/apps/{app}', { path: { app } }),
			api.get('/api/v1/admin/scripts', { query: { app, limit: 200 } })
		]);
		return { etag, scripts: scripts.cursor === null ? scripts.items.length : null };
	});
};
