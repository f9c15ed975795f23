import { scriptsOf } from '$lib/grants/scripts';
import { reading } from '$lib/load';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app } = event.params;
	return reading(event, async (api) => {
		const [secrets, scripts, grants] = await Promise.all([
			api.get('/api/v1/admin/apps/{app}/secrets', { path: { app } }),
			scriptsOf(api, app),
			api.get('/api/v1/admin/apps/{app}/grants', { path: { app } })
		]);
		return { secrets, scripts, patterns: grants['secrets'] ?? [] };
	});
};
