/** Server-sent events: text that comes in pieces, as events. Pure. */

export interface ServerEvent {
	/** The last id that was said, in this event or before it. */
	id: string;
	event: string;
	data: string;
}

/** Takes pieces as they come; gives the events that they end. As the HTML standard reads them. */
export class EventParser {
	/** How long the server asks to wait before the next connection. */
	retry_ms: number | null = null;
	/** For `Last-Event-ID`. */
	id = '';
	#rest = '';
	#event = '';
	#data: string[] = [];

	push(piece: string): ServerEvent[] {
		const events: ServerEvent[] = [];
		const text = this.#rest + piece;
		// A CR at the very end may be half of a line end.
		const whole = text.endsWith('\r') ? text.slice(0, -1) : text;
		const lines = whole.split(/\r\n|\r|\n/);
		this.#rest = (lines.pop() ?? '') + text.slice(whole.length);
		for (const line of lines) {
			const event = this.#line(line);
			if (event !== null) events.push(event);
		}
		return events;
	}

	#line(line: string): ServerEvent | null {
		if (line === '') return this.#dispatch();
		const colon = line.indexOf(':');
		if (colon === 0) return null;
		const name = colon === -1 ? line : line.slice(0, colon);
		const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
		if (name === 'event') this.#event = value;
		else if (name === 'data') this.#data.push(value);
		else if (name === 'id' && !value.includes('\0')) this.id = value;
		else if (name === 'retry' && /^\d+$/.test(value)) this.retry_ms = Number(value);
		return null;
	}

	#dispatch(): ServerEvent | null {
		const data = this.#data;
		const event = this.#event || 'message';
		this.#data = [];
		this.#event = '';
		return data.length === 0 ? null : { id: this.id, event, data: data.join('\n') };
	}
}

const WAIT_MIN_MS = 200;
const WAIT_MAX_MS = 5000;

/** How long to wait before try number `failed` (from 1): doubling, from 0.2 s to 5 s. */
export function waitMs(failed: number): number {
	return Math.min(WAIT_MAX_MS, WAIT_MIN_MS * 2 ** Math.max(0, Math.min(failed, 10) - 1));
}
