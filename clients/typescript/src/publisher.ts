/** Publishing many events: they are collected and sent in batches.
 *
 * Memory is bounded: when `maxPending` events wait for their answer, further ones are refused (`kind` is `full`); `ready()` waits
 * for room. Where a process has `beforeExit`, what waits is sent before it ends by itself; on a signal call `close()`. */
import { ApiError, TenterhookError } from './errors.js';
import type { EventAccepted, EventNew } from './client.js';

export interface PublisherOptions {
  /** Most events of a batch, up to 1000. Default 100. */
  maxBatch?: number;
  /** Most bytes of a batch, as JSON. Default 512 KiB. */
  maxBatchBytes?: number;
  /** How long an event waits for others, in milliseconds. Default 20. */
  lingerMs?: number;
  /** Most events that wait or are under way. Default 10000. */
  maxPending?: number;
  /** Most batches under way at the same time. Default 4. */
  maxInFlight?: number;
}

interface Waiting {
  event: EventNew;
  bytes: number;
  resolve: (accepted: EventAccepted) => void;
  reject: (error: unknown) => void;
}

type Batch = (events: EventNew[]) => Promise<EventAccepted[]>;
interface ExitEvents { on(name: string, listener: () => void): unknown; off(name: string, listener: () => void): unknown }

export class Publisher {
  private queue: Waiting[] = [];
  private pending = 0;
  private inFlight = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;
  private waiters: (() => void)[] = [];
  private readonly exit = (globalThis as { process?: ExitEvents }).process;
  private readonly onExit = () => void this.flush();
  private readonly o: Required<PublisherOptions>;

  constructor(private readonly send: Batch, options: PublisherOptions = {}) {
    this.o = { maxBatch: 100, maxBatchBytes: 512 * 1024, lingerMs: 20, maxPending: 10000, maxInFlight: 4, ...options };
    if (typeof this.exit?.on === 'function') this.exit.on('beforeExit', this.onExit);
  }

  /** Takes an event; the promise is kept when it is stored durably, and broken when it was refused. */
  publish(event: EventNew): Promise<EventAccepted> {
    if (this.closed) return Promise.reject(new TenterhookError('closed', 'the publisher is closed'));
    if (this.pending >= this.o.maxPending) return Promise.reject(new TenterhookError('full', `${this.pending} events wait already; wait for ready()`));
    this.pending++;
    return new Promise((resolve, reject) => {
      this.queue.push({ event, bytes: JSON.stringify(event).length, resolve, reject });
      if (this.queue.length >= this.o.maxBatch) this.pump();
      else this.timer ??= this.begin();
    });
  }

  /** Waits until there is room for an event. */
  async ready(): Promise<void> {
    while (this.pending >= this.o.maxPending) await new Promise<void>((wake) => this.waiters.push(wake));
  }

  /** Waits until everything that was taken is answered. */
  async flush(): Promise<void> {
    this.pump(true);
    while (this.pending > 0) {
      await new Promise<void>((wake) => this.waiters.push(wake));
      this.pump(true);
    }
  }

  /** Takes no more, and waits as `flush` does. */
  async close(): Promise<void> {
    this.closed = true;
    await this.flush();
    this.exit?.off?.('beforeExit', this.onExit);
  }

  private begin(): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => this.pump(true), this.o.lingerMs);
    (timer as { unref?: () => void }).unref?.(); // a program may end; what waits goes out then
    return timer;
  }

  private pump(all = false): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    while (this.queue.length && this.inFlight < this.o.maxInFlight && (all || this.queue.length >= this.o.maxBatch)) {
      const batch = this.take();
      this.inFlight++;
      void this.settle(batch).finally(() => {
        this.inFlight--;
        this.pending -= batch.length;
        this.waiters.splice(0).forEach((wake) => wake());
        if (this.queue.length) this.pump(true);
      });
    }
  }

  /** The events at the front that fit into one batch: of one tenant, and not too long together. */
  private take(): Waiting[] {
    let bytes = 0, n = 0;
    while (n < this.queue.length && n < this.o.maxBatch) {
      const next = this.queue[n]!;
      if (n > 0 && (bytes + next.bytes > this.o.maxBatchBytes || next.event.tenant !== this.queue[0]!.event.tenant)) break;
      bytes += next.bytes;
      n++;
    }
    return this.queue.splice(0, n);
  }

  /** A batch is taken as a whole or not at all: when it is refused, its events are sent one by one, so that a wrong one harms no other. */
  private async settle(batch: Waiting[]): Promise<void> {
    try {
      const answers = await this.send(batch.map((one) => one.event));
      batch.forEach((one, i) => one.resolve(answers[i]!));
    } catch (error) {
      if (batch.length > 1 && error instanceof ApiError && [400, 404, 409, 413, 422].includes(error.status)) {
        for (const one of batch) await this.settle([one]);
        return;
      }
      batch.forEach((one) => one.reject(error));
    }
  }
}
