import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vitest/config';

// The Host header stays the browser's (`changeOrigin: false`): the API compares it with Origin on every write.
const api = { target: 'http://127.0.0.1:8081', changeOrigin: false };

export default defineConfig({
	plugins: [sveltekit()],
	build: {
		// Nothing inlined as data: URLs, which `default-src 'self'` refuses.
		assetsInlineLimit: 0
	},
	server: { proxy: { '/api': api, '/version': api, '/healthz': api } },
	test: { include: ['src/**/*.test.ts'] }
});
