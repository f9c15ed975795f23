import { scriptsOf } from '$lib/grants/scripts';
import { ifAllowed, reading } from '$lib/load';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app } = event.params;
	return reading(event, async (api) => {
		const [{ data: grants, etag }, scripts, restrictions] = await Promise.all([
			api.answer('get', '/api/v1/admin/apps/{app}/grants', { path: { app } }),
			scriptsOf(api, app),
			ifAllowed(api.get('/api/v1/admin/apps/{app}/restrictions', { path: { app } }))
		]);
		return { grants, etag, scripts, restrictions };
	});
};
