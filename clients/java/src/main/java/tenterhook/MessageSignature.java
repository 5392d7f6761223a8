package tenterhook;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.Signature;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** HTTP message signatures (RFC 9421) with Content-Digest (RFC 9530) for the body, by the rules of the C library.
 *
 * A request may carry several signatures, each under a label. One is judged when it has the scheme's tag (none: no tag) and algorithm, says when it
 * was made, and covers everything that the scheme says; of the scheme's headers those that the request has. Refused are what is no structured field
 * (RFC 9651), a label or a parameter twice, components with parameters, and values with line ends. */
final class MessageSignature {
    private static final int SIGNATURES = 8, COVERED = 16, PARAMS = 2048;
    private static final String STRING = "\"((?:[ !#-\\[\\]-~]|\\\\[\"\\\\])*)\"";
    private static final Pattern KEY = Pattern.compile("([a-z*][a-z0-9_\\-.*]*)"), TEXT = Pattern.compile(STRING), BYTES = Pattern.compile(":([A-Za-z0-9+/=]*):"),
        ITEM = Pattern.compile("(" + STRING + "|:[A-Za-z0-9+/=]*:|\\?[01]|(?:0|-?[1-9][0-9]{0,14})(?![0-9.])|[A-Za-z*][!#$%&'*+\\-.^_`|~:/A-Za-z0-9]*)"),
        DECIMAL = Pattern.compile("0|[1-9][0-9]{0,14}"), URL = Pattern.compile("([^:/?#]+)://([^/?]*)(/[^?]*)(\\?.*)?", Pattern.DOTALL);

    /** What a request is judged by; now and window in seconds. */
    record Judging(List<WebhookVerifier.Key> keys, WebhookVerifier.Fields fields, byte[] body, String method, String url, long now, long window) {}

    private record Input(String label, List<String> covered, String text, boolean usable, Map<String, String> params) {}

    private static final class Malformed extends Exception {
        private static final long serialVersionUID = 1;
    }

    private interface Member {
        void take(Scanner s, String key) throws Malformed;
    }

    private static final class Scanner {
        final String text;
        int at;

        Scanner(String text) {
            this.text = text;
        }

        boolean eat(String piece) {
            boolean found = text.startsWith(piece, at);
            at += found ? piece.length() : 0;
            return found;
        }

        void skip(String white) {
            while (at < text.length() && white.indexOf(text.charAt(at)) >= 0)
                at++;
        }

        String take(Pattern pattern) throws Malformed {
            Matcher found = pattern.matcher(text).region(at, text.length()).useTransparentBounds(true);
            if (!found.lookingAt())
                throw new Malformed();
            at = found.end();
            return found.group(1);
        }

        /** Calls member for each key of a dictionary, which takes what stands behind it. */
        void members(Member member) throws Malformed {
            skip(" ");
            for (boolean first = true;; first = false) {
                if (!first) {
                    skip(" \t");
                    if (at == text.length())
                        return;
                    if (!eat(","))
                        throw new Malformed();
                    skip(" \t");
                }
                member.take(this, take(KEY));
            }
        }

        List<String[]> params() throws Malformed {
            List<String[]> found = new ArrayList<>();
            while (eat(";")) {
                skip(" ");
                String key = take(KEY);
                found.add(new String[] {key, eat("=") ? take(ITEM) : "?1"});
            }
            return found;
        }
    }

    private MessageSignature() {}

    private static String written(List<String[]> params) {
        StringBuilder out = new StringBuilder();
        for (String[] one : params)
            out.append(';').append(one[0]).append(one[1].equals("?1") ? "" : "=" + one[1]);
        return out.toString();
    }

    private static Map<String, String> known(List<String[]> params) throws Malformed {
        Map<String, String> found = new HashMap<>();
        for (String[] one : params) {
            String key = one[0], value = one[1];
            boolean numeric = key.equals("created") || key.equals("expires"), single = numeric || key.equals("alg") || key.equals("tag");
            if (!single && !key.equals("keyid") && !key.equals("nonce"))
                continue;
            if ((numeric ? !DECIMAL.matcher(value).matches() : !value.startsWith("\"")) || (single && found.containsKey(key)))
                throw new Malformed();
            found.put(key, numeric ? value : value.substring(1, value.length() - 1));
        }
        return found;
    }

