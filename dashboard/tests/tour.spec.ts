import { accessible } from './support/axe';
import { create, publish, write } from './support/editor';
import { expect, nobody, test } from './support/fixtures';
import { call } from './support/run';

const WRONG = `let name = ctx.request.params.name;
#{ hello: name +
`;
const GREET = `let name = ctx.request.params.get("name") ?? "world";
log::info("greeted", #{ name: name });
let visits = kv::collection("visits").increment(name);
#{ hello: name, visits: visits }
`;
const BILL = `let bill = ctx.event.queue.message;
log::info("a bill came", #{ total: bill.total });
if bill.total > 100 { throw \`too much: \${bill.total}\`; }
kv::collection("bills").set(bill.order, bill.total);
`;

test.describe('the tour', () => {
	// 401 before the login; 422 of a source that does not parse, where the check answers so.
	test.use({ ...nobody, refusals: [401, 422] });
	test.setTimeout(150_000);

	test('from the login to a rollback', async ({ page, context }) => {
		await context.grantPermissions(['clipboard-read', 'clipboard-write']);
		const toast = (text: string | RegExp) => expect(page.getByText(text).first()).toBeVisible();
		const heading = (name: string) => expect(page.getByRole('heading', { level: 1, name, exact: true })).toBeVisible();
		const into = async (name: string) => {
			await page.getByRole('navigation', { name: 'App' }).getByRole('link', { name, exact: true }).click();
			await heading(name);
		};

		await test.step('log in', async () => {
			await page.goto('/');
			await page.getByLabel('Username').fill('admin');
			await page.getByLabel('Password').fill('correct horse battery staple');
			await page.getByRole('button', { name: 'Log in' }).click();
			await heading('Apps');
		});

		await test.step('make an app', async () => {
			await page.getByRole('button', { name: 'New app' }).click();
			const dialog = page.getByRole('dialog', { name: 'New app' });
			await dialog.getByLabel('Name').fill('My first app');
			await expect(dialog.getByLabel('Slug')).toHaveValue('my-first-app');
			await dialog.getByLabel('Slug').fill('tour');
			await dialog.getByRole('button', { name: 'Create app' }).click();
			await expect(page).toHaveURL(/\/apps\/tour$/);
			await heading('My first app');
		});

		await test.step('write a script: the mistake is shown at its line', async () => {
			await into('Scripts');
			await create(page, 'greet', WRONG);
			const mistake = page.getByRole('button', { name: /^[23]:?\d* / });
			await expect(mistake).toBeVisible();
			await expect(page.locator('.cm-lint-marker-error')).toHaveCount(1);
			await accessible(page, 'a mistake in the editor');
			await expect(page.getByText('1 mistake')).toBeVisible();
			await mistake.click();
			await expect(page.getByRole('textbox', { name: 'Source of greet' })).toBeFocused();
		});

		await test.step('mend and publish it', async () => {
			await write(page, 'greet', GREET);
			await expect(page.getByText('no mistakes found')).toBeVisible();
			await expect(page.locator('.cm-lint-marker-error')).toHaveCount(0);
			await publish(page, 2);
		});

		await test.step('call it to see what it does', async () => {
			const panel = page.getByRole('region', { name: 'Test call', exact: true });
			await panel.getByRole('button', { name: 'Send', exact: true }).click();
			const result = page.getByRole('region', { name: 'Result of the test call' });
			await expect(result).toContainText('200');
			await expect(result).toContainText('greeted');
			await expect(result).toContainText('increment');
			await accessible(page, 'a test call');
		});

		await test.step('lead a path to it', async () => {
			await into('Routes');
			await page.getByRole('button', { name: 'New route' }).first().click();
			const dialog = page.getByRole('dialog', { name: 'New route' });
			await dialog.getByLabel('Path').fill('/greet/:name');
			await expect(dialog).toContainText('Nothing answers it yet');
			await dialog.getByRole('button', { name: 'Add route' }).click();
			await expect(page.getByRole('row', { name: /\/greet\/:name/ })).toContainText('greet');
			const answer = await call('tour', '/greet/ada');
			expect(answer).toMatchObject({ status: 200 });
			expect(JSON.parse(answer.text)).toMatchObject({ hello: 'ada', visits: 1 });
		});

		await test.step('have a script run on messages of a queue', async () => {
			await into('Scripts');
			await create(page, 'bill', BILL);
			await expect(page.getByText('no mistakes found')).toBeVisible();
			await publish(page, 2);
			await into('Triggers');
			await page.getByRole('link', { name: 'New trigger' }).first().click();
			await page.getByRole('navigation', { name: 'Kinds of triggers' }).getByRole('link', { name: /^Queue/ }).click();
			await page.getByLabel('Queue', { exact: true }).fill('bills');
			await page.getByLabel('Script', { exact: true }).selectOption('bill');
			await page.getByLabel('Attempts', { exact: true }).fill('2');
			await page.getByLabel('First wait').fill('50');
			await accessible(page, 'a new trigger');
			await page.getByRole('button', { name: 'Create trigger' }).click();
			await toast('The trigger is active.');
			await heading('bills');
		});

		await test.step('a message that it cannot handle becomes a dead letter', async () => {
			await into('Queues');
			await page.getByRole('button', { name: 'Send a message' }).first().click();
			const dialog = page.getByRole('dialog', { name: 'Send a message' });
			await dialog.getByLabel('Queue').fill('bills');
			await dialog.getByLabel('Message').fill('{"order": "17", "total": 250}');
			await dialog.getByRole('button', { name: 'Send', exact: true }).click();
			await toast('The message is in bills.');
			await into('Dead letters');
			await expect(async () => {
				await page.reload();
				await expect(page.getByRole('row', { name: /too much: 250/ })).toBeVisible({ timeout: 1000 });
			}).toPass({ timeout: 20_000 });
			await page.getByRole('row', { name: /too much: 250/ }).getByRole('link').first().click();
			await heading('bills');
			await expect(page.getByRole('region', { name: 'Event' })).toContainText('250');
			await expect(page.getByRole('region', { name: 'Attempts' })).toContainText('Attempt 2');
			await expect(page.getByRole('region', { name: 'Log of attempt 2' })).toContainText('a bill came');
			await accessible(page, 'a dead letter');
		});

		const letter = page.url();

		await test.step('mend the script, and have it delivered again', async () => {
			await page.getByRole('link', { name: 'bill', exact: true }).first().click();
			await write(page, 'bill', BILL.replace('> 100', '> 1000'));
			await expect(page.getByText('no mistakes found')).toBeVisible();
			await publish(page, 3);
			await page.goto(letter);
			await page.getByRole('button', { name: 'Replay', exact: true }).click();
			await expect(page.getByText('replayed', { exact: true })).toBeVisible();
			await into('KV');
			await expect(async () => {
				await page.reload();
				await page.getByRole('link', { name: /bills/ }).first().click({ timeout: 1000 });
				await expect(page.getByText('17', { exact: true }).first()).toBeVisible({ timeout: 1000 });
			}).toPass({ timeout: 20_000 });
		});

		await test.step('a version that is worse is taken back', async () => {
			await into('Scripts');
			await page.getByRole('row', { name: /greet/ }).getByRole('link').first().click();
			await write(page, 'greet', '#{ hello: "nobody" }\n');
			await expect(page.getByText('no mistakes found')).toBeVisible();
			await publish(page, 3);
			expect(JSON.parse((await call('tour', '/greet/ada')).text)).toEqual({ hello: 'nobody' });
			await page.getByRole('navigation', { name: 'Script' }).getByRole('link', { name: 'Versions' }).click();
			await page.getByRole('button', { name: 'Activate version 2' }).click();
			const back = page.getByRole('dialog', { name: 'Back to version 2' });
			await expect(back).toContainText('nobody');
			await accessible(page, 'a rollback');
			await back.getByRole('button', { name: 'Roll back to version 2' }).click();
			await toast('Version 2 is active.');
			await expect(async () => expect(JSON.parse((await call('tour', '/greet/ada')).text)).toMatchObject({ hello: 'ada' })).toPass({ timeout: 10_000 });
		});
	});
});
