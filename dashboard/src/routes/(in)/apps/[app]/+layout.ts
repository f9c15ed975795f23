import { reading } from '$lib/load';
import type { LayoutLoad } from './$types';

/** The app that all pages below are about. By id or slug; a slug that was given up still leads here. */
export const load: LayoutLoad = (event) => {
	const { app } = event.params;
	return reading(event, async (api) => ({ app: await api.get('/api/v1/admin/apps/{app}', { path: { app } }) }));
};
