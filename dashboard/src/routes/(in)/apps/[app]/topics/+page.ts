import { reading } from '$lib/load';
import { namer, scriptsOf } from '$lib/triggers/scripts';
import type { PageLoad } from './$types';

/** The topics, the tokens of subscribers, and the names of who made them. */
export const load: PageLoad = (event) => {
	const path = { app: event.params.app };
	return reading(event, async (api) => {
		const [topics, tokens, scripts, members] = await Promise.all([
			api.get('/api/v1/admin/apps/{app}/topics', { path }),
			api.get('/api/v1/admin/apps/{app}/subscriber_tokens', { path }),
			scriptsOf(api, path.app),
			api.get('/api/v1/admin/apps/{app}/members', { path, query: { limit: 200 } })
		]);
		const people = new Map(members.items.map(({ user_id, username }) => [user_id, username]));
		return { topics, tokens, scriptOf: namer(scripts), people };
	});
};
