import { appNav, instanceNav, meNav } from '../src/lib/shell/nav';
import type { Thing } from './support/api';
import { accessible } from './support/axe';
import { expect, open, settled, test, themed } from './support/fixtures';
import { shop } from './support/run';

const kinds = ['kv', 'docs', 'files', 'cron', 'pubsub', 'queue', 'email', 'dead_letter'];
const own = ['/', ...meNav.map(({ href }) => href), ...instanceNav.map(({ href }) => href)];
const app = appNav.flatMap(({ items }) => items).map(({ path }) => `/apps/shop${path === '' ? '' : `/${path}`}`);
const deeper = ['executions/list', 'triggers/new', ...kinds.map((kind) => `triggers/new?kind=${kind}`)].map((path) => `/apps/shop/${path}`);
const script = ['', '/test', '/versions', '/executions', '/settings'];

for (const theme of ['light', 'dark'] as const) {
	test.describe(`every page, ${theme}`, () => {
		test.beforeEach(({ page }) => themed(page, theme));

		for (const path of [...own, ...app, ...deeper]) {
			test(path, async ({ page }) => {
				await open(page, path);
				await expect(page).toHaveTitle(/ · PiCloud$/);
				await accessible(page, path);
			});
		}

		test('one of each: a dead letter, an execution, a trigger, a deployment', async ({ page, api }) => {
			const first = async (list: string) => (await api.get<{ items: Thing[] }>(list)).items[0]?.id ?? '';
			const trigger = await first('/admin/apps/shop/triggers');
			const letter = await first('/admin/apps/shop/dead_letters');
			const execution = await first(`/admin/scripts/${shop().scripts.orders}/executions`);
			for (const path of [`dead-letters/${letter}`, `executions/${execution}`, `triggers/${trigger}`, 'deployments/3']) {
				await open(page, `/apps/shop/${path}`);
				await accessible(page, path);
			}
		});

		for (const tab of script) {
			test(`script${tab}`, async ({ page }) => {
				await open(page, `/apps/shop/scripts/${shop().scripts.orders}${tab}`);
				await expect(page).toHaveTitle(/ · PiCloud$/);
				await accessible(page, `script${tab}`);
			});
		}
	});
}

test.describe('a page that is not there', () => {
	test.use({ refusals: [404] });

	test('says so inside the shell', async ({ page }) => {
		await page.goto('/apps/nobody');
		await settled(page);
		await expect(page.getByRole('alert').first()).toContainText('no such app');
		await accessible(page, 'not there');
	});
});
