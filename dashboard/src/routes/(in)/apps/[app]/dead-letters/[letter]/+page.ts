import { reading } from '$lib/load';
import { scriptsOf } from '$lib/triggers/scripts';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app, letter } = event.params;
	return reading(event, async (api) => {
		const [found, scripts] = await Promise.all([
			api.get('/api/v1/admin/apps/{app}/dead_letters/{letter_id}', { path: { app, letter_id: letter } }),
			scriptsOf(api, app)
		]);
		return { letter: found, scripts };
	});
};
