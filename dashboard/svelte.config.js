import adapter from '@sveltejs/adapter-static';

/** @type {import('@sveltejs/kit').Config} */
export default {
	kit: {
		// Beside every file its compressed forms, of which the server gives the one that a browser takes.
		adapter: adapter({ fallback: 'index.html', precompress: true }),
		// A fixed name keeps equal sources at equal output; nothing polls for a newer one.
		version: { name: '0.1.0', pollInterval: 0 },
		csp: {
			mode: 'hash',
			// `frame-ancestors` is not allowed in a meta tag: the server's header adds it.
			directives: {
				'default-src': ['self'],
				'style-src-elem': ['self'],
				// The one style attribute there is: SvelteKit's own, on the region that tells screen readers of a new page.
				'style-src-attr': ['unsafe-hashes', 'sha256-S8qMpvofolR8Mpjy4kQvEm7m1q8clzU4dfDH0AmvZjo='],
				'object-src': ['none'],
				'base-uri': ['none'],
				'form-action': ['self']
			}
		}
	}
};
