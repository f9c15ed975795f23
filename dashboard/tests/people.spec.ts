import { Api } from './support/api';
import { accessible } from './support/axe';
import { expect, nobody, open, test } from './support/fixtures';
import { run } from './support/run';

const SECRET = 'a sentence that nobody knows';

test('a key is shown once, works, and ends when it is deleted', async ({ page }) => {
	await open(page, '/me/keys');
	await page.getByRole('button', { name: 'New key' }).click();
	const dialog = page.getByRole('dialog', { name: 'New API key' });
	await dialog.getByLabel('Name').fill('deploy from CI');
	await dialog.getByRole('checkbox', { name: 'log:read' }).check();
	await accessible(page, 'a new key');
	await dialog.getByRole('button', { name: 'Make key' }).click();

	const told = page.getByRole('dialog', { name: 'The key deploy from CI' });
	const token = (await told.getByRole('group', { name: 'Token' }).textContent()) ?? '';
	expect(token).toMatch(/^pic_[0-9a-f]{76}$/);
	await page.keyboard.press('Escape'); // Not closed by accident.
	await expect(told).toBeVisible();
	const key = new Api(run().admin, token);
	expect(await key.get('/admin/auth/me')).toMatchObject({ credential: 'api_key', scopes: ['script:read', 'script:write', 'log:read'] });
	await told.getByRole('button', { name: 'I have copied it' }).click();
	await expect(page.locator('body')).not.toContainText(token);
	await expect(page.getByRole('row', { name: /deploy from CI/ })).toContainText(token.slice(0, 16));
	await page.reload();
	await expect(page.getByRole('row', { name: /deploy from CI/ })).toBeVisible();
	await expect(page.locator('body')).not.toContainText(token);

	await page.getByRole('button', { name: 'Delete deploy from CI' }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Delete key' }).click();
	await expect(page.getByRole('row', { name: /deploy from CI/ })).toHaveCount(0);
	await expect(key.get('/admin/auth/me')).rejects.toThrow('401');
});

test('somebody new: a first password told once, a login, an end', async ({ page, browser }) => {
	await open(page, '/instance/users');
	await page.getByRole('button', { name: 'New user' }).click();
	await page.getByRole('dialog').getByLabel('Username').fill('cyd@example.com');
	await page.getByRole('dialog').getByRole('button', { name: 'Add person' }).click();
	const told = page.getByRole('dialog', { name: 'Password of cyd@example.com' });
	const password = (await told.getByRole('group', { name: 'Password' }).textContent()) ?? '';
	await told.getByRole('button', { name: 'I have copied it' }).click();
	await expect(page.getByRole('row', { name: /cyd@example.com/ })).toContainText('member');

	const theirs = await browser.newContext({ baseURL: run().admin, storageState: { cookies: [], origins: [] } });
	const other = await theirs.newPage();
	await other.goto('/me');
	await other.getByLabel('Username').fill('cyd@example.com');
	await other.getByLabel('Password').fill(password);
	await other.getByRole('button', { name: 'Log in' }).click();
	await expect(other.getByText('The apps that you are a member of.')).toBeVisible();

	const menu = page.getByRole('row', { name: /cyd@example.com/ }).getByRole('button', { name: /Actions/ });
	await menu.click();
	await page.getByRole('menuitem', { name: 'Suspend' }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Suspend' }).click();
	await expect(page.getByRole('row', { name: /cyd@example.com/ })).toContainText('suspended');
	await other.getByRole('link', { name: 'Sessions' }).first().click();
	await expect(other.getByRole('heading', { name: 'Log in to PiCloud' })).toBeVisible();
	await theirs.close();

	await menu.click();
	await page.getByRole('menuitem', { name: 'Delete' }).click();
	const confirm = page.getByRole('dialog', { name: 'Delete cyd@example.com' });
	await expect(confirm.getByRole('button', { name: 'Delete user' })).toBeDisabled();
	await confirm.getByLabel('Name').fill('cyd@example.com');
	await confirm.getByRole('button', { name: 'Delete user' }).click();
	await expect(page.getByRole('row', { name: /cyd@example.com/ })).toHaveCount(0);
});

test.describe('one’s own', () => {
	test.use({ ...nobody, refusals: [401, 422] });

	test('other logins end, and a password is changed', async ({ page, api }) => {
		await api.post('/admin/users', { username: 'dee@example.com', password: SECRET, role: 'member' });
		await page.goto('/me/sessions');
		await page.getByLabel('Username').fill('dee@example.com');
		await page.getByLabel('Password').fill('not this one, for sure');
		await page.getByRole('button', { name: 'Log in' }).click();
		await expect(page.getByRole('alert')).toContainText('the password is wrong');
		await page.getByLabel('Password').fill(SECRET);
		await page.getByRole('button', { name: 'Log in' }).click();
		await expect(page.getByText('this one', { exact: true })).toBeVisible();

		const elsewhere = await Api.login(run().admin, 'dee@example.com', SECRET);
		await page.reload();
		await expect(page.getByRole('row')).toHaveCount(3);
		await page.getByRole('button', { name: 'End all others' }).click();
		await page.getByRole('dialog').getByRole('button', { name: 'End them' }).click();
		await expect(page.getByRole('row')).toHaveCount(2);
		await expect(elsewhere.get('/admin/auth/me')).rejects.toThrow('401');

		await page.getByRole('link', { name: 'Profile' }).first().click();
		await page.getByLabel('Current password').fill(SECRET);
		await page.getByLabel('New password', { exact: true }).fill('short');
		await page.getByLabel('New password again').fill('short');
		await page.getByRole('button', { name: 'Change password' }).click();
		await expect(page.getByLabel('New password', { exact: true })).toHaveAttribute('aria-invalid', 'true');
		await page.getByLabel('New password', { exact: true }).fill(`${SECRET}, still`);
		await page.getByLabel('New password again').fill(`${SECRET}, still`);
		await page.getByRole('button', { name: 'Change password' }).click();
		await expect(page.getByText('Password changed.')).toBeVisible();
		await Api.login(run().admin, 'dee@example.com', `${SECRET}, still`);
	});
});

test('the audit log tells before and after, and how to check it', async ({ page, api }) => {
	await api.post('/admin/apps', { slug: 'renamed', name: 'Before' });
	await api.patch('/admin/apps/renamed', { name: 'Afterwards' });
	await open(page, '/instance/audit');
	await page.getByLabel('Search').fill('app.update');
	await page.getByRole('button', { name: /Show entry/ }).first().click();
	const diff = page.getByRole('group', { name: /Before and after/ });
	await expect(diff.getByRole('row', { name: /removed/ }).filter({ hasText: 'Before' })).toBeVisible();
	await expect(diff.getByRole('row', { name: /added/ }).filter({ hasText: 'Afterwards' })).toBeVisible();
	await accessible(page, 'an audit entry');
	await page.getByRole('button', { name: 'Check the log' }).click();
	await expect(page.getByRole('dialog')).toContainText(/picloud audit verify --expect [0-9a-f]{64}/);
	await api.delete('/admin/apps/renamed');
});

test('limits are found by words, and the address keeps them', async ({ page }) => {
	await open(page, '/instance/limits');
	await page.getByLabel('Search').fill('dead letter kept');
	await page.getByLabel('Search').press('Enter');
	await expect(page.getByRole('row')).toHaveCount(3);
	await expect(page.getByRole('row', { name: /dead_letter_keep_s/ })).toContainText('90 d');
	await page.reload();
	await expect(page.getByRole('row')).toHaveCount(3);
});
