/** A shop with something of everything, as an app has after some use: for the pages that need to show something. */
import type { Api, Thing } from './api';
import { call } from './run';

export interface Seeded {
	slug: string;
	scripts: { orders: string; bill: string; report: string; tax: string };
}

const TAX = `// What the state takes, in hundredths.
export const RATE = 20;

fn of(net) { net * global::RATE / 100 }
`;

const ORDERS = `// Takes an order, or shows one.
import "tax" as tax;

let orders = kv::collection("orders");

fn total_of(items) {
    let sum = 0;
    for item in items { sum += item.price * item.count; }
    sum
}

if ctx.request.method == "GET" {
    let order = orders.get(ctx.request.params.id);
    if order == () {
        log::warn("no such order", #{ id: ctx.request.params.id });
        throw #{ statusCode: 404, body: #{ error: "no such order" } };
    }
    return order;
}

let net = total_of(ctx.request.body.items);
let order = #{ items: ctx.request.body.items, net: net, tax: tax::of(net), paid: false };
orders.set(ctx.request.params.id, order);
docs::collection("customers").create(#{ order: ctx.request.params.id, net: net, at: time::now() });
queue::send("bills", #{ order: ctx.request.params.id, total: net + tax::of(net) });
log::info("order accepted", #{ id: ctx.request.params.id, net: net });
#{ statusCode: 201, body: order }
`;

const BILL = `// Writes the bill of an order. More than 1000 is checked by a person.
let message = ctx.event.queue.message;
log::info("to be billed", message);
if message.total > 1000 { throw \`too much: \${message.total}\`; }
kv::collection("bills").set(message.order, #{ total: message.total, at: ctx.event.time });
log::info("billed", #{ order: message.order });
`;

const REPORT = `// Every morning: what came in.
let open = kv::collection("orders").list(#{ limit: 100 }).items.filter(|entry| !entry.value.paid);
log::info("orders that are not paid", #{ count: open.len() });
pubsub::publish("reports.daily", #{ open: open.len() });
`;

export async function seed(api: Api): Promise<Seeded> {
	const slug = 'shop';
	const app = `/admin/apps/${slug}`;
	await api.post('/admin/apps', { slug, name: 'The shop' });
	const script = (name: string, source: string, more: object = {}) => api.post('/admin/scripts', { app_id: slug, name, source, ...more });
	const tax = await script('tax', TAX, { kind: 'module', description: 'What the state takes' });
	const orders = await script('orders', ORDERS, { description: 'Takes orders and shows them', message: 'orders are kept' });
	const bill = await script('bill', BILL.replaceAll('1000', '500'), { description: 'Writes the bill of an order', message: 'first bills' });
	const report = await script('report', REPORT, { description: 'What came in, every morning' });
	await api.put(`/admin/scripts/${bill.id}`, { source: BILL, message: 'only above 1000 is too much' });

	await api.post(`/admin/scripts/${orders.id}/routes`, { method: 'POST', path: '/orders/:id' });
	await api.post(`/admin/scripts/${orders.id}/routes`, { method: 'GET', path: '/orders/:id' });
	await api.post(`/admin/scripts/${report.id}/routes`, { method: 'GET', path: '/reports/*', dispatch_mode: 'async' });
	await api.post(`${app}/triggers/queue`, { script_id: bill.id, queue: 'bills', max_attempts: 2, base_delay_ms: 50 });
	await api.post(`${app}/triggers/cron`, { script_id: report.id, schedule: '0 30 6 * * MON-FRI', timezone: 'Europe/Vienna' });
	await api.post(`${app}/triggers/pubsub`, { script_id: bill.id, topic: 'orders.*', max_attempts: 1 });
	await api.post(`${app}/triggers/kv`, { script_id: report.id, collection: 'settings', ops: ['update'] });

	await data(api, app);
	await api.post(`${app}/domains`, { host: 'shop.example.com' });
	await api.post('/admin/users', { username: 'ada@example.com', password: 'another horse, another staple', role: 'member' });
	await api.put(`${app}/members/ada@example.com`, { role: 'editor' });
	await traffic(slug);
	await settled(api, app);
	return { slug, scripts: { orders: orders.id, bill: bill.id, report: report.id, tax: tax.id } };
}

async function data(api: Api, app: string): Promise<void> {
	const entries: [string, string, unknown, object?][] = [
		['settings', 'currency', 'EUR'],
		['settings', 'shipping', { free_from: 50, price: 4.9 }],
		['settings', 'opening', ['09:00', '18:00']],
		['carts', 'a81f', { items: 3, customer: 'bob' }, { ttl_s: 86_400 }],
		['carts', 'b20c', { items: 1, customer: 'cyd' }, { ttl_s: 3600 }]
	];
	for (const [collection, key, value, more] of entries) await api.put(`${app}/kv/${collection}/${key}`, { value, ...more });
	const people = [
		{ name: 'Ada', city: 'London', born: 1815, tags: ['math', 'poetry'] },
		{ name: 'Bob', city: 'Paris', born: 1990, tags: [] },
		{ name: 'Cyd', city: 'Vienna', born: 1984, tags: ['chess'], address: { street: 'Ring 1', zip: '1010' } }
	];
	for (const person of people) await api.post(`${app}/docs/people`, { id: person.name.toLowerCase(), data: person });
	await api.upload('shop', 'invoices', '2026/0001.txt', 'text/plain', 'Invoice 1\n41.50 EUR\n');
	await api.upload('shop', 'invoices', '2026/0002.json', 'application/json', '{"total": 12}');
	await api.put(`${app}/secrets/payment-key`, { value: 'not a real key' });
	await api.put(`${app}/secrets/mail-in`, { value: 'not a real key either' });
	await api.patch(`${app}/grants`, { http: ['api.example.com'] });
	for (const order of [1, 2, 3]) await api.post(`${app}/queues/later/messages`, { message: { order }, delay_s: 86_400 });
	await api.post(`${app}/topics/orders.paid/messages`, { message: { order: 17, paid: true } });
}

/** Orders that go well, some that are not there, and two bills that are too much. */
async function traffic(slug: string): Promise<void> {
	const order = (id: number, price: number) =>
		call(slug, `/orders/${id}`, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ items: [{ name: 'tea', price, count: 2 }] })
		});
	for (let id = 1; id <= 24; id += 1) await order(id, id === 9 || id === 17 ? 600 : 5 + id);
	for (let id = 1; id <= 60; id += 1) await call(slug, `/orders/${1 + (id % 26)}`);
	await call(slug, '/orders/99', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"items": 7}' });
	await call(slug, '/reports/today');
}

/** Until everything that was sent is handled, or dead. */
async function settled(api: Api, app: string): Promise<void> {
	const since = Date.now();
	while (Date.now() - since < 20_000) {
		const { items } = await api.get<{ items: Thing[] }>(`${app}/dead_letters`);
		const queues = await api.get<{ items: { name: string; waiting?: number }[] }>(`${app}/queues`);
		const waiting = queues.items.find(({ name }) => name === 'bills')?.waiting ?? 0;
		if (items.length >= 3 && waiting === 0) break;
		await new Promise((wake) => setTimeout(wake, 200));
	}
	// Records are written behind the answers.
	await new Promise((wake) => setTimeout(wake, 1500));
}
