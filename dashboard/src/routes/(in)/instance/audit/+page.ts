import { reading } from '$lib/load';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) =>
	reading(event, async (api) => {
		const [audit, apps] = await Promise.all([
			api.get('/api/v1/admin/audit', { query: { limit: 100 } }),
			api.get('/api/v1/admin/apps', { query: { limit: 200 } })
		]);
		return { audit, apps: apps.items };
	});
