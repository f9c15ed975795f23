import { ifAllowed, reading } from '$lib/load';
import { RETRY_DEFAULT, type Retry } from '$lib/triggers/retry';
import { scriptsOf } from '$lib/triggers/scripts';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app } = event.params;
	return reading(event, async (api) => {
		const path = { app };
		const [scripts, secrets, triggers, limits] = await Promise.all([
			scriptsOf(api, app),
			ifAllowed(api.get('/api/v1/admin/apps/{app}/secrets', { path, query: { limit: 200 } })),
			ifAllowed(api.get('/api/v1/admin/apps/{app}/triggers', { path, query: { limit: 200 } })),
			api.get('/api/v1/limits')
		]);
		const bound = (name: string, otherwise: number) => limits.items.find((limit) => limit.name === name)?.default ?? otherwise;
		const retry: Retry = {
			...RETRY_DEFAULT,
			max_attempts: bound('delivery_attempts', RETRY_DEFAULT.max_attempts),
			base_delay_ms: bound('delivery_base_delay_ms', RETRY_DEFAULT.base_delay_ms),
			max_delay_ms: bound('delivery_max_delay_ms', RETRY_DEFAULT.max_delay_ms)
		};
		return { scripts, secrets: secrets?.items.map(({ name }) => name) ?? null, triggers: triggers?.items ?? [], retry };
	});
};
