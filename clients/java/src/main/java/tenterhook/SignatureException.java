package tenterhook;

/** The request is not one that the sender made: answer 400 or 401. */
public class SignatureException extends Exception {
    private final String code, header;

    SignatureException(String code, String header, String message) {
        super(header == null ? message : header + ": " + message);
        this.code = code;
        this.header = header;
    }

    /** missing_header, malformed, too_old, too_new, no_match or bad_event. */
    public String code() {
        return code;
    }

    /** Where; null: in the body. */
    public String header() {
        return header;
    }
}