    private static List<Input> inputs(String field) throws Malformed {
        Map<String, Input> found = new LinkedHashMap<>();
        new Scanner(field).members((s, label) -> {
            if (found.size() == SIGNATURES || !s.eat("=") || !s.eat("(") || found.containsKey(label))
                throw new Malformed();
            List<String> covered = new ArrayList<>(), pieces = new ArrayList<>();
            boolean usable = true;
            for (s.skip(" "); !s.eat(")"); s.skip(" ")) {
                String name = s.take(TEXT);
                List<String[]> own = s.params();
                if (covered.size() == COVERED || s.at == s.text.length() || " )".indexOf(s.text.charAt(s.at)) < 0)
                    throw new Malformed();
                usable = usable && own.isEmpty() && !covered.contains(name);
                covered.add(name);
                pieces.add('"' + name + '"' + written(own));
            }
            List<String[]> params = s.params();
            String text = "(" + String.join(" ", pieces) + ")" + written(params);
            if (text.length() > PARAMS)
                throw new Malformed();
            found.put(label, new Input(label, covered, text, usable, known(params)));
        });
        return List.copyOf(found.values());
    }

    /** The bytes that a dictionary has under a key, in base64; null: no such member. */
    private static String member(String field, String wanted) throws Malformed {
        List<String> found = new ArrayList<>();
        new Scanner(field).members((s, key) -> {
            if (!s.eat("="))
                throw new Malformed();
            String text = s.take(BYTES);
            if (key.equals(wanted))
                found.add(text);
            if (found.size() > 1)
                throw new Malformed();
        });
        return found.isEmpty() ? null : found.get(0);
    }

    private static String derived(String name, String method, String url) {
        if (name.equals("@method"))
            return method;
        Matcher found = URL.matcher(url);
        if (!found.matches())
            return null;
        String authority = found.group(2), path = found.group(3), query = found.group(4), port = found.group(1).length() == 5 ? ":443" : ":80";
        if (authority.endsWith(port) && !authority.equals(port))
            authority = authority.substring(0, authority.length() - port.length());
        return switch (name) {
            case "@target-uri" -> url;
            case "@authority" -> authority.toLowerCase(Locale.ROOT);
            case "@scheme" -> found.group(1).toLowerCase(Locale.ROOT);
            case "@request-target" -> path + (query == null ? "" : query);
            case "@path" -> path;
            case "@query" -> query == null ? "?" : query;
            default -> null;
        };
    }

    private static SignatureException malformed(String header, String message) {
        return new SignatureException("malformed", header, message);
    }

    private static byte[] base(Input in, Judging j) throws SignatureException {
        StringBuilder out = new StringBuilder();
        for (String name : in.covered) {
            String value;
            if (name.startsWith("@")) {
                if ((name.equals("@method") ? j.method : j.url).isEmpty())
                    throw malformed("Signature-Input", "the signature covers the method or the URL, and none is given");
                value = derived(name, j.method, j.url);
                if (value == null)
                    throw malformed("Signature-Input", "covers a component that is unknown, or the URL is not absolute");
            } else {
                value = j.fields.get(name).replaceAll("^[ \t]+|[ \t]+$", "");
            }
            if (value.indexOf('\r') >= 0 || value.indexOf('\n') >= 0)
                throw malformed("Signature-Input", "a covered value has a line end");
            out.append('"').append(name).append("\": ").append(value).append('\n');
        }
        return (out + "\"@signature-params\": " + in.text).getBytes(StandardCharsets.UTF_8);
    }

