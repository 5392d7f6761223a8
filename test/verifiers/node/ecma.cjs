// What ECMAScript makes of JSON documents, for comparison. Standard input and output: frames of a 4-byte big-endian
// length and that many bytes. Each document gives two frames: JSON.stringify(JSON.parse(document)), and a JSON list of
// the JSON pointers of all strings that begin with the marker (first argument), in the order of the text. A document
// that JSON.parse refuses gives two empty frames.
'use strict';
const fs = require('node:fs');

const marker = process.argv[2];
const input = fs.readFileSync(0);
const out = [];

function frame(text) {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  out.push(length, bytes);
}

// Without recursion: documents are as deep as the server accepts.
function marked(root) {
  const found = [];
  const stack = [['', root]];
  while (stack.length) {
    const [pointer, value] = stack.pop();
    if (typeof value === 'string' && value.startsWith(marker)) found.push(pointer);
    if (value === null || typeof value !== 'object') continue;
    for (const name of Object.keys(value).reverse()) {
      stack.push([`${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, value[name]]);
    }
  }
  return found;
}

for (let at = 0; at < input.length;) {
  const length = input.readUInt32BE(at);
  const text = input.toString('utf8', at + 4, at + 4 + length);
  at += 4 + length;
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    frame('');
    frame('');
    continue;
  }
  frame(JSON.stringify(value));
  frame(JSON.stringify(marked(value)));
}
process.stdout.write(Buffer.concat(out));
