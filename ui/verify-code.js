/* Programs that receive and verify what a dialect sends: whole ones, with the standard library of their language alone. They are
 * templates whose gaps are the names and forms of the dialect; test/py/test_pages.py runs each against the real server.
 *
 * Pure: no page, no network. */

/** What a receiver has to know of a dialect; null: it takes more than a short program (the C library does every dialect). */
export function schemeOf(dialect, url, variant) {
  const auth = dialect.auth ?? {};
  const rules = (dialect.signatures ?? []).map((s) => {
    const chosen = variant && s.variants?.[variant] ? { ...s, ...s.variants[variant] } : s;
    return chosen;
  });
  const rule = rules.find((r) => r.algorithm === 'hmac-sha256') ?? rules[0];
  if (!rule) return auth.header && auth.value?.includes('{secret}') ? { kind: 'token', header: auth.header, before: auth.value.split('{secret}')[0] } : null;
  const hash = { 'hmac-sha256': 'sha256', 'hmac-sha1': 'sha1', 'hmac-sha512': 'sha512' }[rule.algorithm];
  if (!hash || !['whsec', 'utf8', 'hex', 'base64'].includes(rule.key) || !['hex', 'base64'].includes(rule.encoding)) return null;
  const headers = dialect.request?.headers ?? [], wrap = rule.wrap ?? '{items}', inside = /(\w+)=\{ts\}/.exec(wrap)?.[1] ?? null;
  const parts = [];
  let ts = null;
  for (const piece of String(rule.content ?? '').split(/(\{[^{}]+\})/).filter(Boolean)) {
    const name = /^\{(.+)\}$/.exec(piece)?.[1];
    if (!name) parts.push({ text: piece });
    else if (name === 'body') parts.push({ body: true });
    else if (name === 'endpoint.url') parts.push({ text: url });
    else if (name === 'ts') {
      const header = headers.find((h) => h.value === '{ts}')?.name;
      if (!inside && !header) return null;
      ts = inside ? { inside } : { header };
      parts.push({ ts: true });
    } else {
      const header = headers.find((h) => h.value === piece)?.name;
      if (!header) return null;
      parts.push({ header });
    }
  }
  if (!parts.some((p) => p.body) || (ts && rule.timestamp && rule.timestamp !== 'unix')) return null;
  const [before, after] = String(rule.item ?? '{sig}').split('{sig}');
  if (after) return null;
  return { kind: 'hmac', hash, key: rule.key, header: rule.header, parts, ts, before, join: inside ? ',' : rule.join || ',', encoding: rule.encoding };
}

const lower = (s) => s.toLowerCase();
const q = (s) => JSON.stringify(s);
const sq = (s) => "'" + s.replaceAll('\\', '\\\\').replaceAll("'", "\\'") + "'";

const node = (s) => (s.kind === 'token' ? `const crypto = require('node:crypto'), http = require('node:http');

function verified(headers, body) {
  const want = Buffer.from(${sq(s.before)} + process.env.WEBHOOK_SECRET), given = Buffer.from(headers[${sq(lower(s.header))}] ?? '');
  return given.length === want.length && crypto.timingSafeEqual(given, want);
}
` : `const crypto = require('node:crypto'), http = require('node:http');
const key = ${{ whsec: "Buffer.from(process.env.WEBHOOK_SECRET.replace(/^whsec_/, ''), 'base64')", utf8: 'process.env.WEBHOOK_SECRET', hex: "Buffer.from(process.env.WEBHOOK_SECRET, 'hex')", base64: "Buffer.from(process.env.WEBHOOK_SECRET, 'base64')" }[s.key]};

function verified(headers, body) {
  const items = (headers[${sq(lower(s.header))}] ?? '').split(${sq(s.join)});
${s.ts ? `  const sent = ${s.ts.header ? `headers[${sq(lower(s.ts.header))}] ?? ''` : `items.find((item) => item.startsWith('${s.ts.inside}='))?.slice(${s.ts.inside.length + 1}) ?? ''`};
  if (!/^\\d+$/.test(sent) || Math.abs(Date.now() / 1000 - sent) > 300) return false; // too old, or sent again
` : ''}  const mac = crypto.createHmac('${s.hash}', key)${s.parts.map((p) => `.update(${p.body ? 'body' : p.ts ? 'sent' : p.header ? `headers[${sq(lower(p.header))}] ?? ''` : sq(p.text)})`).join('')};
  const want = Buffer.from(${sq(s.before)} + mac.digest('${s.encoding}'));
  return items.map((item) => Buffer.from(item)).some((given) => given.length === want.length && crypto.timingSafeEqual(given, want));
}
`) + `
http.createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const body = Buffer.concat(parts), ok = verified(request.headers, body); // the bytes as they came
    response.writeHead(ok ? 204 : 401).end(); // answer first, work afterwards
    if (ok) console.log(body.toString());
  });
}).listen(process.env.PORT, '127.0.0.1');
`;

