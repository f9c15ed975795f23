/** The app that the live rules call, made on the node of the run. */
import { Api } from '../../../../tests/support/api';
import { run } from '../../../../tests/support/run';

const SCRIPTS: Record<string, { source: string; routes: { method?: string; path: string }[] }> = {
	echo: {
		source: `
let r = ctx.request;
#{ statusCode: 201, body: #{ method: r.method, params: r.params, query: r.query, body: r.body, token: r.headers["authorization"] } }`,
		routes: [{ path: '/echo/:id' }]
	},
	bytes: { source: '#{ statusCode: 200, body: ctx.request.body }', routes: [{ method: 'POST', path: '/bytes' }] },
	refused: { source: 'throw #{ statusCode: 403, body: #{ reason: "closed" } };', routes: [{ path: '/refused' }] },
	broken: { source: 'throw "no";', routes: [{ path: '/broken' }] },
	busy: {
		source: `
let calls = kv::collection("calls").increment(ctx.request.params.counter, 1);
if calls == 1 { throw #{ statusCode: 503, headers: #{ "retry-after": "0" } }; }
#{ calls: calls }`,
		routes: [{ method: 'POST', path: '/busy/:counter' }]
	},
	page: {
		source: '#{ statusCode: 200, headers: #{ "content-type": "text/html" }, body: "<!doctype html><title>page</title>" }',
		routes: [{ method: 'GET', path: '/page' }]
	}
};

export interface App {
	slug: string;
	/** Where it answers. */
	base: string;
	api: Api;
	/** Adds a script with its routes. */
	add(name: string, source: string, routes: { method?: string; path: string }[]): Promise<void>;
}

/** An app with the scripts. Pages of any origin may read its answers. */
export async function app(name: string): Promise<App> {
	const { admin, data, token } = run();
	// After a failure, what is left is tried with another one.
	const slug = `${name}-${Math.random().toString(36).slice(2, 8)}`;
	const api = new Api(admin, token);
	await api.post('/admin/apps', { slug, name });
	await api.patch(`/admin/apps/${slug}`, { cors_origins: ['*'] });
	const add: App['add'] = async (name, source, routes) => {
		const { id } = await api.post('/admin/scripts', { app_id: slug, name, source });
		for (const route of routes) await api.post(`/admin/scripts/${id}/routes`, route);
	};
	for (const [name, { source, routes }] of Object.entries(SCRIPTS)) await add(name, source, routes);
	return { slug, base: `http://${slug}.localhost:${new URL(data).port}`, api, add };
}
