package tenterhook;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import tenterhook.api.client.ApiClient;
import tenterhook.model.AttemptRow;
import tenterhook.model.Delivery;
import tenterhook.model.DeliveryDetail;
import tenterhook.model.DeliveryQueued;
import tenterhook.model.Event;
import tenterhook.model.EventAccepted;
import tenterhook.model.EventDetail;
import tenterhook.model.Key;
import tenterhook.model.KeyCreated;
import tenterhook.model.KeyNew;
import tenterhook.model.EventNew;
import tenterhook.model.Replay;
import tenterhook.model.ReplayNew;
import tenterhook.model.ReplayStarted;
import tenterhook.model.Secret;
import tenterhook.model.SecretRotate;
import tenterhook.model.Secrets;
import tenterhook.model.Tenant;
import tenterhook.model.TenantPut;
import tenterhook.model.Webhook;
import tenterhook.model.WebhookCreated;
import tenterhook.model.WebhookNew;
import tenterhook.model.WebhookRetried;

/** The client of Tenterhook: what most programs need under short names. For every other route the classes of {@code tenterhook.api} take
 * {@link #apiClient()}. Threads may share one. */
public final class Tenterhook {
    /** Where the server is, and how it is asked. */
    public static final class Options {
        String server = env("TENTERHOOK_SERVER", "http://127.0.0.1:8420"), key = env("TENTERHOOK_KEY", ""), tenant;
        Duration timeout = Duration.ofSeconds(10), firstWait = Duration.ofMillis(500), maxWait = Duration.ofSeconds(30);
        int retries = 4;

        private static String env(String name, String otherwise) {
            String value = System.getenv(name);
            return value == null || value.isEmpty() ? otherwise : value;
        }

        /** Default: TENTERHOOK_SERVER of the environment, else http://127.0.0.1:8420. */
        public Options server(String server) {
            this.server = server;
            return this;
        }

        /** Default: TENTERHOOK_KEY of the environment. */
        public Options key(String key) {
            this.key = key;
            return this;
        }

        /** With the operator's key: the tenant to act for. */
        public Options tenant(String tenant) {
            this.tenant = tenant;
            return this;
        }

        /** Of one attempt. Default 10 seconds. */
        public Options timeout(Duration timeout) {
            this.timeout = timeout;
            return this;
        }

        /** How often a request that was not answered, or with 429 or 5xx, is made again. Default 4. */
        public Options retries(int retries) {
            this.retries = retries;
            return this;
        }

        /** Before the second attempt; it doubles from attempt to attempt, less up to a half by chance. Default 500 ms. */
        public Options firstWait(Duration firstWait) {
            this.firstWait = firstWait;
            return this;
        }

        /** The longest wait between two attempts; a longer Retry-After is not waited for. Default 30 seconds. */
        public Options maxWait(Duration maxWait) {
            this.maxWait = maxWait;
            return this;
        }
    }

    final ObjectMapper mapper = ApiClient.createDefaultObjectMapper();
    private final ObjectMapper plain = new ObjectMapper(); // keeps null in maps
    private final String server;
    private final HttpClient http;

    public Tenterhook() {
        this(new Options());
    }

    public Tenterhook(Options options) {
        server = options.server.replaceAll("/+$", "");
        http = new RetryingHttpClient(HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build(), options);
    }

    /** For the generated classes of {@code tenterhook.api}: every route, with the same repetitions and keys. */
    public ApiClient apiClient() {
        ApiClient made = new ApiClient() {
            @Override
            public HttpClient getHttpClient() {
                return http;
            }
        };
        made.updateBaseUri(server);
        return made;
    }

    public Events events() {
        return new Events();
    }

    public Webhooks webhooks() {
        return new Webhooks();
    }

    public Deliveries deliveries() {
        return new Deliveries();
    }

    public Attempts attempts() {
        return new Attempts();
    }

    public Replays replays() {
        return new Replays();
    }

    public Tenants tenants() {
        return new Tenants();
    }

    /** Collects events and sends them in batches. */
    public Publisher publisher(Publisher.Options options) {
        return new Publisher(this, options);
    }

    // ---- one call ----

    private static String escaped(Object text) {
        return URLEncoder.encode(String.valueOf(text), StandardCharsets.UTF_8).replace("+", "%20");
    }

    static String path(String template, Object... places) {
        for (Object place : places)
            template = template.replaceFirst("\\{}", java.util.regex.Matcher.quoteReplacement(escaped(place)));
        return template;
    }

    <T> T call(String method, String path, Map<String, ?> query, Map<String, String> headers, Object body, Class<T> type) {
        return call(method, path, query, headers, body, mapper.constructType(type));
    }

