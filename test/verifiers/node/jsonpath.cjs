// Another implementation of JSONPath for comparison: the package json-p3. Lines in and out as test/tool/jsonpath.c.
const { jsonpath } = require("json-p3");
const lines = require("fs").readFileSync(0, "utf8").split("\n");
const out = [];

for (const line of lines) {
  if (!line) continue;
  const [query, document] = JSON.parse(line);
  try {
    out.push(JSON.stringify(jsonpath.query(query, document).values()));
  } catch (error) {
    out.push('{"fault":true}');
  }
}
process.stdout.write(out.join("\n") + "\n");
