package tenterhook;

import java.util.Locale;

/** What an error is, the same word in every client of Tenterhook. */
public enum Kind {
    BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT, PRECONDITION_FAILED, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, INVALID, RATE_LIMITED, UNAVAILABLE,
    API, CONNECTION, TIMEOUT, FULL, CLOSED;

    static Kind of(int status) {
        return switch (status) {
            case 400 -> BAD_REQUEST;
            case 401 -> UNAUTHORIZED;
            case 403 -> FORBIDDEN;
            case 404 -> NOT_FOUND;
            case 409 -> CONFLICT;
            case 412 -> PRECONDITION_FAILED;
            case 413 -> TOO_LARGE;
            case 415 -> UNSUPPORTED_MEDIA_TYPE;
            case 422 -> INVALID;
            case 429 -> RATE_LIMITED;
            default -> status >= 500 ? UNAVAILABLE : API;
        };
    }

    /** The word, as {@code not_found}. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