    <T> T call(String method, String path, Map<String, ?> query, Map<String, String> headers, Object body, JavaType type) {
        StringBuilder uri = new StringBuilder(server).append(path);
        String before = "?";
        for (Map.Entry<String, ?> one : query.entrySet()) {
            uri.append(before).append(escaped(one.getKey())).append('=').append(escaped(one.getValue()));
            before = "&";
        }
        try {
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(uri.toString()));
            if (body == null) {
                request.method(method, HttpRequest.BodyPublishers.noBody());
            } else {
                byte[] text = (body instanceof Map || body instanceof List ? plainOr(body) : mapper).writeValueAsBytes(body);
                request.header("Content-Type", method.equals("PATCH") ? "application/merge-patch+json" : "application/json");
                request.method(method, HttpRequest.BodyPublishers.ofByteArray(text));
            }
            if (headers != null)
                headers.forEach(request::setHeader);
            HttpResponse<byte[]> response = http.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
            if (response.statusCode() >= 300)
                throw ProblemException.of(response.statusCode(), response.body(), response.headers());
            return response.statusCode() == 204 ? null : mapper.readValue(response.body(), type);
        } catch (HttpTimeoutException e) {
            throw new TenterhookException(Kind.TIMEOUT, e.getMessage(), e);
        } catch (JsonProcessingException e) {
            throw new TenterhookException(Kind.API, "the answer is not what the API says: is this the address of Tenterhook?", e);
        } catch (IOException e) {
            throw new TenterhookException(Kind.CONNECTION, "no answer: " + method + " " + path + ": " + e, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new TenterhookException(Kind.CONNECTION, "interrupted: " + method + " " + path, e);
        }
    }

    private ObjectMapper plainOr(Object body) {
        return body instanceof Map ? plain : mapper;
    }

    /** Options of one call. */
    public record Call(String idempotencyKey, String ifMatch) {
        /** In place of the key that each call makes for itself. */
        public static Call idempotencyKey(String key) {
            return new Call(key, null);
        }

        /** The ETag that the object must still have. */
        public static Call ifMatch(String tag) {
            return new Call(null, tag);
        }
    }

    private static Map<String, String> headers(Call... calls) {
        Map<String, String> made = new java.util.HashMap<>();
        for (Call call : calls) {
            if (call.idempotencyKey != null)
                made.put("Idempotency-Key", call.idempotencyKey);
            if (call.ifMatch != null)
                made.put("If-Match", call.ifMatch);
        }
        return made;
    }

    private static final Map<String, Object> NOTHING = Map.of();

    // ---- the calls; filters of lists are those of the API reference, by name ----

    public final class Events {
        /** Publishes an event; it is stored durably when the answer comes. */
        public EventAccepted publish(EventNew event, Call... calls) {
            return call("POST", "/v1/events", NOTHING, headers(calls), event, EventAccepted.class);
        }

        /** Publishes 1 to 1000 events of one tenant, all or none. */
        public List<EventAccepted> publishBatch(List<EventNew> events, Call... calls) {
            return call("POST", "/v1/events/batch", NOTHING, headers(calls), events, mapper.getTypeFactory().constructCollectionType(List.class, EventAccepted.class));
        }

        public Pages<Event> list(Map<String, ?> query) {
            return new Pages<>(Tenterhook.this, "/v1/events", query, Event.class);
        }

        public EventDetail get(String id) {
            return call("GET", path("/v1/events/{}", id), NOTHING, null, null, EventDetail.class);
        }

        /** Erases the content of an event; cancel ends deliveries that wait. */
        public void erase(String id, boolean cancel) {
            call("DELETE", path("/v1/events/{}", id), Map.of("cancel", cancel), null, null, Object.class);
        }
    }

    public final class Webhooks {
        /** Registers an endpoint; the answer shows its secret. */
        public WebhookCreated create(WebhookNew webhook, Call... calls) {
            return call("POST", "/v1/webhooks", NOTHING, headers(calls), webhook, WebhookCreated.class);
        }

        public Pages<Webhook> list(Map<String, ?> query) {
            return new Pages<>(Tenterhook.this, "/v1/webhooks", query, Webhook.class);
        }

        public Webhook get(String id) {
            return call("GET", path("/v1/webhooks/{}", id), NOTHING, null, null, Webhook.class);
        }

        /** Changes the members that are given: a {@code WebhookPatch}, or a map in which null resets one. */
        public Webhook update(String id, Object changes, Call... calls) {
            return call("PATCH", path("/v1/webhooks/{}", id), NOTHING, headers(calls), changes, Webhook.class);
        }

