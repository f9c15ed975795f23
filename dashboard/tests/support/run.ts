import { request } from 'node:http';
import type { Seeded } from './seed';

/** What the tests know of the node that was started for them. */
export interface Run {
	admin: string;
	data: string;
	token: string;
	/** The app that is there from the start. */
	shop?: Seeded;
}

const NAME = 'PICLOUD_PAGES_RUN';

/** The environment is what a worker gets of the process that set everything up. */
export function keep(run: Run): void {
	process.env[NAME] = JSON.stringify(run);
}

export function run(): Run {
	const kept = process.env[NAME];
	if (kept === undefined) throw new Error('no node was started');
	return JSON.parse(kept) as Run;
}

/** The app that was made before the tests. */
export function shop(): Seeded {
	const { shop: made } = run();
	if (made === undefined) throw new Error('nothing was made yet');
	return made;
}

export interface Answered {
	status: number;
	text: string;
}

/**
 * A public request to an app. By its host name, but to this machine: names below localhost are known to browsers, not to
 * every resolver, and `fetch` takes no Host header.
 */
export function call(slug: string, path: string, { method = 'GET', headers = {}, body = '' } = {}): Promise<Answered> {
	const url = new URL(path, run().data);
	return new Promise((done, failed) => {
		const asked = request(url, { method, headers: { ...headers, host: `${slug}.localhost:${url.port}` } }, (answer) => {
			const parts: Buffer[] = [];
			answer.on('data', (part: Buffer) => parts.push(part));
			answer.on('end', () => done({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }));
		});
		asked.on('error', failed);
		asked.end(body);
	});
}
