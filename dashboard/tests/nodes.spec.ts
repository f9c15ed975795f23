import type { Thing } from './support/api';
import { accessible } from './support/axe';
import { expect, open, test } from './support/fixtures';

interface Node extends Thing {
	name: string;
	roles: string[];
	version: string;
	schema: number;
}

test('the node of the instance is in the list, with what it is and does', async ({ page, api }) => {
	const { items } = await api.get<{ items: Node[] }>('/admin/nodes');
	expect(items).toHaveLength(1);
	const { name, roles, version, schema, admin, data } = items[0] as Node;
	expect(roles).toEqual(['ingress', 'api', 'workers']);

	await open(page, '/instance/nodes');
	await expect(page).toHaveTitle('Nodes · Instance · PiCloud');
	await expect(page.getByRole('navigation', { name: 'Instance' }).getByRole('link', { name: 'Nodes' })).toHaveAttribute('aria-current', 'page');
	const row = page.getByRole('table', { name: 'Nodes' }).getByRole('row').filter({ hasText: 'this one' });
	for (const text of [name, 'serving', roles.join(', '), version, `schema ${schema}`, String(admin), String(data)]) await expect(row).toContainText(text);
	await expect(page.getByText('1 node, serving')).toBeVisible();
	const another = page.getByRole('region', { name: 'Another node' });
	await expect(another.getByRole('group', { name: 'Command that starts another node' })).toContainText('picloud serve --node-name');
	await expect(page.getByRole('region', { name: 'This node' })).toContainText(name);
	await accessible(page, 'one node');
});

test('several nodes are told apart, and read again when one wants it', async ({ page }) => {
	// A private database has no company: what others would say stands beside what the node says itself.
	let others: Partial<Node>[] = [
		{ id: '01990a70-0001-7a10-8f3c-5e2d1c0b9a01', name: 'pi-2', state: 'draining', version: '0.0.9', schema: 3, roles: ['workers'], data: null },
		{ id: '01990a70-0001-7a10-8f3c-5e2d1c0b9a02', name: 'a-node-with-a-name-that-goes-on-for-as-long-as-it-may-be.example', state: 'silent' },
		{ id: '01990a70-0001-7a10-8f3c-5e2d1c0b9a03', name: 'pi-4', state: 'gone', seen_at: new Date(Date.now() - 20 * 60_000).toISOString() }
	];
	let own: Partial<Node> = { roles: ['ingress', 'api'] };
	await page.route('**/api/v1/admin/nodes', async (route) => {
		const response = await route.fetch();
		const { items } = (await response.json()) as { items: Node[] };
		const [first] = items;
		await route.fulfill({ response, json: { items: [{ ...first, ...own }, ...others.map((other) => ({ ...first, is_this: false, ...other }))], cursor: null } });
	});
	await open(page, '/instance/nodes');
	const nodes = page.getByRole('table', { name: 'Nodes' });
	await expect(nodes.getByRole('row')).toHaveCount(5);
	await expect(page.getByText('4 nodes: 1 serving, 1 draining, 1 silent, 1 gone')).toBeVisible();
	await expect(nodes.getByText('this one')).toHaveCount(1);
	await expect(nodes.getByRole('row', { name: /pi-2/ })).toContainText('data none');
	await expect(nodes.getByRole('row', { name: /pi-4/ })).toContainText('heard of 20 minutes ago');
	await expect(page.getByText('No node that serves has this role: workers, so events and schedules may wait.')).toBeVisible();
	await expect(page.getByText(/There are several versions: .*0\.0\.9 \(schema 3\)/)).toBeVisible();
	await expect(page.getByText('killed, cut off, or without power')).toBeVisible();
	await expect(page.getByRole('region', { name: 'Another node' })).toHaveCount(0);
	await accessible(page, 'several nodes');

	for (const width of [1280, 720, 390, 320]) {
		await page.setViewportSize({ width, height: 800 });
		// The table's frame clips: what is wider would be gone.
		const { wide, within } = await nodes.evaluate((table) => ({ wide: table.scrollWidth, within: table.parentElement?.clientWidth ?? 0 }));
		expect(wide, `the table at ${width}`).toBeLessThanOrEqual(within);
		expect(await page.evaluate(() => document.documentElement.scrollWidth), `the page at ${width}`).toBeLessThanOrEqual(width);
	}

	others = others.slice(1, 2).map((other) => ({ ...other, state: 'serving' }));
	own = {};
	await page.keyboard.press('r');
	await expect(page.getByText('2 nodes, all serving')).toBeVisible();
	await expect(page.getByText('No node that serves')).toHaveCount(0);
	others = [];
	await page.getByRole('button', { name: 'Refresh' }).click();
	await expect(page.getByText('1 node, serving')).toBeVisible();
});