        public void delete(String id, Call... calls) {
            call("DELETE", path("/v1/webhooks/{}", id), NOTHING, headers(calls), null, Object.class);
        }

        /** Sends a sample event to this endpoint alone; type may be null. */
        public Delivery test(String id, String type) {
            return call("POST", path("/v1/webhooks/{}/test", id), NOTHING, null, type == null ? NOTHING : Map.of("type", type), Delivery.class);
        }

        public Pages<Delivery> deliveries(String id, Map<String, ?> query) {
            return new Pages<>(Tenterhook.this, path("/v1/webhooks/{}/deliveries", id), query, Delivery.class);
        }

        /** The active secrets, newest first. */
        public List<Secret> secrets(String id) {
            return call("GET", path("/v1/webhooks/{}/secret", id), NOTHING, null, null, Secrets.class).getSecrets();
        }

        /** Makes or takes a new secret beside the old one, which ends after the overlap. */
        public List<Secret> rotateSecret(String id, SecretRotate rotation, Call... calls) {
            return call("POST", path("/v1/webhooks/{}/rotate-secret", id), NOTHING, headers(calls), rotation, Secrets.class).getSecrets();
        }

        public void revokePreviousSecret(String id) {
            call("DELETE", path("/v1/webhooks/{}/secret/previous", id), NOTHING, null, null, Object.class);
        }

        /** Makes everything that waits for another attempt due now. */
        public WebhookRetried retry(String id) {
            return call("POST", path("/v1/webhooks/{}/retry", id), NOTHING, null, NOTHING, WebhookRetried.class);
        }

        /** Sends deliveries that have ended again. */
        public ReplayStarted replay(String id, ReplayNew replay, Call... calls) {
            return call("POST", path("/v1/webhooks/{}/replay", id), NOTHING, headers(calls), replay, ReplayStarted.class);
        }
    }

    public final class Deliveries {
        public Pages<Delivery> list(Map<String, ?> query) {
            return new Pages<>(Tenterhook.this, "/v1/deliveries", query, Delivery.class);
        }

        public DeliveryDetail get(String id) {
            return call("GET", path("/v1/deliveries/{}", id), NOTHING, null, null, DeliveryDetail.class);
        }

        /** Makes an attempt now. */
        public DeliveryQueued retry(String id) {
            return call("POST", path("/v1/deliveries/{}/retry", id), NOTHING, null, NOTHING, DeliveryQueued.class);
        }
    }

    public final class Attempts {
        public Pages<AttemptRow> list(Map<String, ?> query) {
            return new Pages<>(Tenterhook.this, "/v1/attempts", query, AttemptRow.class);
        }
    }

    public final class Replays {
        public Pages<Replay> list(Map<String, ?> query) {
            return new Pages<>(Tenterhook.this, "/v1/replays", query, Replay.class);
        }

        public Replay get(String id) {
            return call("GET", path("/v1/replays/{}", id), NOTHING, null, null, Replay.class);
        }

        public void cancel(String id) {
            call("DELETE", path("/v1/replays/{}", id), NOTHING, null, null, Object.class);
        }
    }

    /** With the operator's key. */
    public final class Tenants {
        /** Makes or changes a tenant. */
        public Tenant put(String tenant, TenantPut settings, Call... calls) {
            return call("PUT", path("/v1/tenants/{}", tenant), NOTHING, headers(calls), settings, Tenant.class);
        }

        public Tenant get(String tenant) {
            return call("GET", path("/v1/tenants/{}", tenant), NOTHING, null, null, Tenant.class);
        }

        public Pages<Tenant> list(Map<String, ?> query) {
            return new Pages<>(Tenterhook.this, "/v1/tenants", query, Tenant.class);
        }

        /** erase: the content of its events too. */
        public void delete(String tenant, boolean erase) {
            call("DELETE", path("/v1/tenants/{}", tenant), Map.of("erase", erase), null, null, Object.class);
        }

        /** Makes a key; the answer shows its text, once. */
        public KeyCreated createKey(String tenant, KeyNew key, Call... calls) {
            return call("POST", path("/v1/tenants/{}/keys", tenant), NOTHING, headers(calls), key, KeyCreated.class);
        }

        public Pages<Key> listKeys(String tenant) {
            return new Pages<>(Tenterhook.this, path("/v1/tenants/{}/keys", tenant), NOTHING, Key.class);
        }

        public void deleteKey(String tenant, String id) {
            call("DELETE", path("/v1/tenants/{}/keys/{}", tenant, id), NOTHING, null, null, Object.class);
        }
    }
}
