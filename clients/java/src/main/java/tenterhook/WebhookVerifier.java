package tenterhook;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.spec.NamedParameterSpec;
import java.security.spec.X509EncodedKeySpec;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Verifies the requests of one endpoint, in every built-in dialect. Threads may share one.
 *
 * The rules are those of the C library (docs/receiving.md): a content that could be split in two ways, a header that is there twice, a signature in
 * another spelling and a time outside the window are refused, and every comparison takes constant time. */
public final class WebhookVerifier {
    private static final ObjectMapper JSON = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
    private static final JsonNode DIALECTS = dialects();
    private static final List<String> RANK = List.of("too_old", "too_new", "no_match", "malformed", "missing_header", "bad_event");
    private static final Pattern DECIMAL = Pattern.compile("0|[1-9][0-9]{0,14}");
    private static final Pattern TIME = Pattern.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})");

    record Key(String algorithm, String kind, byte[] hmac, PublicKey publicKey) {}

    private final JsonNode scheme;
    private final List<Key> keys = new ArrayList<>();
    private final List<byte[]> digests = new ArrayList<>();
    private Duration tolerance = Duration.ofSeconds(300);
    private String url = "";
    private Supplier<Instant> now = Instant::now;

    /** A verifier of the dialect {@code standard}. */
    public WebhookVerifier(String secret) {
        this(List.of(secret), "standard");
    }

    public WebhookVerifier(String secret, String dialect) {
        this(List.of(secret), dialect);
    }

    /** @param secrets several while one is rotated; for a dialect of Ed25519 the public key is enough
     *  @param dialect one of {@link #dialectNames}
     *  @throws IllegalArgumentException there is no such dialect, or a secret is not of its form */
    public WebhookVerifier(List<String> secrets, String dialect) {
        scheme = DIALECTS.path(dialect);
        if (scheme.isMissingNode())
            throw new IllegalArgumentException("there is no dialect " + dialect + "; there are " + String.join(", ", dialectNames()));
        if (secrets.isEmpty())
            throw new IllegalArgumentException("a verifier needs a secret");
        for (int i = 0; i < secrets.size(); i++)
            if (!add(secrets.get(i)))
                throw new IllegalArgumentException("secret " + (i + 1) + " does not have the form of the secrets of the dialect " + dialect);
    }

    /** The names of the dialects that are built in. */
    public static Iterable<String> dialectNames() {
        TreeSet<String> names = new TreeSet<>();
        DIALECTS.fieldNames().forEachRemaining(names::add);
        return names;
    }

    /** How old, and how far in the future, a signed time may be; zero: any. Default 5 minutes. */
    public WebhookVerifier tolerance(Duration tolerance) {
        this.tolerance = tolerance;
        return this;
    }

    /** The URL of this receiver as it was registered, for dialects that sign it. */
    public WebhookVerifier url(String url) {
        this.url = url;
        return this;
    }

    /** The clock. */
    public WebhookVerifier now(Supplier<Instant> now) {
        this.now = now;
        return this;
    }

    /** Whether an old request that somebody sends again is recognised: only where the scheme signs a time. */
    public boolean protectsAgainstReplay() {
        boolean all = !scheme.path("forms").isEmpty() && !tolerance.isZero();
        for (JsonNode form : scheme.path("forms"))
            all &= texts(form.path("content")).contains("{ts}");
        return all;
    }

    /** Verifies a request and gives its event.
     *  @param rawBody the bytes as they came, before any JSON parser
     *  @param headers all headers; each name with all its values */
    public WebhookEvent constructEvent(byte[] rawBody, Map<String, List<String>> headers) throws SignatureException {
        return constructEvent(rawBody, headers, "POST");
    }

    /** The same with a request of another method, which HTTP message signatures (RFC 9421) cover. */
    public WebhookEvent constructEvent(byte[] rawBody, Map<String, List<String>> headers, String method) throws SignatureException {
        Fields fields = new Fields(headers);
        if (scheme.path("auth").isObject())
            checkAuth(fields);
        if (!scheme.path("forms").isEmpty())
            checkForms(fields, rawBody, method);
        return readEvent(fields, rawBody);
    }

    private static JsonNode dialects() {
        try (InputStream in = WebhookVerifier.class.getResourceAsStream("/tenterhook/dialects.json")) {
            return new ObjectMapper().readTree(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<String> texts(JsonNode array) {
        List<String> found = new ArrayList<>();
        array.forEach(one -> found.add(one.asText()));
        return found;
    }

    private static SignatureException malformed(String header, String message) {
        return new SignatureException("malformed", header, message);
    }

    // ---- headers ----

    static final class Fields {
        private final Map<String, List<String>> values = new HashMap<>();

        Fields(Map<String, List<String>> headers) {
            headers.forEach((name, all) -> {
                if (name != null)
                    values.computeIfAbsent(name.toLowerCase(Locale.ROOT), key -> new ArrayList<>()).addAll(all);
            });
        }

        boolean has(String name) {
            return values.containsKey(name.toLowerCase(Locale.ROOT));
        }

        String get(String name) throws SignatureException {
            List<String> found = values.getOrDefault(name.toLowerCase(Locale.ROOT), List.of());
            if (found.isEmpty())
                throw new SignatureException("missing_header", name, "the header is not there");
            if (found.size() > 1)
                throw malformed(name, "the header is there twice");
            return found.get(0);
        }
    }

    private static boolean isVariable(String piece) {
        return piece.startsWith("{") && piece.length() > 2;
    }

    private static String name(String piece) {
        return piece.substring(1, piece.length() - 1);
    }

    /** The values that the variables of a template have in a text; null: it does not fit. */
    private static Map<String, String> match(List<String> template, String text) {
        Map<String, String> values = new HashMap<>();
        for (int i = 0; i < template.size(); i++) {
            String piece = template.get(i);
            if (!isVariable(piece)) {
                if (!text.startsWith(piece))
                    return null;
                text = text.substring(piece.length());
                continue;
            }
            int end = text.length();
            if (i + 1 < template.size())
                end = piece.equals("{items}") ? text.lastIndexOf(template.get(i + 1)) : text.indexOf(template.get(i + 1));
            if (end < 0)
                return null;
            values.put(name(piece), text.substring(0, end));
            text = text.substring(end);
        }
        return text.isEmpty() ? values : null;
    }

    private void checkAuth(Fields fields) throws SignatureException {
        String header = scheme.path("auth").path("header").asText();
        Map<String, String> values = match(texts(scheme.path("auth").path("value")), fields.get(header));
        if (values == null)
            throw malformed(header, "the header does not have the form of the scheme");
        byte[] utf8 = sha256(values.get("secret").getBytes(StandardCharsets.UTF_8)); // as servers decode headers: the one way or the other
        byte[] latin = sha256(values.get("secret").getBytes(StandardCharsets.ISO_8859_1));
        boolean found = false;
        for (byte[] own : digests)
            found |= MessageDigest.isEqual(utf8, own) | MessageDigest.isEqual(latin, own);
        if (!found)
            throw new SignatureException("no_match", header, "not one of the secrets");
    }

    private void checkForms(Fields fields, byte[] body, String method) throws SignatureException {
        SignatureException best = null;
        for (JsonNode form : scheme.path("forms")) {
            List<Key> own = keys.stream().filter(key -> key.algorithm.equals(form.path("algorithm").asText()) && key.kind.equals(form.path("key").asText())).toList();
            if (own.isEmpty())
                continue;
            try {
                if (form.path("encoding").asText().equals("http-message"))
                    checkMessage(form, own, fields, body, method);
                else
                    checkForm(form, own, fields, body);
                return;
            } catch (SignatureException e) {
                if (best == null || RANK.indexOf(e.code()) < RANK.indexOf(best.code()))
                    best = e;
            }
        }
        throw best;
    }

    private void checkMessage(JsonNode form, List<Key> own, Fields fields, byte[] body, String method) throws SignatureException {
        if (url.isEmpty() && texts(form.path("components")).stream().anyMatch(name -> name.startsWith("@") && !name.equals("@method")))
            throw new IllegalStateException("the dialect signs the URL of the endpoint: give it by url()");
        MessageSignature.verify(form, new MessageSignature.Judging(own, fields, body, method, url, now.get().getEpochSecond(), tolerance.toSeconds()));
    }

    private void checkForm(JsonNode form, List<Key> own, Fields fields, byte[] body) throws SignatureException {
        String header = form.path("header").asText();
        List<String> content = texts(form.path("content"));
        Map<String, String> values = new HashMap<>(Map.of("schema.version", scheme.path("schema_version").asText(), "endpoint.url", url));
        if (url.isEmpty() && content.contains("{endpoint.url}"))
            throw new IllegalStateException("the dialect signs the URL of the endpoint: give it by url()");
        List<String> signatures = readHeader(form, fields.get(header), values);
        List<String> wanted = content.stream().filter(WebhookVerifier::isVariable).map(WebhookVerifier::name).filter(one -> !one.equals("body") && !values.containsKey(one)).toList();
        for (JsonNode source : scheme.path("sources")) {
            String from = source.path("header").asText(), variable = source.path("variable").asText();
            if (!wanted.contains(variable) || (values.containsKey(variable) && !fields.has(from)))
                continue;
            String value = fields.get(from), before = values.putIfAbsent(variable, value);
            if (value.isEmpty())
                throw malformed(from, "the header is empty");
            if (before != null && !before.equals(value))
                throw malformed(from, "another header gives a different value for the same field");
        }
        checkTime(form, content, values);
        if (isAmbiguous(content, values, body))
            throw malformed(header, "id, time and body could be separated in more than one way");
        List<byte[]> parts = new ArrayList<>();
        for (String piece : content)
            parts.add(piece.equals("{body}") ? body : (isVariable(piece) ? values.getOrDefault(name(piece), "") : piece).getBytes(StandardCharsets.UTF_8));
        if (signatures.size() > 32 && form.path("algorithm").asText().equals("ed25519"))
            throw malformed(header, "the header has too many signatures");
        boolean found = false;
        try {
            for (Key key : own)
                for (String text : signatures)
                    found |= key.publicKey == null ? isMac(form, key, parts, text) : isSignature(form, key, parts, text);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
        if (!found)
            throw new SignatureException("no_match", header,
                                         "it was made with another secret or for other bytes: the body must be the raw one, not parsed and written again");
    }

    /** The signatures of a header, in their encoding; its time goes into values. Elements of other forms are passed over. */
    private static List<String> readHeader(JsonNode form, String text, Map<String, String> values) throws SignatureException {
        String header = form.path("header").asText(), join = form.path("join").asText();
        int bytes = switch (form.path("algorithm").asText()) {
            case "hmac-sha1" -> 20;
            case "hmac-sha256" -> 32;
            default -> 64;
        };
        int length = form.path("encoding").asText().equals("hex") ? 2 * bytes : (bytes + 2) / 3 * 4;
        List<String> signatures = new ArrayList<>();
        boolean wrongLength = false;
        if (form.path("wrap").isArray()) {
            Map<String, String> outer = match(texts(form.path("wrap")), text);
            if (outer == null)
                throw malformed(header, "the header does not have the form of the scheme");
            if (outer.containsKey("ts"))
                values.put("ts", outer.get("ts"));
            text = outer.get("items");
        }
        for (String part : join.isEmpty() ? List.of(text) : Arrays.asList(text.split(Pattern.quote(join), -1))) {
            Map<String, String> stamp = form.path("stamp_item").isArray() ? match(texts(form.path("stamp_item")), part) : null;
            if (stamp != null) {
                if (values.put("ts", stamp.get("ts")) != null)
                    throw malformed(header, "the header has two times");
                continue;
            }
            Map<String, String> item = match(texts(form.path("item")), part);
            if (item == null)
                continue;
            if (item.get("sig").length() != length) {
                wrongLength = true;
                continue;
            }
            if (item.containsKey("ts") && !item.get("ts").equals(values.getOrDefault("ts", item.get("ts"))))
                throw malformed(header, "the header has two times");
            if (item.containsKey("ts"))
                values.put("ts", item.get("ts"));
            signatures.add(item.get("sig"));
        }
        if (signatures.isEmpty())
            throw malformed(header, wrongLength ? "the signature does not have the length of the algorithm's signatures"
                                                : "the header has no signature of a form that this scheme knows");
        return signatures;
    }

    private void checkTime(JsonNode form, List<String> content, Map<String, String> values) throws SignatureException {
        String header = form.path("header").asText(), ts = values.get("ts"), stamp = form.path("timestamp").asText();
        if (!content.contains("{ts}"))
            return; // a time that is not signed proves nothing
        if (ts == null)
            throw malformed(header, "the header has no time");
        Instant at = stamp.equals("rfc3339") ? rfc3339(ts) : !DECIMAL.matcher(ts).matches() ? null
            : stamp.equals("unix_millis") ? Instant.ofEpochMilli(Long.parseLong(ts)) : Instant.ofEpochSecond(Long.parseLong(ts));
        if (at == null)
            throw malformed(header, "the time is not written as the scheme writes it");
        long age = now.get().getEpochSecond() - at.getEpochSecond(), window = tolerance.toSeconds();
        if (window != 0 && age > window)
            throw new SignatureException("too_old", header, "signed too long ago: replayed, delayed, or a wrong clock");
        if (window != 0 && age < -window)
            throw new SignatureException("too_new", header, "signed in the future: a wrong clock, or not in seconds");
    }

    /** Whether another split of the same content could have been signed. */
    private static boolean isAmbiguous(List<String> content, Map<String, String> values, byte[] body) {
        boolean variable = false; // one stands before the time
        for (int i = 0; i < content.size(); i++) {
            String piece = content.get(i), next = i + 1 < content.size() ? content.get(i + 1) : "";
            if (!isVariable(piece) || piece.equals("{body}"))
                continue;
            String literal = isVariable(next) ? "" : next;
            if (piece.equals("{ts}")) {
                int behind = i + 1 + (literal.isEmpty() ? 0 : 1);
                if (behind < content.size() && content.get(behind).equals("{body}") && (variable || literal.isEmpty()) && beginsAsTime(body, literal))
                    return true;
                continue;
            }
            if (!literal.isEmpty() && values.getOrDefault(name(piece), "").contains(literal))
                return true;
            variable = true;
        }
        return false;
    }

    private static boolean beginsAsTime(byte[] body, String separator) {
        int n = 0;
        while (n < body.length && body[n] >= '0' && body[n] <= '9')
            n++;
        return n > 0 && new String(body, n, Math.min(separator.length(), body.length - n), StandardCharsets.ISO_8859_1).equals(separator);
    }

    // ---- signatures and secrets ----

    private static boolean isMac(JsonNode form, Key key, List<byte[]> parts, String text) throws GeneralSecurityException {
        String algorithm = "Hmac" + form.path("algorithm").asText().substring(5).toUpperCase(Locale.ROOT);
        Mac mac = Mac.getInstance(algorithm);
        mac.init(new SecretKeySpec(key.hmac, algorithm));
        parts.forEach(mac::update);
        byte[] made = mac.doFinal();
        String own = form.path("encoding").asText().equals("hex") ? HexFormat.of().formatHex(made) : Base64.getEncoder().encodeToString(made);
        return MessageDigest.isEqual(own.getBytes(StandardCharsets.UTF_8), text.getBytes(StandardCharsets.UTF_8));
    }

    private static boolean isSignature(JsonNode form, Key key, List<byte[]> parts, String text) throws GeneralSecurityException {
        boolean hex = form.path("encoding").asText().equals("hex");
        byte[] raw = hex ? unhex(text) : unbase64(text);
        if (raw == null || raw.length != 64 || (hex && !HexFormat.of().formatHex(raw).equals(text)))
            return false;
        Signature made = Signature.getInstance("Ed25519");
        try {
            made.initVerify(key.publicKey);
            for (byte[] part : parts)
                made.update(part);
            return made.verify(raw);
        } catch (java.security.SignatureException | java.security.InvalidKeyException e) {
            return false; // key or signature is no point of the curve
        }
    }

    private boolean add(String text) {
        if (text.isEmpty())
            throw new IllegalArgumentException("a secret is empty");
        digests.add(sha256(text.getBytes(StandardCharsets.UTF_8)));
        boolean fits = scheme.path("forms").isEmpty();
        for (JsonNode form : scheme.path("forms")) {
            Key key = keyOf(form.path("algorithm").asText(), form.path("key").asText(), text);
            if (key != null)
                keys.add(key);
            fits |= key != null;
        }
        return fits;
    }

    /** The key that a secret is; null: it is of another form. */
    private static Key keyOf(String algorithm, String kind, String text) {
        boolean secret = text.startsWith("whsk_");
        if (kind.equals("whsk") && !secret && !text.startsWith("whpk_"))
            return null;
        byte[] raw = switch (kind) {
            case "utf8" -> text.getBytes(StandardCharsets.UTF_8);
            case "hex" -> unhex(text);
            case "whsec" -> unbase64(text.startsWith("whsec_") ? text.substring(6) : text);
            case "whsk" -> unbase64(text.substring(5));
            default -> unbase64(text);
        };
        if (raw == null || raw.length == 0)
            return null;
        if (!algorithm.equals("ed25519"))
            return new Key(algorithm, kind, raw, null);
        try {
            if (kind.equals("whsk") && secret)
                return raw.length == 32 || raw.length == 64 ? new Key(algorithm, kind, null, publicOf(Arrays.copyOf(raw, 32))) : null;
            if (raw.length != 32)
                return null;
            byte[] der = HexFormat.of().parseHex("302a300506032b6570032100" + HexFormat.of().formatHex(raw));
            return new Key(algorithm, kind, null, KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(der)));
        } catch (GeneralSecurityException e) {
            return null;
        }
    }

    /** The public key of a seed. The platform derives one only while it generates a pair, so it is given this seed as its randomness. */
    private static PublicKey publicOf(byte[] seed) throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("Ed25519");
        generator.initialize(NamedParameterSpec.ED25519, new SecureRandom() {
            @Override
            public void nextBytes(byte[] bytes) {
                System.arraycopy(seed, 0, bytes, 0, bytes.length);
            }
        });
        return generator.generateKeyPair().getPublic();
    }

    static byte[] sha256(byte[] bytes) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(bytes);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static byte[] unhex(String text) {
        try {
            return HexFormat.of().parseHex(text);
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    /** One spelling of its bytes, with or without padding. */
    static byte[] unbase64(String text) {
        String bare = text.replaceAll("=+$", "");
        try {
            byte[] raw = Base64.getDecoder().decode(bare);
            return Base64.getEncoder().withoutPadding().encodeToString(raw).equals(bare) ? raw : null;
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    // ---- the event ----

    private static Instant rfc3339(String text) {
        if (!TIME.matcher(text).matches())
            return null;
        String upper = text.toUpperCase(Locale.ROOT);
        if (upper.startsWith("60", 17)) // a leap second counts as the one before
            upper = upper.substring(0, 17) + "59" + upper.substring(19);
        try {
            Instant at = OffsetDateTime.parse(upper).toInstant();
            return at.getEpochSecond() < 0 ? null : at;
        } catch (DateTimeException e) {
            return null;
        }
    }

    private static SignatureException bad(String message) {
        return new SignatureException("bad_event", null, message);
    }

    private static JsonNode at(JsonNode body, JsonNode path) {
        JsonNode value = path.isArray() ? body : MissingNode.getInstance();
        for (JsonNode name : path)
            value = value.path(name.asText());
        return value;
    }

    /** A string as it is, a number as its text, null as nothing. */
    private static String asText(JsonNode value) throws SignatureException {
        if (value.isMissingNode() || value.isNull())
            return null;
        if (!value.isTextual() && !value.isNumber())
            throw bad("a field of the event is neither a string nor a number");
        return value.asText();
    }

    private Instant timeOf(JsonNode value) throws SignatureException {
        if (value.isMissingNode() || value.isNull())
            return null;
        Instant at = value.isTextual() ? rfc3339(value.asText()) : null;
        if (value.isIntegralNumber() && value.canConvertToLong() && value.asLong() >= 0 && value.asLong() < 253402300800000L)
            at = scheme.path("time_millis").asBoolean() ? Instant.ofEpochMilli(value.asLong()) : Instant.ofEpochSecond(value.asLong());
        if (at != null && at.getEpochSecond() < 253402300800L)
            return at;
        if (scheme.path("paths").path("data").isMissingNode())
            return null; // the publisher's own member
        throw bad("the time of the event is neither RFC 3339 nor unix seconds");
    }

    private WebhookEvent readEvent(Fields fields, byte[] raw) throws SignatureException {
        JsonNode body;
        try {
            body = JSON.readTree(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(raw)).toString());
        } catch (CharacterCodingException | com.fasterxml.jackson.core.JsonProcessingException e) {
            throw bad("the body is not JSON");
        }
        if (!body.isObject())
            throw bad("the body is not a JSON object");
        JsonNode paths = scheme.path("paths");
        Map<String, String> found = new HashMap<>();
        for (String name : List.of("id", "type", "resource_type", "resource_id", "endpoint_id", "delivery_id"))
            found.put(name, asText(at(body, paths.path(name))));
        Instant time = timeOf(at(body, paths.path("time")));
        for (JsonNode source : scheme.path("sources")) {
            String header = source.path("header").asText(), variable = source.path("variable").asText();
            String name = (variable.startsWith("event.") ? variable.substring(6) : variable).replace('.', '_');
            if (variable.equals("ts") || !fields.has(header))
                continue;
            if (name.equals("time"))
                time = time == null ? rfc3339(fields.get(header)) : time;
            else if (found.get(name) == null || found.get(name).isEmpty())
                found.put(name, fields.get(header));
        }
        String type = found.get("type");
        if (type != null && found.get("resource_type") == null) {
            found.put("resource_type", scheme.path("resources").path(type).asText(null));
            for (Iterator<Map.Entry<String, JsonNode>> it = scheme.path("resource_prefixes").fields(); it.hasNext() && found.get("resource_type") == null;) {
                Map.Entry<String, JsonNode> prefix = it.next();
                if (type.startsWith(prefix.getKey()))
                    found.put("resource_type", prefix.getValue().asText());
            }
        }
        JsonNode data = paths.path("data").isArray() ? at(body, paths.path("data")) : body, own = data.path("id");
        if (found.get("resource_id") == null && (own.isTextual() || own.isNumber()))
            found.put("resource_id", own.asText());
        return new WebhookEvent(found.get("id"), type, time, data, found.get("resource_type"), found.get("resource_id"), found.get("endpoint_id"),
                                found.get("delivery_id"), body);
    }
}
