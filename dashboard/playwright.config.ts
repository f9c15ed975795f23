import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';

/**
 * The dashboard in a real browser, against a node of its own: `npm run test:e2e`. Needs the binary (PICLOUD, by default
 * `../target/debug/picloud`), its programs of PostgreSQL, and Chromium (CHROMIUM, or where systems have it).
 *
 * `npm run screenshots` runs the other project: it writes `screenshots/`.
 */
const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const chromium = process.env['CHROMIUM'] ?? places.find((place) => existsSync(place));

export default defineConfig({
	testDir: 'tests',
	outputDir: 'test-results',
	globalSetup: './tests/support/setup.ts',
	reporter: [['list'], ['./tests/support/tally.ts']],
	// One node and two cores: one page at a time, in the order of the files.
	workers: 1,
	timeout: 60_000,
	expect: { timeout: 10_000 },
	forbidOnly: process.env['CI'] !== undefined,
	use: {
		browserName: 'chromium',
		headless: true,
		viewport: { width: 1280, height: 800 },
		locale: 'en-GB',
		timezoneId: 'UTC',
		actionTimeout: 10_000,
		navigationTimeout: 20_000,
		trace: 'retain-on-failure',
		launchOptions: {
			...(chromium === undefined ? {} : { executablePath: chromium }),
			// As root, as in a container, Chromium's own sandbox does not start.
			chromiumSandbox: process.getuid?.() !== 0
		}
	},
	projects: [
		{ name: 'e2e', testMatch: '*.spec.ts' },
		{ name: 'client', testDir: 'packages/client/tests', testMatch: '*.spec.ts' },
		{ name: 'screenshots', testMatch: 'screenshots.shots.ts' }
	]
});
