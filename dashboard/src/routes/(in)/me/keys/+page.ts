import { reading } from '$lib/load';
import type { PageLoad } from './$types';

/** One's keys, and the apps that a key can be bound to. */
export const load: PageLoad = (event) =>
	reading(event, async (api) => {
		const [keys, apps] = await Promise.all([
			api.get('/api/v1/admin/api-keys'),
			api.get('/api/v1/admin/apps', { query: { limit: 200 } })
		]);
		return { keys, apps: apps.items };
	});