const python = (s) => (s.kind === 'token' ? `import hmac, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WANT = (${q(s.before)} + os.environ["WEBHOOK_SECRET"]).encode()

def verified(headers, body):
    return hmac.compare_digest(WANT, (headers[${q(s.header)}] or "").encode())
` : `import base64, hashlib, hmac, os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = ${{ whsec: 'base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))', utf8: 'os.environ["WEBHOOK_SECRET"].encode()', hex: 'bytes.fromhex(os.environ["WEBHOOK_SECRET"])', base64: 'base64.b64decode(os.environ["WEBHOOK_SECRET"])' }[s.key]}

def verified(headers, body):
    items = (headers[${q(s.header)}] or "").split(${q(s.join)})
${s.ts ? `    sent = ${s.ts.header ? `headers[${q(s.ts.header)}] or ""` : `next((item[${s.ts.inside.length + 1}:] for item in items if item.startswith("${s.ts.inside}=")), "")`}
    if not sent.isdecimal() or abs(time.time() - int(sent)) > 300:  # too old, or sent again
        return False
` : ''}    signed = ${s.parts.map((p) => (p.body ? 'body' : p.ts ? 'sent.encode()' : p.header ? `(headers[${q(p.header)}] or "").encode()` : `${q(p.text)}.encode()`)).join(' + ')}
    mac = hmac.new(KEY, signed, hashlib.${s.hash}).digest()
    want = ${q(s.before)}.encode() + ${s.encoding === 'hex' ? 'mac.hex().encode()' : 'base64.b64encode(mac)'}
    return any(hmac.compare_digest(want, item.encode()) for item in items)
`) + `
class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))  # the bytes as they came
        ok = verified(self.headers, body)
        self.send_response(204 if ok else 401)  # answer first, work afterwards
        self.end_headers()
        if ok:
            print(body.decode(), flush=True)

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Receiver).serve_forever()
`;

const go = (s) => {
  const hmac = s.kind === 'hmac', imports = ['fmt', 'io', 'net/http', 'os', ...(hmac ? ['crypto/hmac', `crypto/${s.hash === 'sha1' ? 'sha1' : s.hash === 'sha512' ? 'sha512' : 'sha256'}`, 'strings'] : ['crypto/subtle'])];
  if (hmac && (s.encoding === 'base64' || s.key === 'whsec' || s.key === 'base64')) imports.push('encoding/base64');
  if (hmac && (s.encoding === 'hex' || s.key === 'hex')) imports.push('encoding/hex');
  if (s.ts) imports.push('strconv', 'time');
  const verify = !hmac ? `func verified(header http.Header, body []byte) bool {
	want := ${q(s.before)} + os.Getenv("WEBHOOK_SECRET")
	return subtle.ConstantTimeCompare([]byte(header.Get(${q(s.header)})), []byte(want)) == 1
}` : `${{ whsec: 'var key, _ = base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("WEBHOOK_SECRET"), "whsec_"))', utf8: 'var key = []byte(os.Getenv("WEBHOOK_SECRET"))', hex: 'var key, _ = hex.DecodeString(os.Getenv("WEBHOOK_SECRET"))', base64: 'var key, _ = base64.StdEncoding.DecodeString(os.Getenv("WEBHOOK_SECRET"))' }[s.key]}

func verified(header http.Header, body []byte) bool {
	items := strings.Split(header.Get(${q(s.header)}), ${q(s.join)})
${s.ts ? `${s.ts.header ? `	sent := header.Get(${q(s.ts.header)})` : `	sent := ""
	for _, item := range items {
		if strings.HasPrefix(item, "${s.ts.inside}=") {
			sent = item[${s.ts.inside.length + 1}:]
		}
	}`}
	at, err := strconv.ParseInt(sent, 10, 64)
	if age := time.Now().Unix() - at; err != nil || age > 300 || age < -300 { // too old, or sent again
		return false
	}
` : ''}	mac := hmac.New(${s.hash}.New, key)
${s.parts.map((p) => (p.body ? '	mac.Write(body)' : `	io.WriteString(mac, ${p.ts ? 'sent' : p.header ? `header.Get(${q(p.header)})` : q(p.text)})`)).join('\n')}
	want := ${q(s.before)} + ${s.encoding === 'hex' ? 'hex.EncodeToString(mac.Sum(nil))' : 'base64.StdEncoding.EncodeToString(mac.Sum(nil))'}
	for _, item := range items {
		if hmac.Equal([]byte(item), []byte(want)) {
			return true
		}
	}
	return false
}`;
  return `package main

import (
${imports.sort().map((i) => `	"${i}"`).join('\n')}
)

${verify}

func main() {
	http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20)) // the bytes as they came
		if err != nil || !verified(r.Header, body) {
			w.WriteHeader(401)
			return
		}
		w.WriteHeader(204) // answer first, work afterwards
		fmt.Println(string(body))
	}))
}
`;
};

