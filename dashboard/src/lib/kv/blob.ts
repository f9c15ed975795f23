/** Bytes as people read and write them. Pure. */

export type Form = 'text' | 'hex' | 'base64';

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
	const binary = atob(text.replace(/\s+/g, ''));
	const bytes = new Uint8Array(binary.length);
	for (let at = 0; at < binary.length; at += 1) bytes[at] = binary.charCodeAt(at);
	return bytes;
}

export function toBase64(bytes: Uint8Array): string {
	let binary = '';
	for (const byte of bytes) binary += String.fromCharCode(byte);
	return btoa(binary);
}

/** As UTF-8, or null where it is none, or holds what no editor shows. */
export function asText(bytes: Uint8Array): string | null {
	try {
		const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
		// An editor makes one line end of the other, and drops NUL.
		return /[\0\r]/.test(text) ? null : text;
	} catch {
		return null;
	}
}

/** Pairs of digits, sixteen on a line. */
export function toHex(bytes: Uint8Array): string {
	const lines: string[] = [];
	for (let at = 0; at < bytes.length; at += 16) {
		lines.push([...bytes.subarray(at, at + 16)].map((byte) => byte.toString(16).padStart(2, '0')).join(' '));
	}
	return lines.join('\n');
}

/** With the place of each line and what of it can be printed: for reading. */
export function dump(bytes: Uint8Array): string {
	const lines: string[] = [];
	for (let at = 0; at < bytes.length; at += 16) {
		const part = bytes.subarray(at, at + 16);
		const hex = [...part].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
		const shown = [...part].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
		lines.push(`${at.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${shown}`);
	}
	return lines.join('\n');
}

/** What was typed, as bytes; or why it is none. */
export function written(text: string, form: Form): { bytes: Uint8Array; wrong: null } | { bytes: null; wrong: string } {
	if (form === 'text') return { bytes: new TextEncoder().encode(text), wrong: null };
	const dense = text.replace(/\s+/g, '');
	if (form === 'hex') {
		const bad = /[^\da-fA-F]/.exec(dense);
		if (bad) return { bytes: null, wrong: `${bad[0]} is no hex digit: 0 to 9 and a to f.` };
		if (dense.length % 2 === 1) return { bytes: null, wrong: 'A byte is two digits: one is missing.' };
		return { bytes: Uint8Array.from(dense.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)), wrong: null };
	}
	try {
		return { bytes: fromBase64(dense), wrong: null };
	} catch {
		return { bytes: null, wrong: 'This is no base64: A to Z, a to z, 0 to 9, + and /, filled up with =.' };
	}
}

/** Bytes in a form; null where it cannot show them. */
export function shown(bytes: Uint8Array, form: Form): string | null {
	if (form === 'text') return asText(bytes);
	return form === 'hex' ? toHex(bytes) : toBase64(bytes);
}
