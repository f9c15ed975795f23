/** Calls to a node: in Node and in a browser. `support/app.ts` has the scripts. */
import type { Client, ClientOptions } from '../src/index.js';
import { equal, holds, thrown } from './support/check.js';

/** Makes a client of the app. */
export type Make = (options?: ClientOptions) => Client;
export type LiveRules = Record<string, (make: Make) => Promise<void>>;

interface Echo {
	method: string;
	params: Record<string, string>;
	query: Record<string, string>;
	body: unknown;
	token: string;
}

export const calls: LiveRules = {
	'a script has what was sent, and its answer comes back': async (make) => {
		const client = make({ token: 'mine' });
		const { data, status, executionId, requestId } = await client.answer<object, Echo>('PUT /echo/:id', { params: { id: 'a b/ü' }, query: { page: 2 }, body: { items: ['tea'] } });
		equal(data, { method: 'PUT', params: { id: 'a b/ü' }, query: { page: '2' }, body: { items: ['tea'] }, token: 'Bearer mine' });
		equal(status, 201);
		holds(executionId !== undefined && requestId !== undefined, 'it is named');
		const text = await client.call<string, Echo>('/echo/x', { body: 'plain ü' });
		equal([text.method, text.body], ['POST', 'plain ü']);
		const none = await client.call<never, Echo>('/echo/x');
		equal([none.method, none.body], ['GET', null]);
		equal(await client.call('/echo/x', { method: 'HEAD' }), undefined);
	},

	'bytes come back as they went': async (make) => {
		const bytes = Uint8Array.from({ length: 70_000 }, (_, at) => at % 251);
		const back = await make().call<Uint8Array<ArrayBuffer>, Blob>('/bytes', { body: bytes, headers: { 'content-type': 'application/octet-stream' } });
		equal([back instanceof Blob, back.type], [true, 'application/octet-stream']);
		equal(new Uint8Array(await back.arrayBuffer()).join(), bytes.join());
	},

	'what a script throws is an error with its body': async (make) => {
		const { status, code, body, executionId } = await thrown(() => make().call('/refused'));
		equal([status, code, body], [403, 'http_403', { reason: 'closed' }]);
		holds(executionId !== undefined, 'it is named');
	},

	'a script that fails, and a path that nobody answers, are the platform\'s to tell': async (make) => {
		const failed = await thrown(() => make().call('/broken'));
		equal([failed.name, failed.status, failed.code], ['PiCloudError', 422, 'script_error']);
		holds(failed.executionId !== undefined && failed.requestId !== undefined, 'it is named');
		const absent = await thrown(() => make().call('/nothing'));
		equal([absent.status, absent.code, absent.executionId], [404, 'not_found', undefined]);
		holds(absent.requestId !== undefined, 'it is named');
	},

	'what is refused for now is tried again by its key': async (make) => {
		const counter = Math.random().toString(36).slice(2);
		const client = make();
		equal(await client.call('POST /busy/:counter', { params: { counter }, idempotencyKey: 'once' }), { calls: 2 });
		const other = `${counter}-other`;
		equal((await thrown(() => client.call('POST /busy/:counter', { params: { counter: other } }))).status, 503);
	}
};