const javaMac = { sha1: 'HmacSHA1', sha256: 'HmacSHA256', sha512: 'HmacSHA512' };
const java = (s) => `import com.sun.net.httpserver.*;
import java.net.InetSocketAddress;
import java.security.MessageDigest;
import java.util.*;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Receive {
${s.kind === 'token' ? `    static boolean verified(Headers headers, byte[] body) {
        String given = headers.getFirst(${q(s.header)}), want = ${q(s.before)} + System.getenv("WEBHOOK_SECRET");
        return given != null && MessageDigest.isEqual(given.getBytes(), want.getBytes());
    }
` : `    static final byte[] KEY = ${{ whsec: 'Base64.getDecoder().decode(System.getenv("WEBHOOK_SECRET").replaceFirst("^whsec_", ""))', utf8: 'System.getenv("WEBHOOK_SECRET").getBytes()', hex: 'HexFormat.of().parseHex(System.getenv("WEBHOOK_SECRET"))', base64: 'Base64.getDecoder().decode(System.getenv("WEBHOOK_SECRET"))' }[s.key]};

    static String field(Headers headers, String name) {
        String value = headers.getFirst(name);
        return value == null ? "" : value;
    }

    static boolean verified(Headers headers, byte[] body) throws Exception {
        String[] items = field(headers, ${q(s.header)}).split(${q(s.join)});
${s.ts ? `${s.ts.header ? `        String sent = field(headers, ${q(s.ts.header)});` : `        String sent = "";
        for (String item : items) if (item.startsWith("${s.ts.inside}=")) sent = item.substring(${s.ts.inside.length + 1});`}
        if (!sent.matches("[0-9]{1,18}")) return false;
        if (Math.abs(System.currentTimeMillis() / 1000 - Long.parseLong(sent)) > 300) return false; // too old, or sent again
` : ''}        Mac mac = Mac.getInstance("${javaMac[s.hash]}");
        mac.init(new SecretKeySpec(KEY, "${javaMac[s.hash]}"));
${s.parts.map((p) => (p.body ? '        mac.update(body);' : `        mac.update((${p.ts ? 'sent' : p.header ? `field(headers, ${q(p.header)})` : q(p.text)}).getBytes());`)).join('\n')}
        byte[] sum = mac.doFinal();
        byte[] want = (${q(s.before)} + ${s.encoding === 'hex' ? 'HexFormat.of().formatHex(sum)' : 'Base64.getEncoder().encodeToString(sum)'}).getBytes();
        boolean found = false;
        for (String item : items) found |= MessageDigest.isEqual(item.getBytes(), want);
        return found;
    }
`}
    public static void main(String[] args) throws Exception {
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(System.getenv("PORT"))), 0);
        server.createContext("/", exchange -> {
            byte[] body = exchange.getRequestBody().readAllBytes(); // the bytes as they came
            boolean ok = false;
            try { ok = verified(exchange.getRequestHeaders(), body); } catch (Exception refused) { }
            exchange.sendResponseHeaders(ok ? 204 : 401, -1); // answer first, work afterwards
            if (ok) System.out.println(new String(body));
        });
        server.start();
    }
}
`;

