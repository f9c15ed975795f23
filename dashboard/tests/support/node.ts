/** A node of its own for the tests: `picloud dev` in a directory that goes with it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const USERNAME = 'admin';
export const PASSWORD = 'correct horse battery staple';

/** Compiling the component in a debug build dominates a first start. */
const READY_WITHIN_MS = 180_000;
const ENDS_WITHIN_MS = 20_000;

export interface Node {
	/** Where the pages and the API are. */
	admin: string;
	/** Where scripts answer. */
	data: string;
	stop(): Promise<void>;
}

export async function startNode(): Promise<Node> {
	const binary = resolve(process.env['PICLOUD'] ?? '../target/debug/picloud');
	if (!existsSync(binary)) throw new Error(`${binary} is not there: build it (cargo build -p picloud), or name another by PICLOUD`);
	const dir = mkdtempSync(join(tmpdir(), 'picloud-pages-'));
	chmodSync(dir, 0o711); // PostgreSQL runs as another user when this one is root.
	const ready = join(dir, 'ready.json');
	const log = openSync(join(dir, 'server.log'), 'a');
	const words = () => readFileSync(join(dir, 'server.log'), 'utf8').split('\n').slice(-15).join('\n');
	const server = spawn(binary, ['dev', '--no-watch', '--no-logs', '--ready-file', ready], {
		cwd: dir,
		stdio: ['ignore', log, log],
		env: {
			PATH: process.env['PATH'],
			LANG: process.env['LANG'],
			HOME: dir,
			PICLOUD_DATA_DIR: join(dir, 'data'),
			PICLOUD_BIND: '127.0.0.1:0',
			PICLOUD_ADMIN_BIND: '127.0.0.1:0',
			PICLOUD_ADMIN_USERNAME: USERNAME,
			PICLOUD_ADMIN_PASSWORD: PASSWORD
		}
	});
	const began: ChildProcess[] = [server];
	const stop = async () => {
		for (const child of began.reverse()) await ended(child);
		rmSync(dir, { recursive: true, force: true });
	};
	try {
		await until(() => existsSync(ready) && readFileSync(ready, 'utf8').trim() !== '', READY_WITHIN_MS, server, words);
		const { admin, data } = JSON.parse(readFileSync(ready, 'utf8')) as { admin: string; data: string };
		if (process.env['PICLOUD_PAGES'] !== 'preview') return { admin, data, stop };
		const preview = await startPreview(admin);
		began.push(preview.child);
		return { admin: preview.url, data, stop };
	} catch (failure) {
		await stop();
		throw failure;
	}
}

/** The last `npm run build` before that node's API, instead of the pages in the binary: while one works on them. */
async function startPreview(admin: string): Promise<{ child: ChildProcess; url: string }> {
	const port = await freePort();
	const child = spawn('npx', ['vite', 'preview', '--host', '127.0.0.1', '--port', String(port), '--strictPort'], {
		stdio: 'ignore',
		detached: true, // A group: npx has children, and they end with it.
		env: { ...process.env, PICLOUD_API: admin }
	});
	const url = `http://127.0.0.1:${port}`;
	await until(() => fetch(`${url}/healthz`).then(({ ok }) => ok, () => false), 30_000, child, () => 'vite preview');
	return { child, url };
}

async function until(done: () => boolean | Promise<boolean>, within_ms: number, child: ChildProcess, words: () => string): Promise<void> {
	const since = Date.now();
	while (!(await done())) {
		if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${words()}`);
		if (Date.now() - since > within_ms) throw new Error(`not ready after ${within_ms} ms:\n${words()}`);
		await new Promise((wake) => setTimeout(wake, 50));
	}
}

/** Ctrl-C, and no more patience than is fair. */
async function ended(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.pid === undefined) return;
	const gone = new Promise<void>((done) => child.once('exit', () => done()));
	const group = child.spawnargs[0] === 'npx' ? -child.pid : child.pid;
	process.kill(group, 'SIGINT');
	const timer = setTimeout(() => process.kill(group, 'SIGKILL'), ENDS_WITHIN_MS);
	await gone;
	clearTimeout(timer);
}

function freePort(): Promise<number> {
	return new Promise((found, failed) => {
		const server = createServer();
		server.once('error', failed);
		server.listen(0, '127.0.0.1', () => {
			const address = server.address();
			server.close(() => (typeof address === 'object' && address !== null ? found(address.port) : failed(new Error('no port'))));
		});
	});
}
