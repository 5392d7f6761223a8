/** A page of a list. */
export interface Page<T> {
  data: T[];
  next_cursor: string | null;
}

/** A list: `for await` over it asks for page after page. */
export class Pages<T> implements AsyncIterable<T> {
  constructor(private readonly fetchPage: (cursor: string | undefined) => Promise<Page<T>>) {}

  /** The first page alone. */
  first(): Promise<Page<T>> {
    return this.fetchPage(undefined);
  }

  /** All pages, one request each. */
  async *pages(): AsyncGenerator<Page<T>> {
    let cursor: string | undefined;
    do {
      const page = await this.fetchPage(cursor);
      yield page;
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
  }

  /** All rows of all pages, at most `most`. */
  async all(most = Infinity): Promise<T[]> {
    const rows: T[] = [];
    for await (const row of this) {
      if (rows.length >= most) break;
      rows.push(row);
    }
    return rows;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for await (const page of this.pages()) yield* page.data;
  }
}
