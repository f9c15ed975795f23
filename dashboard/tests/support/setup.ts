import { startNode, PASSWORD, USERNAME } from './node';
import { Api } from './api';
import { keep } from './run';
import { seed } from './seed';

/** Before all tests: the node, a login on it, and an app with something of everything. What it returns ends the node. */
export default async function setup(): Promise<() => Promise<void>> {
	const node = await startNode();
	try {
		const api = await Api.login(node.admin, USERNAME, PASSWORD);
		const known = { admin: node.admin, data: node.data, token: api.token };
		keep(known);
		keep({ ...known, shop: await seed(api) });
	} catch (failure) {
		await node.stop();
		throw failure;
	}
	return node.stop;
}
