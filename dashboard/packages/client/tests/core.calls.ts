/** Calls against a server: in Node and in a browser. */
import { createClient, limits, type CallOptions } from '../src/index.js';
import { equal, fast, holds, thrown, until, type Rules } from './support/check.js';
import { Place, json, refused, type Planned } from './support/plan.js';

/** A client of a path that answers as planned, and the path. */
async function planned(base: string, answers: Planned[], options: object = {}, path = '/orders') {
	const place = await Place.at(base, path, answers);
	return { place, client: createClient({ baseUrl: place.base, ...options }) };
}

async function asked(place: Place) {
	const [first] = await place.asked();
	if (first === undefined) throw new Error('nobody asked');
	return first;
}

export const calls: Rules = {
	'JSON goes out and comes in, with what stands around it': async (base) => {
		const ids = { 'picloud-execution-id': 'exe-1', 'x-request-id': 'req-1' };
		const { place, client } = await planned(base, [json({ total: 7.5 }, ids, 201)]);
		const { data, status, executionId, requestId, headers } = await client.answer('/orders', { body: { items: [1, 'ü'] } });
		equal({ data, status, executionId, requestId }, { data: { total: 7.5 }, status: 201, executionId: 'exe-1', requestId: 'req-1' });
		equal(headers.get('content-type'), 'application/json');
		const { method, body, headers: sent } = await asked(place);
		equal({ method, body: JSON.parse(body), type: sent['content-type'] }, { method: 'POST', body: { items: [1, 'ü'] }, type: 'application/json' });
		equal(sent.authorization, undefined);
	},

	'a body is JSON whatever its value; left out it is none': async (base) => {
		for (const [body, sent, method] of [[null, 'null', 'POST'], [false, 'false', 'POST'], [0, '0', 'POST'], [undefined, '', 'GET']] as const) {
			const { place, client } = await planned(base, [json(null)]);
			equal(await client.call('/orders', { body }), null);
			const found = await asked(place);
			equal([found.body, found.method], [sent, method]);
		}
	},

	'text, bytes and forms go as they are': async (base) => {
		const bodies: [CallOptions['body'], string, string][] = [
			['plain ü', 'plain ü', 'text/plain;charset=UTF-8'],
			[new Blob(['{}'], { type: 'image/png' }), '{}', 'image/png'],
			[new TextEncoder().encode('bytes'), 'bytes', 'undefined'],
			[new TextEncoder().encode('buffer').buffer, 'buffer', 'undefined'],
			[new URLSearchParams({ a: '1 2' }), 'a=1+2', 'application/x-www-form-urlencoded;charset=UTF-8']
		];
		for (const [body, text, type] of bodies) {
			const { place, client } = await planned(base, [json(1)]);
			await client.call('/orders', { body });
			const { body: sent, headers } = await asked(place);
			equal([sent, String(headers['content-type'])], [text, type]);
		}
	},

	'an answer is what its content type says': async (base) => {
		const answer = (type: string | null, send: string, status = 200): Planned => ({ status, headers: type === null ? {} : { 'content-type': type }, steps: send === '' ? [] : [{ send }] });
		const read = async (planned_: Planned, method: 'GET' | 'HEAD' = 'GET') => (await planned(base, [planned_])).client.call('/orders', { method });
		equal(await read(answer('application/problem+json; charset=utf-8', '{"a":1}')), { a: 1 });
		equal(await read(answer('APPLICATION/JSON', '[2]')), [2]);
		equal(await read(answer('text/html', '{"a":1}')), '{"a":1}');
		equal(await read(answer('text/plain', '')), '');
		equal(await read(answer('application/json', '')), undefined);
		equal(await read(answer(null, '', 204)), undefined);
		equal(await read(answer('application/json', ''), 'HEAD'), undefined);
		const blob = (await read(answer('application/octet-stream', 'abc'))) as Blob;
		equal([blob instanceof Blob, await blob.text()], [true, 'abc']);
	},

	'what says that it is JSON and is not is an error': async (base) => {
		const { client } = await planned(base, [{ headers: { 'content-type': 'application/json', 'x-request-id': 'r' }, steps: [{ send: '{"a":' }] }]);
		const { name, code, status, body, requestId } = await thrown(() => client.call('/orders'));
		equal({ name, code, status, body, requestId }, { name: 'PiCloudError', code: 'invalid_answer', status: 200, body: '{"a":', requestId: 'r' });
	},

	'parameters stand in the path and in the query, each as itself': async (base) => {
		const { place, client } = await planned(base, [json(1)], {}, '/a/1%2F2%3F/files/x%20y/z');
		const query = { q: 'ä&b', page: 2, on: true, no: undefined, many: ['1', 2] };
		await client.call('PUT /a/:id/files/*', { params: { id: '1/2?', '*': 'x y/z' }, query });
		const { url, method } = await asked(place);
		equal([method, new URL(url, base).search], ['PUT', '?q=%C3%A4%26b&page=2&on=true&many=1&many=2']);
	},

	'a parameter cannot lead elsewhere': async (base) => {
		const { client } = await planned(base, []);
		for (const id of ['', '.', '..']) equal((await thrown(() => client.call('/a/:id', { params: { id } }))).name, 'TypeError', id);
		for (const rest of ['../x', 'a//b', 'a/./b']) equal((await thrown(() => client.call('/a/*', { params: { '*': rest } }))).name, 'TypeError', rest);
		equal((await thrown(() => client.call('/a/:id', { params: {} }))).name, 'TypeError');
		equal((await thrown(() => client.call('/a/:toString', { params: {} }))).name, 'TypeError');
		equal((await thrown(() => client.call('a', {}))).name, 'TypeError');
		equal((await thrown(() => client.call('/a', { method: 'GET', body: 1 }))).message, 'GET takes no body');
	},

	'the platform\'s refusal is told in full': async (base) => {
		const headers = { 'picloud-execution-id': 'exe-9', 'retry-after': '7' };
		const { client } = await planned(base, [refused(507, 'fuel_exhausted', headers, { details: { line: 3 } })]);
		const error = await thrown(() => client.call('/orders', { retries: 0 }));
		const { name, status, code, message, requestId, executionId, retryAfterMs, details, body } = error;
		const wanted = { name: 'PiCloudError', status: 507, code: 'fuel_exhausted', message: 'This is fuel_exhausted.', requestId: 'req-1', executionId: 'exe-9', retryAfterMs: 7000, details: { line: 3 }, body: undefined };
		equal({ name, status, code, message, requestId, executionId, retryAfterMs, details, body }, wanted);
	},

	'a refusal of a script keeps its body': async (base) => {
		const read = async (answer: Planned) => {
			const { code, status, body } = await thrown(async () => (await planned(base, [answer])).client.call('/orders'));
			return { code, status, body };
		};
		equal(await read(json({ error: 'no such order' }, {}, 404)), { code: 'http_404', status: 404, body: { error: 'no such order' } });
		equal(await read({ status: 500, steps: [{ send: '<h1>bad</h1>' }] }), { code: 'http_500', status: 500, body: '<h1>bad</h1>' });
		equal(await read({ status: 400, steps: [] }), { code: 'http_400', status: 400, body: undefined });
	},

	'of a refusal no more is read than the bound': async (base) => {
		const max = limits.REFUSAL_BYTES_MAX;
		for (const [fill, read] of [[max - 1, max - 1], [max, max], [max + 1, max]] as const) {
			const { client } = await planned(base, [{ status: 400, steps: [{ fill }] }]);
			equal(String((await thrown(() => client.call('/orders'))).body).length, read);
		}
		// One that does not end is not waited for.
		const { client } = await planned(base, [{ status: 400, steps: [{ fill: max }, { stall: true }] }]);
		equal(String((await thrown(() => client.call('/orders'))).body).length, max);
	},

	'a read that is refused for now is tried again, after what the server says': async (base) => {
		const clock = fast(100);
		const { place, client } = await planned(base, [refused(503, 'overloaded', { 'retry-after': '3' }), refused(429, 'rate_limited', { 'retry-after': '1' }), json('done')], { clock });
		equal(await client.call('/orders'), 'done');
		const [, second, third] = clock.waits.map((wait) => Math.round(wait));
		equal([second, third], [3750, 1250]);
		const [first, next] = await place.asked();
		holds((next?.at_ms ?? 0) - (first?.at_ms ?? 0) >= 29, 'it waits as long as it says');
	},

	'tries are bounded': async (base) => {
		for (const retries of [0, 1, limits.RETRIES_MAX]) {
			const { place, client } = await planned(base, [{ ...refused(503, 'overloaded'), always: true }], { clock: fast(1000) });
			equal((await thrown(() => client.call('/orders', { retries }))).code, 'overloaded');
			equal((await place.asked()).length, retries + 1);
		}
		const { place, client } = await planned(base, [{ ...refused(503, 'overloaded'), always: true }], { clock: fast(1000) });
		for (const retries of [-1, limits.RETRIES_MAX + 1, 1.5, NaN]) equal((await thrown(() => client.call('/orders', { retries }))).name, 'RangeError');
		equal((await place.asked()).length, 0);
		await thrown(() => client.call('/orders'));
		equal((await place.asked()).length, limits.RETRIES_DEFAULT + 1);
	},

	'what may have done something is tried again only with a key': async (base) => {
		for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
			const { place, client } = await planned(base, [refused(503, 'overloaded'), json(1)], { clock: fast(1000) });
			equal((await thrown(() => client.call('/orders', { method }))).code, 'overloaded', method);
			equal((await place.asked()).length, 1);
		}
		for (const key of [{ idempotencyKey: 'k-1' }, { headers: { 'Idempotency-Key': 'k-1' } }]) {
			const { place, client } = await planned(base, [refused(503, 'overloaded'), json(1)], { clock: fast(1000) });
			equal(await client.call('/orders', { body: { a: 1 }, ...key }), 1);
			equal((await place.asked()).map(({ headers, body }) => [headers['idempotency-key'], body]), [['k-1', '{"a":1}'], ['k-1', '{"a":1}']]);
		}
	},

	'nothing but 429 and 503 is tried again': async (base) => {
		// Nor 408, but a browser asks again by itself when it is answered that.
		for (const status of [400, 404, 425, 500, 502, 504]) {
			const { place, client } = await planned(base, [refused(status, 'no'), json(1)], { clock: fast(1000) });
			equal((await thrown(() => client.call('/orders'))).status, status);
			equal((await place.asked()).length, 1);
		}
	},

	'a wait that is longer than the bound, or than the time there is, is not begun': async (base) => {
		const ask = async (seconds: number, timeoutMs: number) => {
			const clock = fast(10_000, { patience: [timeoutMs] });
			const { place, client } = await planned(base, [refused(503, 'overloaded', { 'retry-after': String(seconds) }), json('done')], { clock });
			const answer = await client.call('/orders', { timeoutMs }).catch(({ code }: { code: string }) => code);
			return [answer, (await place.asked()).length];
		};
		const max = limits.RETRY_AFTER_MS_MAX / 1000;
		equal(await ask(max, limits.TIMEOUT_MS_MAX), ['done', 2]);
		equal(await ask(max + 1, limits.TIMEOUT_MS_MAX), ['overloaded', 1]);
		equal(await ask(max / 2, (max / 2) * 1000), ['overloaded', 1]);
	},

	'an answer that does not come, or does not end, is a timeout': async (base) => {
		for (const steps of [[{ stall: true }], [{ send: '{' }, { stall: true }]] as Planned['steps'][]) {
			const { place, client } = await planned(base, [{ headers: { 'content-type': 'application/json' }, steps }]);
			const { code, status, name } = await thrown(() => client.call('/orders', { timeoutMs: 80 }));
			equal({ code, status, name }, { code: 'timeout', status: 0, name: 'PiCloudError' });
			await until(async () => (await asked(place)).left, 'the request is given up');
		}
		const { client } = await planned(base, [{ ...json(1), always: true }]);
		for (const timeoutMs of [0, -1, limits.TIMEOUT_MS_MAX + 1, Infinity]) equal((await thrown(() => client.call('/orders', { timeoutMs }))).name, 'RangeError');
		equal(await client.call('/orders', { timeoutMs: limits.TIMEOUT_MS_MAX }), 1);
	},

	'a call that is given up throws what its signal says, also between tries': async (base) => {
		const { place, client } = await planned(base, [{ steps: [{ stall: true }] }]);
		const giving = new AbortController();
		const failing = thrown(() => client.call('/orders', { signal: giving.signal }));
		await until(async () => (await place.asked()).length === 1, 'it is asked');
		giving.abort(new Error('enough'));
		equal((await failing).message, 'enough');
		await until(async () => (await asked(place)).left, 'the request is given up');

		const waiting = await planned(base, [refused(503, 'overloaded', { 'retry-after': '60' })]);
		const leaving = new AbortController();
		const left = thrown(() => waiting.client.call('/orders', { signal: leaving.signal, timeoutMs: 600_000 }));
		await until(async () => (await waiting.place.asked()).length === 1, 'it waits for the next try');
		leaving.abort();
		equal((await left).name, 'AbortError');

		const never = await planned(base, []);
		equal((await thrown(() => never.client.call('/orders', { signal: AbortSignal.abort() }))).name, 'AbortError');
		equal((await never.place.asked()).length, 0);
	},

	'a server that is not there, or goes in the midst, is unreachable': async (base) => {
		const { client } = await planned(base, [{ headers: { 'content-type': 'application/json' }, steps: [{ send: '{' }, { drop: true }] }]);
		equal((await thrown(() => client.call('/orders'))).code, 'unreachable');
		const { code, status, cause } = await thrown(() => createClient({ baseUrl: 'http://127.0.0.1:9' }).call('/'));
		equal([code, status, cause instanceof Error], ['unreachable', 0, true]);
	},

	'a token is a bearer, asked for with each try; a header of the call goes before it': async (base) => {
		let asked_ = 0;
		const token = () => Promise.resolve(`t${(asked_ += 1)}`);
		const { place, client } = await planned(base, [refused(503, 'overloaded'), { ...json(1), always: true }], { token, clock: fast(1000), headers: { 'x-a': '1', 'x-b': '1' } });
		await client.call('/orders', { headers: { 'x-b': '2' } });
		await client.call('/orders', { headers: { authorization: 'Basic x' } });
		const found = (await place.asked()).map(({ headers }) => [headers.authorization, headers['x-a'], headers['x-b']]);
		equal(found, [['Bearer t1', '1', '2'], ['Bearer t2', '1', '2'], ['Basic x', '1', '1']]);
		const failing = await planned(base, [], { token: () => Promise.reject(new Error('logged out')) });
		equal((await thrown(() => failing.client.call('/orders'))).message, 'logged out');
		const fixed = await planned(base, [json(1)], { token: 'abc' });
		await fixed.client.call('/orders');
		equal((await asked(fixed.place)).headers.authorization, 'Bearer abc');
	}
};
