import { reading } from '$lib/load';
import type { PageLoad } from './$types';

/** Filters are the page's own, over what was read: a new one asks nothing. */
export const load: PageLoad = (event) => {
	const { app } = event.params;
	return reading(event, async (api) => ({
		log: await api.get('/api/v1/admin/apps/{app}/audit', { path: { app }, query: { limit: 100 } })
	}));
};
