import { letterFilter } from '$lib/dead-letters/letters';
import { reading } from '$lib/load';
import { scriptsOf } from '$lib/triggers/scripts';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app } = event.params;
	const filter = letterFilter(event.url.searchParams);
	return reading(event, async (api) => {
		const path = { app };
		const [letters, count, scripts] = await Promise.all([
			api.get('/api/v1/admin/apps/{app}/dead_letters', { path, query: { ...filter } }),
			api.get('/api/v1/admin/apps/{app}/dead_letters/count', { path }),
			scriptsOf(api, app)
		]);
		return { letters, count, scripts, filter };
	});
};
