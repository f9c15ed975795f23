import { reading } from '$lib/load';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app } = event.params;
	return reading(event, async (api) => ({ domains: await api.get('/api/v1/admin/apps/{app}/domains', { path: { app } }) }));
};
