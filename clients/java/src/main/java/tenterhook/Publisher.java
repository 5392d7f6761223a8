package tenterhook;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import tenterhook.model.EventAccepted;
import tenterhook.model.EventNew;

/** Collects events and sends them in batches, by a few threads. Memory is bounded: while {@code maxPending} events wait for their answer,
 * {@link #publish} waits and {@link #tryPublish} fails. What waits is sent before the virtual machine ends. */
public final class Publisher implements AutoCloseable {
    /** How many, how long, how much. */
    public static final class Options {
        int maxBatch = 100, maxBatchBytes = 512 << 10, maxPending = 10_000, threads = 4;
        Duration linger = Duration.ofMillis(20);

        /** Most events of a batch, up to 1000. Default 100. */
        public Options maxBatch(int maxBatch) {
            this.maxBatch = maxBatch;
            return this;
        }

        /** Most bytes of the events of a batch. Default 512 KiB. */
        public Options maxBatchBytes(int maxBatchBytes) {
            this.maxBatchBytes = maxBatchBytes;
            return this;
        }

        /** Most events that wait or are under way. Default 10,000. */
        public Options maxPending(int maxPending) {
            this.maxPending = maxPending;
            return this;
        }

        /** Most batches under way. Default 4. */
        public Options threads(int threads) {
            this.threads = threads;
            return this;
        }

        /** How long an event waits for others. Default 20 ms. */
        public Options linger(Duration linger) {
            this.linger = linger;
            return this;
        }
    }

    private record Waiting(EventNew event, int bytes, CompletableFuture<EventAccepted> future) {}

    private static final Set<Integer> REFUSED = Set.of(400, 404, 409, 413, 422);
    private final Tenterhook client;
    private final Options options;
    private final Deque<Waiting> queue = new ArrayDeque<>(); // guarded by this, as all below
    private final Thread hook = new Thread(this::drain, "tenterhook-publisher-exit");
    private int pending, hurry;
    private boolean closed;

    Publisher(Tenterhook client, Options options) {
        this.client = client;
        this.options = options;
        for (int i = 0; i < options.threads; i++) {
            Thread thread = new Thread(this::work, "tenterhook-publisher-" + i);
            thread.setDaemon(true);
            thread.start();
        }
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /** Takes an event, and waits for room while too many are under way. The future ends when it is stored durably, or was refused. */
    public synchronized CompletableFuture<EventAccepted> publish(EventNew event) throws InterruptedException {
        while (!closed && pending >= options.maxPending)
            wait();
        return take(event);
    }

    /** {@link #publish} that fails with FULL in place of waiting. */
    public synchronized CompletableFuture<EventAccepted> tryPublish(EventNew event) {
        if (!closed && pending >= options.maxPending)
            throw new TenterhookException(Kind.FULL, pending + " events wait already", null);
        return take(event);
    }

    /** Waits until everything that was taken is answered. */
    public synchronized void flush() throws InterruptedException {
        hurry++;
        notifyAll();
        try {
            while (pending > 0)
                wait();
        } finally {
            hurry--;
        }
    }

    /** Takes no more, and waits as {@link #flush} does. */
    @Override
    public void close() throws InterruptedException {
        flush();
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // it is ending already
        }
    }

    private void drain() {
        try {
            flush();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private CompletableFuture<EventAccepted> take(EventNew event) {
        if (closed)
            throw new TenterhookException(Kind.CLOSED, "the publisher is closed", null);
        CompletableFuture<EventAccepted> future = new CompletableFuture<>();
        try {
            queue.add(new Waiting(event, client.mapper.writeValueAsBytes(event).length, future));
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("the event cannot be written as JSON", e);
        }
        pending++;
        notifyAll();
        return future;
    }

    private void work() {
        try {
            for (List<Waiting> batch = next(); batch != null; batch = next()) {
                settle(batch);
                synchronized (this) {
                    pending -= batch.size();
                    notifyAll();
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The next batch: of one tenant, not too many and not too long together; null: the publisher is closed. */
    private synchronized List<Waiting> next() throws InterruptedException {
        List<Waiting> batch = new ArrayList<>();
        while (batch.isEmpty()) {
            while (queue.isEmpty()) {
                if (closed)
                    return null;
                wait();
            }
            long end = System.nanoTime() + options.linger.toNanos();
            for (long left = options.linger.toMillis(); left > 0 && hurry == 0 && queue.size() < options.maxBatch; left = (end - System.nanoTime()) / 1_000_000)
                wait(left);
            int bytes = 0;
            while (!queue.isEmpty() && batch.size() < options.maxBatch) {
                Waiting one = queue.peek();
                if (!batch.isEmpty() && (bytes + one.bytes > options.maxBatchBytes || !Objects.equals(one.event.getTenant(), batch.get(0).event.getTenant())))
                    break;
                bytes += one.bytes;
                batch.add(queue.remove());
            }
        }
        return batch;
    }

    /** A batch is taken as a whole or not at all: when it is refused, its events are sent one by one. */
    private void settle(List<Waiting> batch) {
        try {
            List<EventAccepted> answers = client.events().publishBatch(batch.stream().map(Waiting::event).toList());
            for (int i = 0; i < batch.size(); i++)
                batch.get(i).future.complete(answers.get(i));
        } catch (ProblemException e) {
            if (batch.size() > 1 && REFUSED.contains(e.status()))
                batch.forEach(one -> settle(List.of(one)));
            else
                batch.forEach(one -> one.future.completeExceptionally(e));
        } catch (RuntimeException e) {
            batch.forEach(one -> one.future.completeExceptionally(e));
        }
    }
}
