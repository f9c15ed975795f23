import { ifAllowed, reading } from '$lib/load';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app, script } = event.params;
	return reading(event, async (api) => {
		const [limits, quota, routes, triggers] = await Promise.all([
			api.get('/api/v1/limits'),
			ifAllowed(api.get('/api/v1/admin/apps/{app}/quota', { path: { app } })),
			ifAllowed(api.get('/api/v1/admin/scripts/{script_id}/routes', { path: { script_id: script }, query: { limit: 100 } })),
			ifAllowed(api.get('/api/v1/admin/apps/{app}/triggers', { path: { app }, query: { script_id: script, limit: 100 } }))
		]);
		return { limits: limits.items, quota: quota?.quota ?? null, routes: routes?.items ?? null, triggers: triggers?.items ?? null };
	});
};
