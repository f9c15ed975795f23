import { ifAllowed, reading } from '$lib/load';
import { namesOf } from '$lib/people/names';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app } = event.params;
	return reading(event, async (api) => {
		const path = { app };
		const { user } = await event.parent();
		const [deployments, split, names] = await Promise.all([
			api.get('/api/v1/admin/apps/{app}/deployments', { path, query: { limit: 200 } }),
			ifAllowed(api.get('/api/v1/admin/apps/{app}/split', { path })),
			namesOf(api, app, user)
		]);
		return { deployments, split, names };
	});
};
