/** Sources to begin with. Each is checked by the platform as it stands. */
import type { ScriptKind } from '$lib/api';

export interface Template {
	id: string;
	label: string;
	kind: ScriptKind;
	/** The name that is proposed. */
	name: string;
	/** What it shows. */
	about: string;
	/** What comes after it is published. */
	next: string;
	source: string;
}

export const templates: readonly Template[] = [
	{
		id: 'hello',
		label: 'Hello',
		kind: 'endpoint',
		name: 'hello',
		about: 'Answers with JSON and reads a parameter of its path.',
		next: 'Give it a route such as GET /hello/:name.',
		source: `// The value of the last expression is the answer.
let name = ctx.request.params.get("name") ?? "world";

log::info(\`hello to \${name}\`);

#{ message: \`Hello, \${name}!\`, execution_id: ctx.execution_id }
`
	},
	{
		id: 'json-api',
		label: 'JSON API on KV',
		kind: 'endpoint',
		name: 'notes',
		about: 'Keeps notes: list, read, write and delete, each with the right status.',
		next: 'Give it two routes with any method: /notes and /notes/:id.',
		source: `// Routes: ANY /notes and ANY /notes/:id.
let notes = kv::collection("notes");
let request = ctx.request;
let id = request.params.get("id");

switch request.method {
    "GET" if id == () => notes.list(#{ limit: 50 }),
    "GET" => {
        let note = notes.get(id);
        if note == () { throw #{ statusCode: 404, body: #{ error: "no such note" } }; }
        note
    }
    "PUT" if id != () => {
        if type_of(request.body) != "map" {
            throw #{ statusCode: 422, body: #{ error: "send a JSON object" } };
        }
        notes.set(id, request.body);
        #{ statusCode: 201, headers: #{ location: \`/notes/\${id}\` }, body: request.body }
    }
    "DELETE" if id != () => {
        notes.delete(id);
        #{ statusCode: 204 }
    }
    _ => throw #{ statusCode: 405, body: #{ error: "GET, PUT or DELETE" } }
}
`
	},
	{
		id: 'webhook',
		label: 'Webhook with a token',
		kind: 'endpoint',
		name: 'webhook',
		about: 'Takes only what carries the right token, and leaves the work to a queue.',
		next: 'Set the secret webhook_token, then a route POST /webhook.',
		source: `// Refuses what does not carry the secret "webhook_token", and leaves the work to a queue.
let token = secrets::get("webhook_token");
if token == () { throw #{ statusCode: 503, body: #{ error: "not set up" } }; }

let sent = ctx.request.headers.get("x-webhook-token") ?? "";
if !crypto::equal(sent, token) {
    throw #{ statusCode: 401, body: #{ error: "the token is wrong" } };
}

queue::send("webhooks", ctx.request.body);
#{ statusCode: 202, body: #{ accepted: true } }
`
	},
	{
		id: 'cron',
		label: 'Scheduled work',
		kind: 'endpoint',
		name: 'nightly',
		about: 'Runs by schedule, once for each tick, and counts its runs.',
		next: 'Give it a cron trigger, such as 0 0 3 * * * in your time zone.',
		source: `// For a cron trigger. An event comes at least once: what is done here may be done again.
if "event" in ctx {
    let tick = ctx.event.cron;
    log::info("tick", #{ scheduled_at: tick.scheduled_at });
}

let runs = kv::collection("runs").increment("nightly", 1);
#{ runs: runs }
`
	},
	{
		id: 'queue',
		label: 'Queue worker',
		kind: 'endpoint',
		name: 'worker',
		about: 'Takes messages from a queue, one at a time. What it throws is tried again, then becomes a dead letter.',
		next: 'Give it a queue trigger for the queue webhooks.',
		source: `// For a queue trigger. A message that fails is tried again by the trigger's policy.
if !("event" in ctx) { throw #{ statusCode: 400, body: #{ error: "this is run by a queue" } }; }

let event = ctx.event;
let message = event.queue.message;
log::info("message", #{ id: event.id, attempt: event.attempt });

// The event's id stays the same over all attempts: what is done under it is done once.
let done = kv::collection("done");
if !done.has(event.id) {
    docs::collection("messages").create(#{ received: message });
    done.set(event.id, true, #{ ttl_s: 86400 });
}
`
	},
	{
		id: 'kv',
		label: 'Reaction to a change',
		kind: 'endpoint',
		name: 'on-change',
		about: 'Runs whenever an entry of a collection is written or deleted, and sees what was there before.',
		next: 'Give it a KV trigger for the collection notes.',
		source: `// For a KV trigger.
if !("event" in ctx) { throw #{ statusCode: 400, body: #{ error: "this is run by a change" } }; }

let change = ctx.event.kv;
log::info(\`\${ctx.event.op} of \${change.key}\`, #{ before: change.prev, after: change.value });
`
	},
	{
		id: 'module',
		label: 'Module',
		kind: 'module',
		name: 'text',
		about: 'Functions and constants that other scripts of this app import by name.',
		next: 'In another script: import "text" as text; then text::shortened("…", 10).',
		source: `// Functions are seen by importers unless they are private, constants where they are exported.
export const DOTS = "…";

fn shortened(text, most) {
    if text.len() <= most { return text; }
    text.sub_string(0, most) + global::DOTS
}
`
	},
	{ id: 'empty', label: 'Empty', kind: 'endpoint', name: '', about: 'A script that answers null.', next: 'Write it.', source: '()\n' }
];

/** What is wrong with a script's name, told while one types. The server has the last word. */
export function nameFault(name: string): string | undefined {
	if (name === '' || /^[a-z0-9][a-z0-9_-]*$/.test(name)) return undefined;
	if (/[A-Z]/.test(name)) return 'Lower-case letters only.';
	return /^[a-z0-9]/.test(name) ? 'Only a–z, 0–9, _ and -.' : 'It begins with a letter or digit.';
}

/** A name that no other script of the app has: `hello`, then `hello-2`. */
export function freeName(name: string, taken: readonly string[]): string {
	if (name === '' || !taken.includes(name)) return name;
	for (let number = 2; ; number += 1) {
		const next = `${name}-${number}`;
		if (!taken.includes(next)) return next;
	}
}
