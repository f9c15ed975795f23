/** A picture of a page with 256 colours at most: a third of the bytes, and nobody sees it. */
import { deflateSync, inflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const COLOURS_MAX = 256;

/** Takes what Chromium writes: 8 bits a channel, RGB or RGBA that is opaque, not interlaced. */
export function reduced(png: Buffer): Buffer {
	const { width, height, pixels } = decoded(png);
	const { palette, index } = chosen(pixels);
	const rows = Buffer.alloc(height * (width + 1));
	for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) rows[y * (width + 1) + x + 1] = index.get(pixels[y * width + x] ?? 0) ?? 0;
	const head = Buffer.alloc(13);
	head.writeUInt32BE(width, 0);
	head.writeUInt32BE(height, 4);
	head.set([8, 3, 0, 0, 0], 8);
	const colours = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]));
	const data = deflateSync(rows, { level: 9, memLevel: 9 });
	return Buffer.concat([SIGNATURE, chunk('IHDR', head), chunk('PLTE', colours), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]);
}

/** Pixels as 0xRRGGBB. */
function decoded(png: Buffer): { width: number; height: number; pixels: Uint32Array } {
	const width = png.readUInt32BE(16);
	const height = png.readUInt32BE(20);
	const bytes = png[25] === 6 ? 4 : 3;
	if (png[24] !== 8 || (png[25] !== 2 && png[25] !== 6) || png[28] !== 0) throw new Error('a PNG of another kind');
	const parts: Buffer[] = [];
	for (let at = 8; at < png.length; ) {
		const length = png.readUInt32BE(at);
		if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + length));
		at += length + 12;
	}
	const raw = inflateSync(Buffer.concat(parts));
	const line = width * bytes;
	const pixels = new Uint32Array(width * height);
	let above = Buffer.alloc(line);
	for (let y = 0; y < height; y += 1) {
		const filter = raw[y * (line + 1)] ?? 0;
		const row = Buffer.from(raw.subarray(y * (line + 1) + 1, (y + 1) * (line + 1)));
		for (let i = 0; i < line; i += 1) {
			const left = i >= bytes ? (row[i - bytes] ?? 0) : 0;
			const up = above[i] ?? 0;
			const corner = i >= bytes ? (above[i - bytes] ?? 0) : 0;
			row[i] = (row[i] ?? 0) + [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter]!;
		}
		for (let x = 0; x < width; x += 1) pixels[y * width + x] = row.readUIntBE(x * bytes, 3);
		above = row;
	}
	return { width, height, pixels };
}

function paeth(left: number, up: number, corner: number): number {
	const guess = left + up - corner;
	const [l, u, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
	return l <= u && l <= c ? left : u <= c ? up : corner;
}

/** The most frequent colours, and for each other one the nearest of them. */
function chosen(pixels: Uint32Array): { palette: number[]; index: Map<number, number> } {
	const counts = new Map<number, number>();
	for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
	const sorted = [...counts].sort(([, one], [, other]) => other - one).map(([colour]) => colour);
	const palette = sorted.slice(0, COLOURS_MAX);
	const index = new Map(palette.map((colour, at) => [colour, at]));
	for (const colour of sorted.slice(COLOURS_MAX)) {
		let best = 0;
		let least = Infinity;
		palette.forEach((other, at) => {
			const far = ((colour >> 16) - (other >> 16)) ** 2 + (((colour >> 8) & 255) - ((other >> 8) & 255)) ** 2 + ((colour & 255) - (other & 255)) ** 2;
			if (far < least) [best, least] = [at, far];
		});
		index.set(colour, best);
	}
	return { palette, index };
}

function chunk(name: string, data: Buffer): Buffer {
	const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
	const length = Buffer.alloc(4);
	length.writeUInt32BE(data.length);
	const sum = Buffer.alloc(4);
	sum.writeUInt32BE(crc(body));
	return Buffer.concat([length, body, sum]);
}

function crc(bytes: Buffer): number {
	let sum = 0xffffffff;
	for (const byte of bytes) {
		sum ^= byte;
		for (let bit = 0; bit < 8; bit += 1) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
	}
	return (sum ^ 0xffffffff) >>> 0;
}