    private static void check(Input in, JsonNode form, Judging j, String signatures) throws SignatureException {
        long age = j.now - Long.parseLong(in.params.get("created"));
        if (in.params.containsKey("expires") && j.now > Long.parseLong(in.params.get("expires")))
            throw new SignatureException("too_old", "Signature-Input", "the signature has expired");
        if (j.window != 0 && age > j.window)
            throw new SignatureException("too_old", "Signature-Input", "signed too long ago: replayed, delayed, or a wrong clock");
        if (j.window != 0 && age < -j.window)
            throw new SignatureException("too_new", "Signature-Input", "signed in the future: a wrong clock");
        byte[] message = base(in, j);
        String text;
        try {
            text = member(signatures, in.label);
        } catch (Malformed e) {
            throw malformed("Signature", "is no dictionary of byte sequences");
        }
        if (text == null)
            throw malformed("Signature", "has no signature of this label");
        byte[] raw = WebhookVerifier.unbase64(text);
        if (raw == null || raw.length > 64)
            throw malformed("Signature", "is not base64, or too long");
        boolean found = false;
        try {
            for (WebhookVerifier.Key key : j.keys)
                found |= key.publicKey() == null ? isMac(key, message, raw) : isSignature(key, message, raw);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
        if (!found)
            throw new SignatureException("no_match", "Signature", "it was made with another secret, or for another method, URL or header");
    }

    private static boolean isMac(WebhookVerifier.Key key, byte[] message, byte[] raw) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key.hmac(), "HmacSHA256"));
        return MessageDigest.isEqual(mac.doFinal(message), raw);
    }

    private static boolean isSignature(WebhookVerifier.Key key, byte[] message, byte[] raw) throws GeneralSecurityException {
        if (raw.length != 64)
            return false;
        Signature made = Signature.getInstance("Ed25519");
        try {
            made.initVerify(key.publicKey());
            made.update(message);
            return made.verify(raw);
        } catch (java.security.SignatureException | java.security.InvalidKeyException e) {
            return false; // key or signature is no point of the curve
        }
    }

    private static boolean concerns(Input in, JsonNode form, List<String> components, Judging j) {
        String algorithm = form.path("algorithm").asText(), tag = form.path("tag").asText();
        if (!in.usable || !in.params.containsKey("created") || !in.params.getOrDefault("alg", algorithm).equals(algorithm)
            || !in.params.getOrDefault("tag", "").equals(tag) || in.params.containsKey("tag") == tag.isEmpty())
            return false;
        return components.stream().allMatch(name -> in.covered.contains(name) || !(name.startsWith("@") || name.equals("content-digest") || j.fields.has(name)));
    }

    /** Throws when the request is not one that a holder of the keys has signed. */
    static void verify(JsonNode form, Judging j) throws SignatureException {
        String field = j.fields.get("Signature-Input"), signatures = j.fields.get("Signature");
        List<String> components = new ArrayList<>();
        form.path("components").forEach(one -> components.add(one.asText()));
        List<Input> inputs;
        try {
            inputs = inputs(field);
        } catch (Malformed e) {
            throw malformed("Signature-Input", "is not what RFC 9421 says, or has too many signatures, or a label twice");
        }
        SignatureException refusal = malformed("Signature-Input", "no signature of this scheme covers what the scheme says");
        for (Input in : inputs) {
            if (!concerns(in, form, components, j))
                continue;
            try {
                check(in, form, j, signatures);
                refusal = null;
                break;
            } catch (SignatureException e) {
                refusal = e;
            }
        }
        if (refusal != null)
            throw refusal;
        if (components.contains("content-digest"))
            checkDigest(j);
    }

    private static void checkDigest(Judging j) throws SignatureException {
        String field = j.fields.get("Content-Digest"), text = null;
        try {
            text = member(field, "sha-256");
        } catch (Malformed e) {
            // as if there were none
        }
        byte[] given = text == null ? null : WebhookVerifier.unbase64(text);
        if (given == null || given.length != 32)
            throw malformed("Content-Digest", "has no SHA-256 as RFC 9530 writes it");
        if (!MessageDigest.isEqual(WebhookVerifier.sha256(j.body), given))
            throw new SignatureException("no_match", "Content-Digest", "it is of other bytes: the body must be the raw one, not parsed and written again");
    }
}
