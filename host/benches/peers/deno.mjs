const [hostname, port] = Deno.args;

Deno.serve({ hostname, port: Number(port), onListen() {} }, (request) =>
  Response.json({ hello: new URL(request.url).pathname, n: 40 + 2 }),
);
