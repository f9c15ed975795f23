import { expect, open, test } from './support/fixtures';
import { call } from './support/run';

const MANY = 10_000;
const AT_ONCE = 24;

test('ten thousand executions: only those that are seen are drawn, and scrolling stays fluid', async ({ page, api }) => {
	test.setTimeout(240_000);
	await api.post('/admin/apps', { slug: 'long', name: 'Long' });
	const script = await api.post('/admin/scripts', { app_id: 'long', name: 'count', source: 'ctx.request.params.n' });
	await api.post(`/admin/scripts/${script.id}/routes`, { method: 'GET', path: '/count/:n' });
	const began = Date.now();
	let next = 0;
	await Promise.all(
		Array.from({ length: AT_ONCE }, async () => {
			while (next < MANY) {
				const n = next++;
				for (;;) {
					const { status } = await call('long', `/count/${n}`);
					if (status === 200) break;
					expect(status, 'only a full node may refuse').toBe(503);
					await new Promise((wake) => setTimeout(wake, 100));
				}
			}
		})
	);
	console.log(`${MANY} calls in ${((Date.now() - began) / 1000).toFixed(1)} s`);

	await page.addInitScript(() => {
		const tasks: number[] = [];
		Object.assign(window, { tasks });
		new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
	});
	await open(page, '/apps/long/executions/list?since=1h');
	const list = page.getByRole('listbox', { name: /Executions/ });
	await expect(page.getByText(/^10\s000 executions\./)).toBeVisible({ timeout: 120_000 });

	const before = await page.evaluate(() => (window as unknown as { tasks: number[] }).tasks.length);
	await list.hover();
	const scrolled = Date.now();
	for (let step = 0; step < 120; step += 1) {
		await page.mouse.wheel(0, 1500);
		await page.waitForTimeout(16);
	}
	await list.focus();
	await page.keyboard.press('End');
	await expect(list.getByRole('option').last()).toHaveAttribute('aria-posinset', String(MANY));
	for (let step = 0; step < 40; step += 1) await page.keyboard.press('PageUp');
	await page.keyboard.press('Home');
	await expect(list.getByRole('option').first()).toHaveAttribute('aria-posinset', '1');

	const tasks = (await page.evaluate(() => (window as unknown as { tasks: number[] }).tasks)).slice(before);
	const sum = tasks.reduce((total, task) => total + task, 0);
	console.log(
		`scrolling ${MANY} rows for ${((Date.now() - scrolled) / 1000).toFixed(1)} s: ${tasks.length} long tasks, ` +
			`the longest ${Math.round(Math.max(0, ...tasks))} ms, together ${Math.round(sum)} ms`
	);
	// Times depend on the machine; how much is drawn does not.
	expect(await list.getByRole('option').count()).toBeLessThan(100);
	expect(await list.getByRole('option').first().getAttribute('aria-setsize')).toBe(String(MANY));
});
