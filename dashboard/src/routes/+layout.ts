// A client of the API and nothing else: rendered in the browser, served as static files.
export const ssr = false;
export const prerender = false;
export const trailingSlash = 'never';
