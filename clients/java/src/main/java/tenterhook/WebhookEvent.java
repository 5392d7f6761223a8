package tenterhook;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Instant;

/** A verified event. {@code data} is what was published, {@code body} the whole JSON as the dialect writes it; what the dialect does not send is null. */
public record WebhookEvent(String id, String type, Instant time, JsonNode data, String resourceType, String resourceId, String endpointId, String deliveryId,
                           JsonNode body) {}
