// What a browser has to load before the first page works: the script and style files that the start and the layouts and
// the heaviest page need, compressed. Fails where that is more than the bound. Reads what `npm run build` left.
import { readFile } from 'node:fs/promises';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const MAX_KIB = 250;
const out = new URL('../.svelte-kit/output/client/', import.meta.url);
const manifest = JSON.parse(await readFile(new URL('.vite/manifest.json', out), 'utf8'));

/** All files that a chunk imports, itself included; what it loads later is not among them. */
function needed(key, found = new Set()) {
	const chunk = manifest[key];
	if (chunk === undefined || found.has(chunk.file)) return found;
	found.add(chunk.file);
	for (const css of chunk.css ?? []) found.add(css);
	for (const next of chunk.imports ?? []) needed(next, found);
	return found;
}

const sizes = new Map();
async function sizeOf(file) {
	if (!sizes.has(file)) {
		const bytes = await readFile(new URL(file, out));
		const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length;
		sizes.set(file, { raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length, brotli });
	}
	return sizes.get(file);
}

async function sum(files) {
	const total = { files: 0, raw: 0, gzip: 0, brotli: 0 };
	for (const file of files) {
		const size = await sizeOf(file);
		total.files += 1;
		for (const kind of ['raw', 'gzip', 'brotli']) total[kind] += size[kind];
	}
	return total;
}

const kib = (bytes) => `${(bytes / 1024).toFixed(1).padStart(7)} KiB`;
const show = (name, { files, raw, gzip, brotli }) =>
	console.log(`${name.padEnd(28)} ${String(files).padStart(3)} files ${kib(raw)} ${kib(gzip)} gzip ${kib(brotli)} brotli`);

const keys = Object.keys(manifest);
const start = keys.filter((key) => /(client\/entry\.js|client-optimized\/app\.js|generated\/client\/app\.js)$/.test(key));
const nodes = keys.filter((key) => /\/nodes\/\d+\.js$/.test(key)).sort((a, b) => parseInt(a.match(/(\d+)\.js$/)[1], 10) - parseInt(b.match(/(\d+)\.js$/)[1], 10));
if (start.length < 2 || nodes.length < 4) {
	console.error('the manifest is not as expected: build first (npm run build)');
	process.exit(1);
}

const all = new Set();
for (const key of start) needed(key, all);
// Nodes 0 to 3 are the layouts and error pages.
const layouts = nodes.slice(0, 4);
for (const key of layouts) needed(key, all);
const base = await sum(all);
show('start and layouts', base);

let worst = { gzip: 0 };
for (const key of nodes.slice(4)) {
	const more = await sum([...needed(key)].filter((file) => !all.has(file)));
	if (more.gzip > worst.gzip) worst = { ...more, key };
}
show('and the heaviest page', worst);
const first = { files: base.files + worst.files, raw: base.raw + worst.raw, gzip: base.gzip + worst.gzip, brotli: base.brotli + worst.brotli };
show('first load, at most', first);
show('everything', await sum(keys.flatMap((key) => [manifest[key].file, ...(manifest[key].css ?? [])]).filter((f, i, a) => a.indexOf(f) === i)));

if (first.gzip > MAX_KIB * 1024) {
	console.error(`the first load is more than ${MAX_KIB} KiB`);
	process.exit(1);
}
