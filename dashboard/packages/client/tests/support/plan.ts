/** What the server of the tests is to answer, as data: its tests run in Node and in a browser, it always in Node. */

export type Step =
	| { send: string }
	/** Each byte by itself. */
	| { bytes: string }
	/** So many characters, in one line. */
	| { fill: number }
	| { wait_ms: number }
	/** The connection breaks, in the midst of the answer. */
	| { drop: true }
	/** Nothing more, and no end. */
	| { stall: true };

export interface Planned {
	status?: number;
	headers?: Record<string, string>;
	steps: Step[];
	/** This one is answered to all that come after it as well. */
	always?: boolean;
}

export interface Asked {
	at_ms: number;
	method: string;
	url: string;
	headers: Record<string, string>;
	body: string;
	/** The client went before the answer was at its end. */
	left: boolean;
}

/** Plans for a path of the server, and looks at what was asked there. */
export class Place {
	static #count = 0;

	private constructor(
		readonly base: string,
		readonly path: string
	) {}

	/** A path that nobody else asks. */
	static async at(base: string, path: string, planned: Planned[]): Promise<Place> {
		Place.#count += 1;
		const place = new Place(`${base}/${Place.#count}-${Math.random().toString(36).slice(2)}`, path);
		await fetch(`${base}/_plan?at=${encodeURIComponent(place.#at)}`, { method: 'PUT', body: JSON.stringify(planned) });
		return place;
	}

	get #at(): string {
		return new URL(this.base).pathname + this.path;
	}

	async asked(): Promise<Asked[]> {
		const { origin } = new URL(this.base);
		return (await (await fetch(`${origin}/_asked?at=${encodeURIComponent(this.#at)}`)).json()) as Asked[];
	}
}

/** A message as the server writes it. */
export function message(seq: number, message: unknown, topic = 'news'): string {
	const data = JSON.stringify({ topic, seq, message, published_at: '2026-01-02T03:04:05.678Z' });
	return `id: ${seq}\nevent: message\ndata: ${data}\n\n`;
}

export function event(name: string, data: unknown, id?: number): string {
	return `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}

export const STREAM = { 'content-type': 'text/event-stream' };

/** One stream of events. */
export function stream(...steps: (string | Step)[]): Planned {
	return { headers: STREAM, steps: steps.map((step) => (typeof step === 'string' ? { send: step } : step)) };
}

export function refused(status: number, code: string, headers: Record<string, string> = {}, more: object = {}): Planned {
	const error = { code, message: `This is ${code}.`, request_id: 'req-1', ...more };
	const send = JSON.stringify({ error });
	return { status, headers: { 'content-type': 'application/json', 'x-request-id': 'req-1', ...headers }, steps: [{ send }] };
}

export function json(value: unknown, headers: Record<string, string> = {}, status = 200): Planned {
	return { status, headers: { 'content-type': 'application/json', ...headers }, steps: [{ send: JSON.stringify(value) }] };
}
