import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vitest/config';

declare const process: { env: Record<string, string | undefined> };

// The Host header stays the browser's (`changeOrigin: false`): the API compares it with Origin on every write.
const api = { target: process.env['PICLOUD_API'] ?? 'http://127.0.0.1:8081', changeOrigin: false };
const proxy = { '/api': api, '/version': api, '/healthz': api };

/**
 * What every page needs is one file; pages, the editor and what only some need are files of their own. Left to itself,
 * the bundler makes one for every part that two pages share: sixty requests, where HTTP/1.1 has six at a time.
 */
function chunk(id: string): string | undefined {
	if (/\/node_modules\/(svelte|@sveltejs|esm-env|clsx|devalue)\//.test(id)) return 'base';
	if (/\/src\/lib\/(ui|api|shell)\//.test(id) || /\/src\/lib\/[\w.]+\.ts$/.test(id)) return 'base';
	return undefined;
}

export default defineConfig({
	plugins: [sveltekit()],
	build: {
		// Nothing inlined as data: URLs, which `default-src 'self'` refuses.
		assetsInlineLimit: 0,
		rollupOptions: { output: { manualChunks: chunk } }
	},
	server: { proxy },
	preview: { proxy },
	test: { include: ['src/**/*.test.ts', 'packages/*/{src,tests}/**/*.test.ts'] }
});
