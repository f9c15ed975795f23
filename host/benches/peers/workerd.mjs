export default {
  fetch(request) {
    return Response.json({ hello: new URL(request.url).pathname, n: 40 + 2 });
  },
};
