// Puts the printed controller behind the JDK's own HTTP server on a free port of loopback. The few names of Spring
// that the controller uses are declared here, with no more in them than it needs.
//
// Prints "listening PORT"; each line on standard input is {"secrets": {"tiro": ...}} and is answered "ok"; each event
// that the controller takes is printed as "handled {...}".
import com.sun.net.httpserver.HttpExchange
import com.sun.net.httpserver.HttpServer
import java.net.InetAddress
import java.net.InetSocketAddress
import java.util.concurrent.Executors

annotation class RestController
annotation class Value(val value: String)
annotation class PostMapping(val path: String)
annotation class RequestHeader(val name: String)
annotation class RequestBody

enum class HttpStatus(val code: Int) { OK(200), UNAUTHORIZED(401) }

class ResponseEntity<T>(val status: HttpStatus, val content: T) {
    class Builder(private val status: HttpStatus) {
        fun <T> body(content: T) = ResponseEntity(status, content)
    }

    companion object {
        fun status(status: HttpStatus) = Builder(status)
        fun <T> ok(content: T) = ResponseEntity(HttpStatus.OK, content)
    }
}

/** The page leaves this type to the reader, and the JDK has no JSON reader: the text as it came. */
class WebhookEvent(val text: String)

@Synchronized
fun say(line: String) = println(line)

fun handleWebhookEvent(event: WebhookEvent) = say("handled " + event.text)

/** Gives the controller its secret as Spring does: by writing the private field that @Value marks. */
fun inject(controller: WebhookController, secret: String) {
    val field = WebhookController::class.java.getDeclaredField("webhookSecret")
    field.isAccessible = true
    field.set(controller, secret)
}

fun answer(controller: WebhookController, exchange: HttpExchange) {
    val body = String(exchange.requestBody.readBytes())
    val reply = controller.handleWebhook(exchange.requestHeaders.getFirst("Authorization"), WebhookEvent(body))
    val bytes = reply.content.toByteArray()
    exchange.sendResponseHeaders(reply.status.code, bytes.size.toLong())
    exchange.responseBody.use { it.write(bytes) }
}

fun main() {
    val controller = WebhookController()
    val server = HttpServer.create(InetSocketAddress(InetAddress.getByName("127.0.0.1"), 0), 0)
    val path = WebhookController::class.java.declaredMethods.first { it.name == "handleWebhook" }
        .getAnnotation(PostMapping::class.java).path
    server.createContext(path) { answer(controller, it) }
    server.executor = Executors.newFixedThreadPool(4) { Thread(it).apply { isDaemon = true } }
    server.start()
    say("listening ${server.address.port}")
    while (true) {
        val line = readLine() ?: break
        // Secrets of this dialect are letters, digits, "_" and "-".
        val found = Regex("\"tiro\": *\"([A-Za-z0-9_-]+)\"").find(line) ?: throw IllegalArgumentException(line)
        inject(controller, found.groupValues[1])
        say("ok")
    }
    System.exit(0)
}
