import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import tenterhook.Kind;
import tenterhook.Pages;
import tenterhook.ProblemException;
import tenterhook.Publisher;
import tenterhook.SignatureException;
import tenterhook.Tenterhook;
import tenterhook.Tenterhook.Call;
import tenterhook.TenterhookException;
import tenterhook.WebhookEvent;
import tenterhook.WebhookVerifier;
import tenterhook.api.client.ApiClient;
import tenterhook.model.EventAccepted;
import tenterhook.model.EventNew;
import tenterhook.model.KeyNew;
import tenterhook.model.ReplayNew;
import tenterhook.model.SecretRotate;
import tenterhook.model.TenantPut;
import tenterhook.model.WebhookNew;

/** Makes the calls of ../../conformance/ (README.md there): a command a line in, an answer a line out. */
public class Runner {
    static final ObjectMapper JSON = ApiClient.createDefaultObjectMapper(), PLAIN = new ObjectMapper();

    static Tenterhook client(JsonNode given) {
        Tenterhook.Options options = new Tenterhook.Options().server(given.path("server").asText()).key(given.path("key").asText());
        if (given.hasNonNull("tenant"))
            options.tenant(given.path("tenant").asText());
        if (given.has("timeout_ms"))
            options.timeout(Duration.ofMillis(given.path("timeout_ms").asLong()));
        if (given.has("first_wait_ms"))
            options.firstWait(Duration.ofMillis(given.path("first_wait_ms").asLong()));
        if (given.has("max_wait_ms"))
            options.maxWait(Duration.ofMillis(given.path("max_wait_ms").asLong()));
        if (given.has("retries"))
            options.retries(given.path("retries").asInt());
        return new Tenterhook(options);
    }

    static Object run(String call, JsonNode a, JsonNode given) throws Exception {
        if (call.equals("verify"))
            return verify(a);
        Tenterhook client = client(given);
        String id = a.path("id").asText();
        JsonNode body = a.path("body");
        List<Call> list = new ArrayList<>();
        if (a.has("idempotency_key"))
            list.add(Call.idempotencyKey(a.path("idempotency_key").asText()));
        if (a.has("if_match"))
            list.add(Call.ifMatch(a.path("if_match").asText()));
        Call[] calls = list.toArray(new Call[0]);
        @SuppressWarnings("unchecked")
        Map<String, Object> query = a.has("query") ? PLAIN.convertValue(a.path("query"), Map.class) : Map.of();
        int most = a.has("most") ? a.path("most").asInt() : Integer.MAX_VALUE;
        switch (call) {
            case "publisher": return publisher(client, a);
            case "publisher_full": return publisherFull(client, a);
            case "events.publish": return client.events().publish(JSON.treeToValue(body, EventNew.class), calls);
            case "events.publish_batch": return client.events().publishBatch(Arrays.asList(JSON.treeToValue(body, EventNew[].class)), calls);
            case "events.list": return client.events().list(query).all(most);
            case "events.get": return client.events().get(id);
            case "webhooks.create": return client.webhooks().create(JSON.treeToValue(body, WebhookNew.class), calls);
            case "webhooks.list": return client.webhooks().list(query).all(most);
            case "webhooks.get": return client.webhooks().get(id);
            case "webhooks.update": return client.webhooks().update(id, PLAIN.convertValue(body, Map.class), calls);
            case "webhooks.delete": client.webhooks().delete(id, calls); return null;
            case "webhooks.test": return client.webhooks().test(id, a.path("type").asText(null));
            case "webhooks.deliveries": return client.webhooks().deliveries(id, query).all(most);
            case "webhooks.secrets": return client.webhooks().secrets(id);
            case "webhooks.rotate_secret": return client.webhooks().rotateSecret(id, JSON.treeToValue(body, SecretRotate.class), calls);
            case "webhooks.revoke_previous_secret": client.webhooks().revokePreviousSecret(id); return null;
            case "webhooks.retry": return client.webhooks().retry(id);
            case "webhooks.replay": return client.webhooks().replay(id, JSON.treeToValue(body, ReplayNew.class), calls);
            case "deliveries.list": return client.deliveries().list(query).all(most);
            case "deliveries.get": return client.deliveries().get(id);
            case "deliveries.retry": return client.deliveries().retry(id);
            case "attempts.list": return client.attempts().list(query).all(most);
            case "replays.list": return client.replays().list(query).all(most);
            case "tenants.put": return client.tenants().put(id, JSON.treeToValue(body, TenantPut.class), calls);
            case "tenants.get": return client.tenants().get(id);
            case "tenants.delete": client.tenants().delete(id, false); return null;
            case "tenants.create_key": return client.tenants().createKey(id, JSON.treeToValue(body, KeyNew.class), calls);
            case "tenants.list_keys": return client.tenants().listKeys(id).all(most);
            case "tenants.delete_key": client.tenants().deleteKey(id, a.path("key").asText()); return null;
            default: throw new IllegalStateException("the runner has no call " + call);
        }
    }

