import { orLater } from '$lib/collections/load';
import { reading } from '$lib/load';
import type { LayoutLoad } from './$types';

/** Counting reads whole collections: once, and not with every search. */
export const load: LayoutLoad = (event) => {
	const { app } = event.params;
	return reading(event, async (api) => ({
		collections: await orLater(api.get('/api/v1/admin/apps/{app}/kv', { path: { app }, query: { limit: 200 } }))
	}));
};
