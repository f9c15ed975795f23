/** A server that answers as it was planned to, badly where that is the plan. It has the page for the browser as well. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Asked, Planned, Step } from './plan.js';

export interface Served {
	base: string;
	stop(): Promise<void>;
}

/** `files`: what it has besides, by path. */
export async function serve(files: Record<string, { type: string; text: string }> = {}): Promise<Served> {
	const plans = new Map<string, Planned[]>();
	const asked = new Map<string, Asked[]>();
	const server = createServer((request, response) => {
		void answer(request, response).catch((cause: unknown) => response.destroy(cause as Error));
	});

	async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
		request.socket.setNoDelay(true);
		const url = new URL(request.url ?? '/', 'http://here');
		const at = url.searchParams.get('at') ?? '';
		const body = await text(request);
		if (url.pathname === '/_plan') {
			plans.set(at, JSON.parse(body) as Planned[]);
			response.end();
			return;
		}
		if (url.pathname === '/_asked') {
			response.setHeader('content-type', 'application/json');
			response.end(JSON.stringify(asked.get(at) ?? []));
			return;
		}
		const file = files[url.pathname];
		if (file !== undefined) {
			response.setHeader('content-type', file.type);
			response.end(file.text);
			return;
		}
		const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
		const noted: Asked = { at_ms: Date.now(), method: request.method ?? '', url: request.url ?? '', headers, body, left: false };
		asked.set(url.pathname, [...(asked.get(url.pathname) ?? []), noted]);
		response.on('close', () => (noted.left = !response.writableFinished));
		const left = plans.get(url.pathname) ?? [];
		const planned = left[0]?.always === true ? left[0] : left.shift();
		await play(planned ?? { status: 500, steps: [{ send: 'nothing is planned' }] }, response);
	}

	await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
	return {
		base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		stop: () =>
			new Promise((done) => {
				server.close(() => done());
				server.closeAllConnections();
			})
	};
}

async function play({ status = 200, headers = {}, steps }: Planned, response: ServerResponse): Promise<void> {
	response.writeHead(status, headers);
	response.flushHeaders();
	for (const step of steps) {
		if (response.destroyed) return;
		if (!(await one(step, response))) return;
	}
	response.end();
}

/** Whether it goes on. */
async function one(step: Step, response: ServerResponse): Promise<boolean> {
	if ('stall' in step) return false;
	if ('drop' in step) {
		// A browser throws away what came just before a connection breaks: it is to be had first.
		await new Promise((wake) => setTimeout(wake, 60));
		response.destroy();
		return false;
	}
	if ('wait_ms' in step) await new Promise((wake) => setTimeout(wake, step.wait_ms));
	else if ('fill' in step) await written(response, 'x'.repeat(step.fill));
	else if ('send' in step) await written(response, step.send);
	else {
		for (const byte of Buffer.from(step.bytes)) {
			await written(response, Buffer.of(byte));
			await new Promise((wake) => setImmediate(wake));
		}
	}
	return true;
}

function written(response: ServerResponse, piece: string | Buffer): Promise<void> {
	return new Promise((done) => response.write(piece, () => done()));
}

async function text(request: IncomingMessage): Promise<string> {
	const parts: Buffer[] = [];
	for await (const part of request) parts.push(part as Buffer);
	return Buffer.concat(parts).toString('utf8');
}