    static EventNew event(int number, JsonNode wrong) {
        boolean bad = false;
        for (JsonNode one : wrong)
            bad |= one.asInt() == number;
        return new EventNew().type(bad ? "no type" : "a.b").data(Map.of("i", number));
    }

    static Object publisher(Tenterhook client, JsonNode a) throws Exception {
        List<CompletableFuture<EventAccepted>> futures = new ArrayList<>();
        try (Publisher made = client.publisher(new Publisher.Options().maxBatch(a.path("options").path("max_batch").asInt()))) {
            for (int i = 0; i < a.path("count").asInt(); i++)
                futures.add(made.publish(event(i, a.path("wrong"))));
        }
        List<String> failed = new ArrayList<>();
        for (CompletableFuture<EventAccepted> future : futures) {
            if (!future.isDone())
                throw new IllegalStateException("it was closed before all was answered");
            try {
                future.join();
            } catch (CompletionException e) {
                failed.add(((TenterhookException) e.getCause()).kind().word());
            }
        }
        return Map.of("accepted", futures.size() - failed.size(), "failed", failed);
    }

    static Object publisherFull(Tenterhook client, JsonNode a) throws Exception {
        int refused = 0, count = a.path("count").asInt();
        JsonNode o = a.path("options");
        try (Publisher made = client.publisher(new Publisher.Options().maxBatch(o.path("max_batch").asInt()).maxPending(o.path("max_pending").asInt()))) {
            for (int i = 0; i < count; i++)
                try {
                    made.tryPublish(event(i, a.path("wrong")));
                } catch (TenterhookException e) {
                    refused += e.kind() == Kind.FULL ? 1 : 0;
                }
        }
        return Map.of("taken", count - refused, "refused", refused);
    }

    static Object verify(JsonNode a) throws Exception {
        List<String> secrets = new ArrayList<>();
        a.path("secrets").forEach(one -> secrets.add(one.asText()));
        Map<String, List<String>> headers = new LinkedHashMap<>();
        a.path("headers").forEach(pair -> headers.computeIfAbsent(pair.get(0).asText(), key -> new ArrayList<>()).add(pair.get(1).asText()));
        WebhookVerifier verifier = new WebhookVerifier(secrets, a.path("dialect").asText()).url(a.path("url").asText())
            .tolerance(Duration.ofSeconds(a.path("tolerance").asLong())).now(() -> Instant.ofEpochSecond(a.path("now").asLong()));
        WebhookEvent event = verifier.constructEvent(Base64.getDecoder().decode(a.path("body_base64").asText()), headers, a.path("method").asText());
        ObjectNode shown = PLAIN.createObjectNode().put("id", event.id()).put("type", event.type()).put("resource_type", event.resourceType())
            .put("resource_id", event.resourceId()).put("endpoint_id", event.endpointId()).put("delivery_id", event.deliveryId()).put("protects", verifier.protectsAgainstReplay());
        if (event.time() != null)
            shown.put("time", event.time().getEpochSecond());
        shown.set("data", event.data());
        return shown;
    }

    static Map<String, Object> shown(Throwable error) {
        Map<String, Object> made = new LinkedHashMap<>();
        if (error instanceof ProblemException e) {
            made.put("kind", e.kind().word());
            made.put("status", e.status());
            made.put("detail", e.detail());
            made.put("request_id", e.requestId());
            made.put("errors", e.errors());
            e.retryAfter().ifPresent(wait -> made.put("retry_after", wait.toSeconds()));
        } else if (error instanceof TenterhookException e) {
            made.put("kind", e.kind().word());
        } else if (error instanceof SignatureException e) {
            made.put("kind", "signature");
            made.put("code", e.code());
        } else {
            made.put("kind", error instanceof IllegalArgumentException ? "configuration" : "unexpected");
            made.put("detail", String.valueOf(error));
        }
        return made;
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode command = PLAIN.readTree(line);
            ObjectNode answer = PLAIN.createObjectNode();
            try {
                answer.set("ok", JSON.valueToTree(run(command.path("call").asText(), command.path("args"), command.path("client"))));
            } catch (Exception e) {
                answer.set("error", PLAIN.valueToTree(shown(e)));
            }
            System.out.println(PLAIN.writeValueAsString(answer));
        }
    }
}
