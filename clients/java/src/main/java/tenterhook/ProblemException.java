package tenterhook;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.http.HttpHeaders;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The server refused: a problem as in RFC 9457. */
public class ProblemException extends TenterhookException {
    /** One wrong value of a request: where, as a JSON pointer or the name of a query parameter, and what. */
    public record Fault(String pointer, String parameter, String detail) {}

    private final int status;
    private final String title, detail, requestId;
    private final List<Fault> errors = new ArrayList<>();
    private final Duration retryAfter;

    private ProblemException(int status, JsonNode problem, HttpHeaders headers, String detail) {
        super(Kind.of(status), status + ": " + detail, null);
        this.status = status;
        this.title = problem.path("title").asText("");
        this.detail = detail;
        this.requestId = problem.path("request_id").asText(headers.firstValue("Request-Id").orElse(null));
        for (JsonNode fault : problem.path("errors"))
            errors.add(new Fault(fault.path("pointer").asText(null), fault.path("parameter").asText(null), fault.path("detail").asText(null)));
        this.retryAfter = RetryingHttpClient.retryAfter(headers).orElse(null);
    }

    static ProblemException of(int status, byte[] body, HttpHeaders headers) {
        ObjectMapper mapper = new ObjectMapper();
        JsonNode problem = mapper.createObjectNode();
        try {
            JsonNode read = mapper.readTree(body);
            if (read != null && read.isObject())
                problem = read;
        } catch (IOException e) {
            // a proxy's page is no problem
        }
        return new ProblemException(status, problem, headers, problem.path("detail").asText(problem.path("title").asText("HTTP status " + status)));
    }

    public int status() {
        return status;
    }

    public String title() {
        return title;
    }

    public String detail() {
        return detail;
    }

    /** As in the server's log. */
    public String requestId() {
        return requestId;
    }

    /** Each wrong value of the request. */
    public List<Fault> errors() {
        return List.copyOf(errors);
    }

    /** What the server asks to wait. */
    public Optional<Duration> retryAfter() {
        return Optional.ofNullable(retryAfter);
    }
}
