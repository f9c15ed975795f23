import { redirect } from '@sveltejs/kit';
import { reading } from '$lib/load';
import { appPath } from '$lib/shell/nav';
import type { PageLoad } from './$types';

/** Where scripts were before they stood below their app. */
export const load: PageLoad = async (event) => {
	const { script: id } = event.params;
	const script = await reading(event, (api) => api.get('/api/v1/admin/scripts/{script_id}', { path: { script_id: id } }));
	redirect(307, appPath(script.app_id, 'scripts', script.id) + event.url.search);
};
