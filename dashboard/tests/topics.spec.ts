import { createClient } from '../packages/client/src/index';
import { local } from '../packages/client/tests/support/fetch';
import { Api } from './support/api';
import { accessible } from './support/axe';
import { expect, open, test } from './support/fixtures';
import { run } from './support/run';

test.beforeAll(async () => {
	const { admin, token } = run();
	await new Api(admin, token).post('/admin/apps', { slug: 'radio', name: 'Radio' });
});

test('a topic is registered, subscribed to with a token, and closed again', async ({ page }) => {
	await open(page, '/apps/radio/topics');
	await expect(page.getByText('No topics yet')).toBeVisible();
	await accessible(page, 'no topics');
	const toast = (text: string) => expect(page.getByText(text)).toBeVisible();
	const row = page.getByRole('row', { name: /news\.all/ });
	const more = async (action: string) => {
		await row.getByRole('button', { name: 'More about news.all' }).click();
		await page.getByRole('menuitem', { name: action }).click();
	};

	await page.keyboard.press('n');
	const register = page.getByRole('dialog', { name: 'Register a topic' });
	await register.getByLabel('Topic').fill('news.all');
	await register.getByLabel('Who may subscribe').selectOption('With a token');
	await accessible(page, 'a topic to be registered');
	await register.getByRole('button', { name: 'Register topic' }).click();
	const how = page.getByRole('dialog', { name: 'Subscribing to news.all' });
	await expect(how.getByRole('group', { name: 'In a terminal' })).toContainText('/realtime/topics/news.all');
	await expect(how.getByRole('group', { name: 'In a program or a page' })).toContainText('{ token }');
	await accessible(page, 'how to subscribe');
	await page.keyboard.press('Escape');
	await expect(row).toContainText('with a token');

	await page.getByRole('button', { name: 'New token' }).click();
	const making = page.getByRole('dialog', { name: 'New token for a subscriber' });
	await expect(making.getByLabel('Topics')).toHaveValue('news.all');
	await making.getByLabel('Topics').fill('news.*');
	await making.getByLabel('Good').selectOption('For ten minutes');
	await accessible(page, 'a token to be made');
	await making.getByRole('button', { name: 'Make token' }).click();
	const told = page.getByRole('dialog', { name: 'A token for news.*' });
	const token = (await told.getByRole('group', { name: 'Token' }).textContent()) ?? '';
	expect(token).toMatch(/^picr_[0-9a-f]{64}$/);
	await page.keyboard.press('Escape'); // Not closed by accident.
	await told.getByRole('button', { name: 'I have copied it' }).click();
	await expect(page.locator('body')).not.toContainText(token);
	const good = page.getByRole('row', { name: /news\.\*/ });
	await expect(good).toContainText('admin');

	const radio = createClient({ baseUrl: `http://radio.localhost:${new URL(run().data).port}`, fetch: local });
	const heard: unknown[] = [];
	const subscription = radio.subscribe('news.all', { token, onMessage: ({ message }) => heard.push(message) });
	await expect.poll(() => subscription.state).toBe('live');
	await row.getByRole('button', { name: 'Publish to news.all' }).click();
	const publishing = page.getByRole('dialog', { name: 'Publish a message' });
	await publishing.getByLabel('Message').fill('{"song": "first"}');
	await publishing.getByRole('button', { name: 'Publish', exact: true }).click();
	await toast('The message is published to news.all.');
	await expect.poll(() => heard).toEqual([{ song: 'first' }]);

	await good.getByRole('button', { name: 'Take back the token for news.*' }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Take back' }).click();
	await toast('The token is taken back.');
	await expect(good).toHaveCount(0);
	expect(await subscription.ended).toMatchObject({ status: 401 });

	await more('Who may subscribe');
	const changing = page.getByRole('dialog', { name: 'Who may subscribe to news.all' });
	await changing.getByLabel('Who may subscribe').selectOption('Everybody');
	await expect(changing).toContainText('can be read by anybody');
	await changing.getByRole('button', { name: 'Save' }).click();
	await expect(how.getByRole('group', { name: 'In a terminal' })).not.toContainText('$TOKEN');
	await page.keyboard.press('Escape');
	await expect(how).toBeHidden();
	await expect(row).toContainText('everybody');
	await accessible(page, 'topics');

	await more('Take back its registration');
	const closing = page.getByRole('dialog', { name: 'Take back the registration of news.all' });
	await closing.getByLabel('Name').fill('news.all');
	await closing.getByRole('button', { name: 'Take back' }).click();
	await toast('news.all is for triggers alone.');
	await expect(row).toContainText('nobody');
});
