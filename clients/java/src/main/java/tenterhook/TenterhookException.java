package tenterhook;

/** Every error of this package but {@link SignatureException} is one. Without an answer of the server it is of kind CONNECTION or TIMEOUT. */
public class TenterhookException extends RuntimeException {
    private final Kind kind;

    public TenterhookException(Kind kind, String message, Throwable cause) {
        super(message, cause);
        this.kind = kind;
    }

    public Kind kind() {
        return kind;
    }
}
