/** `npm run screenshots`: the main pages, of a node with some use behind it, into `screenshots/`. */
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { expect as assert, type Page } from '@playwright/test';
import type { Api, Thing } from './support/api';
import { open, settled, test, themed } from './support/fixtures';
import { reduced } from './support/png';
import { call, shop } from './support/run';

const DIR = 'screenshots';
const BYTES_MAX = 150 * 1024;
const TOTAL_MAX = 2 * 1024 * 1024;
/** Charts by the minute need some minutes. */
const MINUTES = Number(process.env['SCREENSHOT_MINUTES'] ?? 6);

const looks = {
	light: { theme: 'light', width: 1280, height: 800 },
	dark: { theme: 'dark', width: 1280, height: 800 },
	phone: { theme: 'light', width: 390, height: 844 }
} as const;

type Shot = [name: string, take: (page: Page, api: Api) => Promise<unknown>];

const script = (tab = '') => `/apps/shop/scripts/${shop().scripts.orders}${tab}`;
const first = async (api: Api, list: string) => (await api.get<{ items: Thing[] }>(list)).items[0]?.id ?? '';

const shots: Shot[] = [
	['apps', (page) => open(page, '/')],
	['overview', (page) => open(page, '/apps/shop')],
	[
		'editor',
		async (page) => {
			await open(page, script());
			const entry = page.getByRole('textbox', { name: 'Source of orders' });
			await entry.focus();
			await page.keyboard.press('Control+Home');
			for (let line = 0; line < 4; line += 1) await page.keyboard.press('ArrowDown');
			await page.keyboard.press('End');
			await page.keyboard.press('Enter');
			await page.keyboard.type('orders.');
			await assert(page.locator('.cm-tooltip-autocomplete')).toBeVisible();
			await page.waitForTimeout(700);
		}
	],
	[
		'test-call',
		async (page) => {
			await open(page, script('/test'));
			await page.getByLabel('Route', { exact: true }).selectOption('/orders/:id');
			await page.getByLabel('Method', { exact: true }).selectOption('POST');
			await page.getByLabel('id', { exact: true }).fill('4711');
			await page.getByLabel('Body', { exact: true }).selectOption({ label: 'JSON' });
			await page.getByLabel('Content of the body').fill('{"items": [{"name": "tea", "price": 12, "count": 2}]}');
			await page.getByRole('button', { name: 'Send', exact: true }).click();
			await assert(page.getByRole('region', { name: 'Result of the test call' })).toContainText('201');
		}
	],
	['routes', (page) => open(page, '/apps/shop/routes')],
	['triggers', (page) => open(page, '/apps/shop/triggers')],
	['schedule', (page) => open(page, '/apps/shop/triggers/new?kind=cron')],
	['dead-letter', async (page, api) => open(page, `/apps/shop/dead-letters/${await first(api, '/admin/apps/shop/dead_letters?source=queue')}`)],
	['log', (page) => open(page, '/apps/shop/executions')],
	['kv', (page) => open(page, '/apps/shop/kv?collection=settings')],
	['usage', (page) => open(page, '/apps/shop/usage?period=minute')],
	[
		'deployment',
		async (page, api) => {
			const { items } = await api.get<{ items: { deployment: number; message: string }[] }>('/admin/apps/shop/deployments');
			const { deployment } = items.find(({ message }) => message.includes('1000')) ?? { deployment: 5 };
			await open(page, `/apps/shop/deployments/${deployment}?against=${deployment - 1}`);
		}
	],
	[
		'palette',
		async (page) => {
			await open(page, '/apps/shop');
			await page.keyboard.press('Control+k');
			await page.getByRole('combobox', { name: 'Search' }).fill('de');
			await assert(page.getByRole('dialog').getByRole('option').first()).toBeVisible();
		}
	]
];

/** What a phone shows of these is worth a look; of the others it is the same in one column. */
const onPhones = new Set(['apps', 'overview', 'editor', 'test-call', 'dead-letter', 'log', 'usage']);

/** Other apps, so that the list is one. */
const others = [
	{ slug: 'sensors', name: 'Garden sensors', source: 'kv::collection("seen").increment("all")' },
	{ slug: 'blog', name: 'Blog', source: 'let page = ctx.request.query.get("page"); if page == "7" { throw "no such page" } #{ page: page }' }
];

test('some use', async ({ api }) => {
	test.setTimeout((MINUTES + 2) * 60_000);
	rmSync(DIR, { recursive: true, force: true });
	mkdirSync(DIR, { recursive: true });
	for (const { slug, name, source } of others) {
		await api.post('/admin/apps', { slug, name });
		const { id } = await api.post('/admin/scripts', { app_id: slug, name: 'main', source });
		await api.post(`/admin/scripts/${id}/routes`, { method: 'GET', path: '/' });
	}
	const end = Date.now() + MINUTES * 60_000;
	for (let round = 0; Date.now() < end; round += 1) {
		const many = 6 + Math.round(8 * (1 + Math.sin(round / 4)) + 6 * Math.random());
		for (let one = 0; one < many; one += 1) {
			const id = 100 + Math.floor(Math.random() * 60);
			const body = JSON.stringify({ items: [{ name: 'tea', price: 3 + (id % 20), count: 1 + (id % 3) }] });
			if (one % 4 === 0) await call('shop', `/orders/${id}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
			else await call('shop', `/orders/${id}`);
		}
		for (const { slug } of others) for (let one = 0; one < 1 + ((round + slug.length) % 5); one += 1) await call(slug, `/?page=${1 + Math.floor(Math.random() * 20)}`);
		if (round % 7 === 3) await call('shop', '/orders/1', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"items": 7}' });
		await new Promise((wake) => setTimeout(wake, 1500));
	}
});

for (const [look, { theme, width, height }] of Object.entries(looks)) {
	test.describe(look, () => {
		test.use({ viewport: { width, height }, colorScheme: theme, hasTouch: look === 'phone', isMobile: look === 'phone' });

		for (const [name, take] of shots) {
			if (look === 'phone' && !onPhones.has(name)) continue;
			test(name, async ({ page, api }) => {
				await themed(page, theme);
				await take(page, api);
				await settled(page);
				await page.waitForTimeout(400);
				const png = reduced(await page.screenshot({ animations: 'disabled', caret: 'hide' }));
				assert(png.length, `${name}-${look}.png`).toBeLessThanOrEqual(BYTES_MAX);
				writeFileSync(`${DIR}/${name}-${look}.png`, png);
			});
		}
	});
}

test('together they are small', () => {
	const total = readdirSync(DIR).reduce((sum, file) => sum + statSync(`${DIR}/${file}`).size, 0);
	console.log(`${readdirSync(DIR).length} pictures, ${Math.round(total / 1024)} KiB`);
	assert(total).toBeLessThanOrEqual(TOTAL_MAX);
});
