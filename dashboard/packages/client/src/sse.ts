import { EVENT_CHARS_MAX, LINE_CHARS_MAX } from './limits.js';

/** One event of a stream. */
export interface ServerEvent {
	/** The last id that was said, in this event or before it. */
	id: string;
	event: string;
	data: string;
}

/** A line or an event is longer than the bound. */
export class TooLong extends Error {
	override readonly name = 'TooLong';
}

/** Takes the bytes of a `text/event-stream` as they come; gives the events that they end. As the HTML standard reads them. */
export class EventParser {
	/** How long the server asks to wait before the next connection. */
	retryMs: number | null = null;
	/** For `Last-Event-ID`: the last one that an empty line confirmed. */
	id = '';
	/** Takes the byte order mark away, and puts characters together that were cut. */
	readonly #decoder = new TextDecoder();
	/** A line without its end, in the pieces that came: joined once, however small they are. */
	#pieces: string[] = [];
	#chars = 0;
	/** The last piece ended with CR: an LF at the start of the next one is of the same line end. */
	#afterCr = false;
	#nextId: string | null = null;
	#event = '';
	#data: string[] = [];
	#dataChars = 0;

	push(bytes: Uint8Array): ServerEvent[] {
		const events: ServerEvent[] = [];
		let text = this.#decoder.decode(bytes, { stream: true });
		if (text === '') return events;
		if (this.#afterCr && text.startsWith('\n')) text = text.slice(1);
		this.#afterCr = text.endsWith('\r');
		const ends = /\r\n|\r|\n/g;
		let from = 0;
		for (let end = ends.exec(text); end !== null; end = ends.exec(text)) {
			const event = this.#line(this.#joined(text.slice(from, end.index)));
			if (event !== null) events.push(event);
			from = ends.lastIndex;
		}
		this.#keep(text.slice(from));
		return events;
	}

	#keep(piece: string): void {
		if (piece === '') return;
		this.#chars += piece.length;
		if (this.#chars > LINE_CHARS_MAX) throw new TooLong(`a line is longer than ${LINE_CHARS_MAX} characters`);
		this.#pieces.push(piece);
	}

	#joined(last: string): string {
		this.#keep(last);
		const line = this.#pieces.length === 1 ? (this.#pieces[0] ?? '') : this.#pieces.join('');
		this.#pieces = [];
		this.#chars = 0;
		return line;
	}

	#line(line: string): ServerEvent | null {
		if (line === '') return this.#dispatch();
		const colon = line.indexOf(':');
		if (colon === 0) return null;
		const name = colon === -1 ? line : line.slice(0, colon);
		const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
		if (name === 'data') this.#add(value);
		else if (name === 'event') this.#event = value;
		else if (name === 'id' && !value.includes('\0')) this.#nextId = value;
		else if (name === 'retry' && /^\d{1,9}$/.test(value)) this.retryMs = Number(value);
		return null;
	}

	#add(value: string): void {
		// One for the line end between two lines.
		this.#dataChars += value.length + (this.#data.length === 0 ? 0 : 1);
		if (this.#dataChars > EVENT_CHARS_MAX) throw new TooLong(`an event is longer than ${EVENT_CHARS_MAX} characters`);
		this.#data.push(value);
	}

	#dispatch(): ServerEvent | null {
		const data = this.#data;
		const event = this.#event || 'message';
		this.id = this.#nextId ?? this.id;
		this.#data = [];
		this.#dataChars = 0;
		this.#event = '';
		return data.length === 0 ? null : { id: this.id, event, data: data.join('\n') };
	}
}
