export * from './client.js';
export * from './errors.js';
export { Pages, type Page } from './pages.js';
export { Publisher, type PublisherOptions } from './publisher.js';
export type { components, operations, paths } from './schema.js';
