/** What a receiver has to know of a dialect; `dialects.ts` has one for each that is built into the server. */

/** A template: literals, and variables in braces. */
export type Template = string[];

/** One form of signature. */
export interface Form {
  header: string;
  algorithm: 'hmac-sha1' | 'hmac-sha256' | 'hmac-sha512' | 'ed25519';
  key: 'utf8' | 'hex' | 'base64' | 'whsec' | 'whsk';
  /** http-message: whole requests are signed (RFC 9421). */
  encoding: 'hex' | 'base64' | 'http-message';
  timestamp: 'unix' | 'unix_millis' | 'rfc3339';
  content: Template;
  item: Template;
  /** Between two signatures of the header; empty: it holds one. */
  join: string;
  /** The element of the list that has the time, where one has. */
  stamp_item: Template | null;
  /** What stands around the signatures; null: the header is the list. */
  wrap: Template | null;
  /** Of http-message: what a signature has to cover, and its tag. */
  components?: string[];
  tag?: string;
}

export interface Scheme {
  about: string;
  schema_version: string;
  forms: Form[];
  /** The header that carries the secret itself. */
  auth: { header: string; value: Template } | null;
  /** Headers whose value is one variable. */
  sources: { header: string; variable: string }[];
  /** Where the body has the fields of an event. */
  paths: Partial<Record<'id' | 'type' | 'time' | 'data' | 'resource_type' | 'resource_id' | 'endpoint_id' | 'delivery_id', string[]>>;
  /** The time in the body counts milliseconds. */
  time_millis: boolean;
  resources: Record<string, string>;
  resource_prefixes: Record<string, string>;
}
