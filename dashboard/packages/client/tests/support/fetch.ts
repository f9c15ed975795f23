/**
 * As `fetch`, but to this machine by the app's host name: names below localhost are known to browsers, not to every resolver, and
 * `fetch` takes no Host header.
 */
import { request } from 'node:http';
import { Readable } from 'node:stream';

export const local: typeof fetch = (input, init) => {
	const asked = new Request(input, init);
	const url = new URL(asked.url);
	const headers = { ...Object.fromEntries(asked.headers), host: url.host };
	return new Promise((done, failed) => {
		const out = request(`http://127.0.0.1:${url.port}${url.pathname}${url.search}`, { method: asked.method, headers }, (answer) => {
			const status = answer.statusCode ?? 0;
			const pairs = Object.entries(answer.headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)] as [string, string]]));
			const body = [204, 304].includes(status) || asked.method === 'HEAD' ? null : (Readable.toWeb(answer) as ReadableStream<Uint8Array>);
			done(new Response(body, { status, headers: pairs }));
		});
		out.on('error', failed);
		// What the answer still has to say ends with it.
		asked.signal.addEventListener('abort', () => out.destroy(asked.signal.reason as Error));
		asked.arrayBuffer().then((body) => out.end(Buffer.from(body)), failed);
	});
};
