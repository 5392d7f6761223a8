package tenterhook.spring;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.springframework.web.filter.OncePerRequestFilter;
import tenterhook.SignatureException;
import tenterhook.WebhookEvent;
import tenterhook.WebhookVerifier;

/** Verifies the requests of the paths that it is registered for: {@code new FilterRegistrationBean<>(new WebhookFilter(verifier))} with
 * {@code addUrlPatterns("/hook")}. A controller takes the event as {@code @RequestAttribute WebhookEvent webhook}; the raw body can still be read
 * ({@code @RequestBody byte[]}). What is not the sender's is answered 401 with the reason. */
public final class WebhookFilter extends OncePerRequestFilter {
    private static final int MOST = 8 << 20; // bytes of a body
    private final Supplier<WebhookVerifier> verifier;

    public WebhookFilter(WebhookVerifier verifier) {
        this(() -> verifier);
    }

    /** Asks for the verifier with each request, where secrets change while the program runs. */
    public WebhookFilter(Supplier<WebhookVerifier> verifier) {
        this.verifier = verifier;
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain) throws ServletException, IOException {
        byte[] body = request.getInputStream().readNBytes(MOST + 1);
        if (body.length > MOST) {
            refuse(response, 413, "the body has more than " + MOST + " bytes");
            return;
        }
        Map<String, List<String>> headers = new HashMap<>();
        for (String name : Collections.list(request.getHeaderNames()))
            headers.put(name, Collections.list(request.getHeaders(name)));
        WebhookEvent event;
        try {
            event = verifier.get().constructEvent(body, headers, request.getMethod());
        } catch (SignatureException e) {
            refuse(response, 401, e.getMessage());
            return;
        }
        request.setAttribute("webhook", event);
        chain.doFilter(new Kept(request, body), response);
    }

    private static void refuse(HttpServletResponse response, int status, String why) throws IOException {
        response.setStatus(status);
        response.setContentType("text/plain;charset=UTF-8");
        response.getWriter().println(why);
    }

    /** A request whose body can be read although it has been read. */
    private static final class Kept extends HttpServletRequestWrapper {
        private final byte[] body;

        Kept(HttpServletRequest request, byte[] body) {
            super(request);
            this.body = body;
        }

        @Override
        public ServletInputStream getInputStream() {
            ByteArrayInputStream in = new ByteArrayInputStream(body);
            return new ServletInputStream() {
                @Override
                public int read() {
                    return in.read();
                }

                @Override
                public boolean isFinished() {
                    return in.available() == 0;
                }

                @Override
                public boolean isReady() {
                    return true;
                }

                @Override
                public void setReadListener(ReadListener listener) {
                    throw new UnsupportedOperationException("the body is here already");
                }
            };
        }

        @Override
        public BufferedReader getReader() {
            return new BufferedReader(new InputStreamReader(getInputStream(), StandardCharsets.UTF_8));
        }
    }
}
