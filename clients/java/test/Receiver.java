import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.boot.web.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestAttribute;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;
import tenterhook.WebhookEvent;
import tenterhook.WebhookVerifier;
import tenterhook.spring.WebhookFilter;

/** A receiver with Spring. Prints "listening PORT", takes {"secret"} a line, prints "event JSON". */
@RestController
@EnableAutoConfiguration
public class Receiver {
    static final AtomicReference<WebhookVerifier> CURRENT = new AtomicReference<>(); // of the test that is under way
    static final ObjectMapper JSON = new ObjectMapper();

    @Bean
    public FilterRegistrationBean<WebhookFilter> filter() {
        FilterRegistrationBean<WebhookFilter> made = new FilterRegistrationBean<>(new WebhookFilter(CURRENT::get));
        made.addUrlPatterns("/hook");
        return made;
    }

    @PostMapping("/hook")
    public ResponseEntity<Void> hook(@RequestAttribute("webhook") WebhookEvent webhook, @RequestBody byte[] raw) throws Exception {
        if (!JSON.readTree(raw).equals(webhook.body()))
            throw new IllegalStateException("the raw body is lost");
        System.out.println("event " + JSON.writeValueAsString(Map.of("id", webhook.id(), "data", webhook.data())));
        return ResponseEntity.noContent().build();
    }

    public static void main(String[] args) throws Exception {
        ServletWebServerApplicationContext context = (ServletWebServerApplicationContext) SpringApplication.run(Receiver.class, "--server.port=0", "--server.address=127.0.0.1",
            "--spring.main.banner-mode=off", "--logging.level.root=WARN");
        System.out.println("listening " + context.getWebServer().getPort());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            CURRENT.set(new WebhookVerifier(JSON.readTree(line).path("secret").asText()));
            System.out.println("ok");
        }
    }
}
