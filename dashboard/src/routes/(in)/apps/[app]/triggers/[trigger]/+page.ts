import { reading } from '$lib/load';
import { scriptsOf } from '$lib/triggers/scripts';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app, trigger } = event.params;
	return reading(event, async (api) => {
		const [answer, scripts] = await Promise.all([
			api.answer('get', '/api/v1/admin/apps/{app}/triggers/{trigger_id}', { path: { app, trigger_id: trigger } }),
			scriptsOf(api, app)
		]);
		return { trigger: answer.data, etag: answer.etag, scripts };
	});
};
