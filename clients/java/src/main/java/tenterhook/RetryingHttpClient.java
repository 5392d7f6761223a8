package tenterhook;

import java.io.IOException;
import java.net.Authenticator;
import java.net.CookieHandler;
import java.net.ProxySelector;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Flow;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;

/** Gives each POST its Idempotency-Key and makes requests again until they are answered for good. Safe to repeat are GET, PUT, PATCH and DELETE by
 * their nature, POST by its key. */
final class RetryingHttpClient extends HttpClient {
    private final HttpClient inner;
    private final Tenterhook.Options options;

    RetryingHttpClient(HttpClient inner, Tenterhook.Options options) {
        this.inner = inner;
        this.options = options;
    }

    @Override
    public <T> HttpResponse<T> send(HttpRequest given, HttpResponse.BodyHandler<T> handler) throws IOException, InterruptedException {
        HttpRequest request = prepared(given);
        boolean keyed = request.headers().firstValue("Idempotency-Key").isPresent(), unanswered = false;
        for (int attempt = 0;; attempt++) {
            boolean last = attempt >= options.retries;
            Optional<Duration> asked = Optional.empty();
            try {
                HttpResponse<byte[]> response = once(request);
                int status = response.statusCode();
                if (request.method().equals("DELETE") && unanswered && status == 404)
                    return read(response, 204, handler);
                boolean again = status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504) || (status == 409 && unanswered && keyed);
                asked = retryAfter(response.headers());
                if (last || !again || asked.orElse(Duration.ZERO).compareTo(options.maxWait) > 0)
                    return read(response, status, handler);
            } catch (IOException e) {
                unanswered = true; // it may have been carried out
                if (last)
                    throw e;
            }
            double step = Math.min(options.maxWait.toMillis(), options.firstWait.toMillis() * Math.pow(2, attempt)), chance = ThreadLocalRandom.current().nextDouble();
            Thread.sleep((long) Math.ceil(asked.isPresent() ? asked.get().toMillis() + chance * Math.min(step, 1000) : step * (0.5 + chance / 2)));
        }
    }

    private HttpRequest prepared(HttpRequest given) {
        HttpRequest.Builder made = HttpRequest.newBuilder(given, (name, value) -> true);
        set(made, given, "Authorization", options.key.isEmpty() ? null : "Bearer " + options.key);
        set(made, given, "Tenterhook-Tenant", options.tenant);
        set(made, given, "Tenterhook-Form", given.uri().getRawPath().startsWith("/v1/webhooks") ? "native" : null); // what the models are, in every dialect
        set(made, given, "Idempotency-Key", given.method().equals("POST") ? UUID.randomUUID().toString() : null);
        return made.build();
    }

    private static void set(HttpRequest.Builder made, HttpRequest given, String name, String value) {
        if (value != null && given.headers().firstValue(name).isEmpty())
            made.setHeader(name, value);
    }

    /** One attempt, with the answer's body: an answer that breaks off is none. */
    private HttpResponse<byte[]> once(HttpRequest request) throws IOException, InterruptedException {
        CompletableFuture<HttpResponse<byte[]>> future = inner.sendAsync(request, HttpResponse.BodyHandlers.ofByteArray());
        try {
            return future.get(options.timeout.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new HttpTimeoutException("no answer within " + options.timeout.toMillis() + " ms: " + request.method() + " " + request.uri());
        } catch (ExecutionException e) {
            throw e.getCause() instanceof IOException cause ? cause : new IOException(e.getCause());
        } finally {
            future.cancel(true);
        }
    }

    /** The answer as the caller's handler reads it. */
    private static <T> HttpResponse<T> read(HttpResponse<byte[]> response, int status, HttpResponse.BodyHandler<T> handler) {
        HttpResponse.BodySubscriber<T> subscriber = handler.apply(new HttpResponse.ResponseInfo() {
            @Override
            public int statusCode() {
                return status;
            }

            @Override
            public HttpHeaders headers() {
                return response.headers();
            }

            @Override
            public Version version() {
                return response.version();
            }
        });
        subscriber.onSubscribe(new Flow.Subscription() {
            @Override
            public void request(long n) {}

            @Override
            public void cancel() {}
        });
        if (status != 204)
            subscriber.onNext(List.of(ByteBuffer.wrap(response.body())));
        subscriber.onComplete();
        T body = subscriber.getBody().toCompletableFuture().join();
        return new HttpResponse<>() {
            @Override
            public int statusCode() {
                return status;
            }

            @Override
            public HttpRequest request() {
                return response.request();
            }

            @Override
            public Optional<HttpResponse<T>> previousResponse() {
                return Optional.empty();
            }

            @Override
            public HttpHeaders headers() {
                return response.headers();
            }

            @Override
            public T body() {
                return body;
            }

            @Override
            public Optional<javax.net.ssl.SSLSession> sslSession() {
                return response.sslSession();
            }

            @Override
            public java.net.URI uri() {
                return response.uri();
            }

            @Override
            public Version version() {
                return response.version();
            }
        };
    }

    /** Retry-After: seconds, or a date. */
    static Optional<Duration> retryAfter(HttpHeaders headers) {
        String text = headers.firstValue("Retry-After").orElse("").trim();
        if (text.matches("[0-9]{1,9}"))
            return Optional.of(Duration.ofSeconds(Long.parseLong(text)));
        try {
            Duration left = Duration.between(Instant.now(), DateTimeFormatter.RFC_1123_DATE_TIME.parse(text, Instant::from));
            return Optional.of(left.isNegative() ? Duration.ZERO : left);
        } catch (DateTimeException e) {
            return Optional.empty();
        }
    }

    @Override
    public <T> CompletableFuture<HttpResponse<T>> sendAsync(HttpRequest request, HttpResponse.BodyHandler<T> handler) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return send(request, handler);
            } catch (IOException | InterruptedException e) {
                throw new CompletionException(e);
            }
        });
    }

    @Override
    public <T> CompletableFuture<HttpResponse<T>> sendAsync(HttpRequest request, HttpResponse.BodyHandler<T> handler, HttpResponse.PushPromiseHandler<T> push) {
        return sendAsync(request, handler);
    }

    @Override
    public Optional<CookieHandler> cookieHandler() {
        return inner.cookieHandler();
    }

    @Override
    public Optional<Duration> connectTimeout() {
        return inner.connectTimeout();
    }

    @Override
    public Redirect followRedirects() {
        return inner.followRedirects();
    }

    @Override
    public Optional<ProxySelector> proxy() {
        return inner.proxy();
    }

    @Override
    public SSLContext sslContext() {
        return inner.sslContext();
    }

    @Override
    public SSLParameters sslParameters() {
        return inner.sslParameters();
    }

    @Override
    public Optional<Authenticator> authenticator() {
        return inner.authenticator();
    }

    @Override
    public Version version() {
        return inner.version();
    }

    @Override
    public Optional<Executor> executor() {
        return inner.executor();
    }
}
