package tenterhook;

import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** A list: iterating over it asks for page after page. */
public final class Pages<T> implements Iterable<T> {
    private final Tenterhook client;
    private final String path;
    private final Map<String, Object> query;
    private final JavaType type;

    Pages(Tenterhook client, String path, Map<String, ?> query, Class<T> row) {
        this.client = client;
        this.path = path;
        this.query = new TreeMap<>(query);
        this.type = client.mapper.constructType(row);
    }

    @Override
    public Iterator<T> iterator() {
        return new Iterator<>() {
            private Iterator<JsonNode> rows = List.<JsonNode>of().iterator();
            private boolean more = true;
            private final Map<String, Object> asked = new TreeMap<>(query);

            @Override
            public boolean hasNext() {
                while (!rows.hasNext() && more) {
                    JsonNode page = client.call("GET", path, asked, null, null, JsonNode.class);
                    rows = page.path("data").iterator();
                    more = page.path("next_cursor").isTextual();
                    asked.put("cursor", page.path("next_cursor").asText());
                }
                return rows.hasNext();
            }

            @Override
            public T next() {
                if (!hasNext())
                    throw new NoSuchElementException();
                return client.mapper.convertValue(rows.next(), type);
            }
        };
    }

    public Stream<T> stream() {
        return StreamSupport.stream(spliterator(), false);
    }

    /** The rows of all pages, at most {@code most}. */
    public List<T> all(int most) {
        List<T> found = new ArrayList<>();
        Iterator<T> rows = iterator();
        while (found.size() < most && rows.hasNext())
            found.add(rows.next());
        return found;
    }
}