const ruby = (s) => (s.kind === 'token' ? `require "openssl"
require "socket"

WANT = ${q(s.before)} + ENV.fetch("WEBHOOK_SECRET")

def verified?(headers, body)
  OpenSSL.secure_compare(headers[${q(lower(s.header))}].to_s, WANT)
end
` : `require "openssl"
require "socket"

KEY = ${{ whsec: 'ENV.fetch("WEBHOOK_SECRET").delete_prefix("whsec_").unpack1("m")', utf8: 'ENV.fetch("WEBHOOK_SECRET")', hex: '[ENV.fetch("WEBHOOK_SECRET")].pack("H*")', base64: 'ENV.fetch("WEBHOOK_SECRET").unpack1("m")' }[s.key]}

def verified?(headers, body)
  items = headers[${q(lower(s.header))}].to_s.split(${q(s.join)})
${s.ts ? `  sent = ${s.ts.header ? `headers[${q(lower(s.ts.header))}].to_s` : `items.find { |item| item.start_with?("${s.ts.inside}=") }.to_s.delete_prefix("${s.ts.inside}=")`}
  return false unless sent.match?(/\\A\\d+\\z/) && (Time.now.to_i - sent.to_i).abs <= 300 # too old, or sent again
` : ''}  mac = OpenSSL::HMAC.digest("${s.hash.toUpperCase()}", KEY, ${s.parts.map((p) => (p.body ? 'body.b' : p.ts ? 'sent.b' : p.header ? `headers[${q(lower(p.header))}].to_s.b` : `${q(p.text)}.b`)).join(' + ')})
  want = ${q(s.before)} + ${s.encoding === 'hex' ? 'mac.unpack1("H*")' : '[mac].pack("m0")'}
  items.any? { |item| OpenSSL.secure_compare(item, want) }
end
`) + `
server = TCPServer.new("127.0.0.1", ENV.fetch("PORT").to_i)
loop do
  Thread.new(server.accept) do |client|
    head = client.gets("\\r\\n\\r\\n").to_s.lines(chomp: true).drop(1)
    headers = head.map { |line| line.split(/:\\s*/, 2) }.select { |pair| pair.size == 2 }.to_h.transform_keys(&:downcase)
    body = client.read(headers["content-length"].to_i) # the bytes as they came
    ok = verified?(headers, body)
    client.write("HTTP/1.1 #{ok ? "204 No Content" : "401 Unauthorized"}\\r\\nConnection: close\\r\\n\\r\\n")
    client.close # answer first, work afterwards
    puts body if ok
    $stdout.flush
  end
end
`;

const php = (s) => `<?php // php -S 127.0.0.1:8421 receive.php
function verified(array $headers, string $body): bool
{
${s.kind === 'token' ? `    return hash_equals(${sq(s.before)} . getenv('WEBHOOK_SECRET'), $headers[${sq(lower(s.header))}] ?? '');
` : `    $key = ${{ whsec: "base64_decode(preg_replace('/^whsec_/', '', getenv('WEBHOOK_SECRET')))", utf8: "getenv('WEBHOOK_SECRET')", hex: "hex2bin(getenv('WEBHOOK_SECRET'))", base64: "base64_decode(getenv('WEBHOOK_SECRET'))" }[s.key]};
    $items = explode(${sq(s.join)}, $headers[${sq(lower(s.header))}] ?? '');
${s.ts ? `${s.ts.header ? `    $sent = $headers[${sq(lower(s.ts.header))}] ?? '';` : `    $sent = '';
    foreach ($items as $item) {
        $sent = str_starts_with($item, '${s.ts.inside}=') ? substr($item, ${s.ts.inside.length + 1}) : $sent;
    }`}
    if (!ctype_digit($sent) || abs(time() - (int) $sent) > 300) { // too old, or sent again
        return false;
    }
` : ''}    $signed = ${s.parts.map((p) => (p.body ? '$body' : p.ts ? '$sent' : p.header ? `($headers[${sq(lower(p.header))}] ?? '')` : sq(p.text))).join(' . ')};
    $want = ${sq(s.before)} . ${s.encoding === 'hex' ? `hash_hmac('${s.hash}', $signed, $key)` : `base64_encode(hash_hmac('${s.hash}', $signed, $key, true))`};
    foreach ($items as $item) {
        if (hash_equals($want, $item)) {
            return true;
        }
    }
    return false;
`}}

$headers = array_change_key_case(getallheaders());
$body = file_get_contents('php://input'); // the bytes as they came
http_response_code(verified($headers, $body) ? 204 : 401);
if (http_response_code() === 204) {
    error_log($body);
}
`;

const c = (dialect) => `#include <tenterhook/tenterhook.h> /* cc ... $(pkg-config --cflags --libs tenterhook) */
#include <time.h>

static struct tenterhook_verifier verifier;

int prepare(const char *secret, const char *old) /* old: NULL, or the one before, while a rotation lasts */
{
    return tenterhook_verifier_open(&verifier, ${q(dialect)}, secret, old) == TENTERHOOK_OK;
}

int receive(const struct tenterhook_request *request, struct tenterhook_event *event) /* the status to answer with */
{
    struct tenterhook_report report;

    return tenterhook_status(tenterhook_construct_event(&verifier, request, time(NULL), event, &report));
}
`;

export const languages = [['node', 'Node.js'], ['python', 'Python'], ['go', 'Go'], ['java', 'Java'], ['ruby', 'Ruby'], ['php', 'PHP'], ['c', 'C']];
const programs = { node, python, go, java, ruby, php };

/** The program in a language; null: see schemeOf. */
export function program(language, dialect, url, variant) {
  if (language === 'c') return c(dialect.name);
  const scheme = schemeOf(dialect, url, variant);
  return scheme ? programs[language](scheme) : null;
}
