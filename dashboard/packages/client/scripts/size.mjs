// What the client adds to a page that uses all of it, compressed. Fails where that is more than the bound, where the package
// needs another one, or where what was built cannot be used: loaded by Node, and by its types without those of a browser.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { build, transformWithEsbuild } from 'vite';

const MAX_KIB = 6;
const dist = new URL('../dist/', import.meta.url);
const fail = (words) => {
	console.error(words);
	process.exit(1);
};

await import('./build.mjs');
const { dependencies = {}, peerDependencies = {} } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const needed = [...Object.keys(dependencies), ...Object.keys(peerDependencies)];
if (needed.length > 0) fail(`the client needs other packages: ${needed.join(', ')}`);
for (const file of readdirSync(dist).filter((name) => name.endsWith('.js'))) {
	const foreign = [...readFileSync(new URL(file, dist), 'utf8').matchAll(/\bfrom '([^.'][^']*)'/g)].map(([, name]) => name);
	if (foreign.length > 0) fail(`${file} imports ${foreign.join(', ')}`);
}
const { createClient } = await import(new URL('index.js', dist).href);
execFileSync('tsc', ['-p', fileURLToPath(new URL('../tests/consumer', import.meta.url))], { stdio: 'inherit' });
if (typeof createClient({ baseUrl: 'http://localhost' }).subscribe !== 'function') fail('what was built makes no client');

const made = await build({
	configFile: false,
	logLevel: 'warn',
	build: { write: false, target: 'es2022', minify: 'esbuild', lib: { entry: fileURLToPath(new URL('index.js', dist)), formats: ['es'] } }
});
const { code } = made[0].output[0];
// In a library the bundler leaves white space; what a page's build takes away is taken away here as well.
const bytes = Buffer.from((await transformWithEsbuild(code, 'client.js', { minify: true, sourcemap: false, target: 'es2022' })).code);
const gzip = gzipSync(bytes, { level: 9 }).length;
const kib = (n) => `${(n / 1024).toFixed(1)} KiB`;
console.log(`@picloud/client ${kib(bytes.length)}, ${kib(gzip)} gzip`);
if (gzip > MAX_KIB * 1024) fail(`the client is more than ${MAX_KIB} KiB`);
